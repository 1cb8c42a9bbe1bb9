"""Indexes of sparse vectors: HNSW with its limit, and the inverted index, which is exact for any number of weights."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from cookbook import DIM, drawn, make, sparse, upsert
from hypothesis import given, settings
from hypothesis import strategies as st
from pgvector import SparseVector

from pgsim.indexes import create_index_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable

    from cookbook import Connection, Recipes
    from numpy.typing import NDArray

QUERIES = drawn(np.random.default_rng(31), 15, 8)
INVERTED = "SELECT pgsim.create_index('recipe', 'terms', 'sparse', method => 'inverted')"
MANY = 3000


def index(recipes: Recipes, **arguments: object) -> str:
    named = "".join(f", {name} => %({name})s" for name in arguments)
    statement = f"SELECT pgsim.create_index('recipe', 'terms', 'sparse'{named})::text"
    return str(recipes.connection.execute(statement.encode(), arguments).fetchall()[0][0])


def taken(recipes: Recipes, query: NDArray[np.float32], **arguments: object) -> str:
    """The strategy of a search."""
    legs = recipes.explain(query, **arguments)["legs"]
    return str(legs["sparse"]["details"]["strategy"])


def heavy(connection: Connection) -> None:
    """A collection of notes, of which two have more numbers than HNSW takes."""
    connection.execute(
        "CREATE TABLE note (id int PRIMARY KEY); INSERT INTO note SELECT generate_series(1, 4);"
        "SELECT pgsim.create_collection('note'); SELECT pgsim.create_model('wide', 5000, 'ip', 'sparsevec');"
        "SELECT pgsim.create_version('note', 'wide')"
    )
    vectors = [SparseVector({i: 1 + i % 7 for i in range(count)}, 5000) for count in (1001, 3, 1000, 2500)]
    text = "{" + ",".join(f'"{vector.to_text()}"' for vector in vectors) + "}"
    connection.execute("SELECT pgsim.upsert('note', 'wide', '{1,2,3,4}', sparse_vectors => %s)", [text])


def test_hnsw_says_how_many_rows_are_beyond_its_limit(connection: Connection, refused: Callable[..., str]) -> None:
    heavy(connection)
    said = refused("PS010", "SELECT pgsim.create_index('note', 'wide')")
    assert "2 rows" in said
    assert "more than 1000 numbers that are not zero (up to 2500)" in said


def test_hnsw_takes_the_greatest_weights_of_each_where_that_is_declared(connection: Connection) -> None:
    heavy(connection)
    connection.execute("""SELECT pgsim.create_index('note', 'wide', options => '{"top_weights": 1000}')""")
    query = SparseVector({2499: 1, 6: 5}, 5000).to_text()
    for mode in ("exact", "ann"):
        found = connection.execute(
            "SELECT key, score FROM pgsim.search('note', sparse_query => %s, mode => %s)", [query, mode]
        ).fetchall()
        assert found == [("4", 36.0), ("1", 35.0), ("3", 35.0)]


def test_a_row_beyond_the_limit_is_refused_with_what_to_do_once_there_is_an_index(
    recipes: Recipes, refused: Callable[..., str]
) -> None:
    recipes.connection.execute("SELECT pgsim.create_model('wide', 5000, 'ip', 'sparsevec')")
    recipes.connection.execute("SELECT pgsim.create_version('recipe', 'wide', 'sparse')")
    recipes.connection.execute("SELECT pgsim.create_index('recipe', 'wide', 'sparse')")
    vector = SparseVector(dict.fromkeys(range(1001), 1.0), 5000).to_text()
    statement = (
        "SELECT pgsim.upsert('recipe', 'wide', '{1}', embedding => 'sparse', sparse_vectors => ARRAY[%s]::sparsevec[])"
    )
    assert "more numbers that are not zero" in refused("PS013", statement, vector)


@pytest.mark.parametrize("metric", ["ip", "cosine", "l2"])
@pytest.mark.parametrize("options", ["{}", '{"top_weights": 6, "m": 8, "ef_construction": 32}'])
def test_hnsw_finds_the_nearest(connection: Connection, metric: str, options: str) -> None:
    rng = np.random.default_rng(12)
    recipes = make(connection, metric, drawn(rng, 900))
    index(recipes, options=options)
    connection.execute("ANALYZE")
    found = right = 0
    for query in QUERIES:
        assert taken(recipes, query, mode="ann", k=5) in {"ann", "exact"}
        expected = {key for key, _ in recipes.expected(query, 5)}
        answer = recipes.search(query, mode="ann", k=5)
        assert len(answer) == len(expected)
        right += len(expected)
        found += len(expected & {row[0] for row in answer})
    assert found >= 0.6 * right


def test_recall_is_measured_of_each_way_to_search(recipes: Recipes, refused: Callable[..., str]) -> None:
    measure = (
        "SELECT searches, mean_recall, worst, short, strategies FROM pgsim.recall('recipe', embedding => 'sparse', {})"
    )
    index(recipes)
    recipes.connection.execute(INVERTED.encode())
    recipes.connection.execute("ANALYZE")
    for mode, by in (("exact", "exact"), ("auto", "exact"), ("ann", "ann")):
        asked = measure.format(f"mode => '{mode}', sample => 20, k => 5")
        searches, mean, worst, short, strategies = recipes.connection.execute(asked.encode()).fetchall()[0]
        assert (searches, short) == (20, 0)
        # An index that gives too few rows is followed by an exact way.
        assert strategies[by] >= 15
        assert mean == 1 if mode != "ann" else 0.5 < mean <= 1
        assert worst <= mean
    given = recipes.connection.execute(
        measure.format("sparse_queries => %s, filter => %s").encode(),
        [[sparse(query).to_text() for query in QUERIES], '{"kind": "cake"}'],
    )
    assert given.fetchall()[0][:2] == (len(QUERIES), 1)
    for wrong in ("sample => 0", "seed => NULL", "sparse_queries => '{}'"):
        assert refused("PS010", measure.format(wrong))
    assert "model 'terms' is sparse" in refused("PS012", measure.format("queries => '{\"[1,2]\"}'"))
    assert "has 2" in refused("PS012", measure.format("sparse_queries => '{\"{1:1}/2\"}'"))


def test_hnsw_that_gives_too_few_is_followed_by_an_exact_search(recipes: Recipes) -> None:
    index(recipes)
    for query in QUERIES:
        recipes.is_right(query, k=200, mode="ann", kind="cake")
    told = recipes.explain(QUERIES[0], k=200, mode="ann", filter={"kind": "cake"})["legs"]["sparse"]["details"]
    assert told["strategy"] == "exact"
    assert told["stages"][0]["strategy"] == "ann"
    assert "of 200 rows" in told["stages"][0]["fallback"]


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("of sparse vectors it is hnsw or inverted", {"method": "ivfflat"}),
        ("has its 300 dimensions", {"dims": 7}),
        ("has its 300 dimensions", {"element": "halfvec"}),
        ("top_weights is 1001", {"options": '{"top_weights": 1001}'}),
        ("top_weights is 0", {"options": '{"top_weights": 0}'}),
        ('top_weights is "x"', {"options": '{"top_weights": "x"}'}),
        ("top_weights is 1.5", {"options": '{"top_weights": 1.5}'}),
        ("is not known to hnsw", {"options": '{"lists": 5}'}),
        ("options do not go with an inverted index", {"method": "inverted", "options": '{"m": 5}'}),
        ("dims, element", {"method": "inverted", "dims": 5}),
    ],
)
def test_what_an_index_does_not_take_is_refused(recipes: Recipes, said: str, arguments: dict[str, object]) -> None:
    with pytest.raises(psycopg.Error, match=said) as raised, recipes.connection.transaction():
        index(recipes, **arguments)
    assert raised.value.sqlstate == "PS010"


def test_of_dense_vectors_there_is_neither_cut_nor_inverted_index(
    recipes: Recipes, refused: Callable[..., str]
) -> None:
    cut = """SELECT pgsim.create_index('recipe', 'small', options => '{"top_weights": 5}')"""
    assert "is not known to hnsw" in refused("PS010", cut)
    assert "is dense" in refused("PS010", "SELECT pgsim.create_index('recipe', 'small', method => 'inverted')")


def test_by_a_distance_there_is_no_inverted_index(connection: Connection, refused: Callable[..., str]) -> None:
    make(connection, "l2")
    assert "by metric l2 every row has a distance" in refused("PS010", INVERTED)


@pytest.mark.parametrize("metric", ["ip", "cosine"])
@pytest.mark.parametrize("signs", [[1], [-1, 1]], ids=["weights", "signed weights"])
def test_the_inverted_index_gives_the_answer_of_ranking_every_row(
    connection: Connection, metric: str, signs: list[int]
) -> None:
    rng = np.random.default_rng(8)
    vectors = drawn(rng, MANY, skew=0.9) * rng.choice(signs, size=(MANY, DIM)).astype(np.float32)
    recipes = make(connection, metric, vectors)
    index(recipes, method="inverted")
    strategies = set()
    for query in drawn(rng, 12, 9) * rng.choice(signs, size=(12, DIM)).astype(np.float32):
        for k, kind in ((1, None), (10, None), (10, "cake"), (300, None), (5000, "soup")):
            recipes.is_right(query, k=k, kind=kind)
        strategies.add(taken(recipes, query))
    assert "inverted" in strategies


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.dictionaries(st.integers(0, 40), st.integers(-8, 8), min_size=1, max_size=9), min_size=1, max_size=5)
)
def test_whatever_is_asked_the_inverted_index_agrees_with_exact(both: Recipes, queries: list[dict[int, int]]) -> None:
    for query in queries:
        vector = SparseVector({place: weight / 4 for place, weight in query.items()}, DIM)
        for k in (1, 7, 60):
            assert [row[:3] for row in both.search(vector, k=k)] == [
                row[:3] for row in both.search(vector, k=k, mode="exact")
            ]


@pytest.fixture(scope="module")
def both(server: object, template: str) -> object:
    """Recipes with an inverted index, of weights that repeat, so that rows tie."""
    with server.database("inverted", template) as name, psycopg.connect(server.dsn(name)) as connection:  # type: ignore[attr-defined]
        rng = np.random.default_rng(2)
        vectors = np.zeros((MANY, DIM), np.float32)
        for vector in vectors:
            vector[rng.integers(0, 41, 5)] = rng.integers(-3, 6, 5) / 2
        recipes = make(connection, vectors=vectors)
        index(recipes, method="inverted")
        assert taken(recipes, sparse_of(3)) == "inverted"
        yield recipes


def sparse_of(place: int) -> NDArray[np.float32]:
    vector = np.zeros(DIM, np.float32)
    vector[place] = 1
    return vector


@pytest.mark.parametrize("adopted", [False, True], ids=["a version table", "an adopted column"])
def test_it_is_kept_by_whoever_writes(connection: Connection, adopted: bool) -> None:
    rng = np.random.default_rng(4)
    recipes = make(connection, vectors=drawn(rng, MANY, skew=0.9))
    if adopted:
        connection.execute(
            f"ALTER TABLE recipe ADD terms sparsevec({DIM});"
            f"UPDATE recipe AS r SET terms = v.embedding FROM {recipes.table} AS v WHERE v.key = r.id;"
            "SELECT pgsim.drop_embedding('recipe', 'sparse');"
            "SELECT pgsim.create_embedding('recipe', 'sparse', '{body}');"
            "SELECT pgsim.create_version('recipe', 'terms', 'sparse', 'terms')".encode()
        )
    index(recipes, method="inverted")
    connection.execute("ANALYZE")
    for turn in range(6):
        rows = rng.choice(MANY, 40, replace=False)
        # Each time greater than anything before: bounds that were not kept would leave these rows out.
        recipes.vectors[rows] = drawn(rng, 40) * 2**turn
        upsert(connection, [str(row + 1) for row in rows], [sparse(recipes.vectors[row]) for row in rows])
        for query in QUERIES[:4]:
            recipes.is_right(query, k=15)
    gone = rng.choice(MANY, 100, replace=False)
    connection.execute("DELETE FROM recipe WHERE id = ANY(%s)", [[int(row) + 1 for row in gone]])
    recipes.vectors[gone] = 0
    connection.execute("INSERT INTO recipe (id, kind, body) VALUES (%s, 'soup', 'new')", [MANY + 1])
    upsert(connection, [str(MANY + 1)], [sparse(QUERIES[0] * 500)])
    recipes.vectors = np.vstack([recipes.vectors, QUERIES[:1] * 500])
    for query in QUERIES[:4]:
        recipes.is_right(query, k=15)
        assert taken(recipes, query) == "inverted"
    assert connection.execute("SELECT * FROM pgsim.check('recipe')").fetchall() == []
    terms = connection.execute("SELECT relation::text FROM pgsim._index WHERE method = 'inverted'").fetchall()[0][0]
    counted = connection.execute(f"SELECT term, sum(docs) FROM {terms} GROUP BY term HAVING sum(docs) > 0".encode())
    assert dict(counted.fetchall()) == {
        int(place) + 1: count for place, count in enumerate((recipes.vectors != 0).sum(axis=0)) if count
    }


def test_bounds_that_are_not_kept_serve_no_search(recipes: Recipes) -> None:
    connection = recipes.connection
    index(recipes, method="inverted")
    connection.execute(f"ALTER TABLE {recipes.table} DISABLE TRIGGER USER".encode())
    upsert(connection, ["9"], [sparse(QUERIES[0] * 1000)])
    recipes.vectors[8] = QUERIES[0] * 1000
    assert recipes.is_right(QUERIES[0], k=3)[0][0] == "9"
    problems = connection.execute("SELECT problem FROM pgsim.check('recipe')").fetchall()
    assert "disabled" in str(problems)
    assert "may leave rows out" in str(problems)
    connection.execute("SELECT pgsim.sync_privileges('recipe')")
    assert connection.execute("SELECT * FROM pgsim.check('recipe')").fetchall() == []
    recipes.is_right(QUERIES[0], k=3)


def test_who_is_bound_by_a_policy_is_answered_without_it_and_does_not_see_its_terms(connection: Connection) -> None:
    recipes = make(connection, vectors=drawn(np.random.default_rng(4), MANY, skew=0.9))
    index(recipes, method="inverted")
    terms = connection.execute("SELECT relation::text FROM pgsim._index WHERE method = 'inverted'").fetchall()[0][0]
    connection.execute(
        "CREATE ROLE cook; GRANT SELECT ON recipe TO cook; ANALYZE;"
        "ALTER TABLE recipe ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON recipe TO cook USING (kind = 'cake')"
    )
    assert "not as open" in str(connection.execute("SELECT problem FROM pgsim.check('recipe')").fetchall())
    connection.execute("SELECT pgsim.sync_privileges('recipe')")
    assert connection.execute("SELECT * FROM pgsim.check('recipe')").fetchall() == []
    assert taken(recipes, QUERIES[1]) == "inverted"
    connection.execute("SET LOCAL ROLE cook")
    recipes_seen = [key for key, _ in recipes.expected(QUERIES[1], 50, lambda i: i * i % 3 == 1)]
    assert [row[0] for row in recipes.search(QUERIES[1], k=50)] == recipes_seen
    assert connection.execute(f"SELECT count(*) FROM {terms}".encode()).fetchall() == [(0,)]
    assert taken(recipes, QUERIES[1]) == "exact"


def test_writers_need_no_right_on_its_terms(recipes: Recipes) -> None:
    index(recipes, method="inverted")
    recipes.connection.execute(
        "CREATE ROLE cook; GRANT SELECT, INSERT, UPDATE, DELETE ON recipe TO cook;"
        "SELECT pgsim.sync_privileges('recipe'); SET LOCAL ROLE cook"
    )
    upsert(recipes.connection, ["9"], [sparse(QUERIES[0] * 1000)])
    recipes.vectors[8] = QUERIES[0] * 1000
    recipes.is_right(QUERIES[0], k=3)


def test_it_goes_with_drop_index_and_with_its_version(recipes: Recipes) -> None:
    connection = recipes.connection
    left = (
        "SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_terms' AND relkind = 'r'),"
        " (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '!pgsim%'), (SELECT count(*) FROM pgsim._index)"
    )
    before = connection.execute(left).fetchall()
    made = index(recipes, method="inverted")
    with pytest.raises(psycopg.Error) as raised, connection.transaction():
        index(recipes, method="inverted")
    assert raised.value.sqlstate == "PS020"
    assert connection.execute("SELECT method, valid FROM pgsim.indexes").fetchall() == [("inverted", True)]
    connection.execute("SELECT pgsim.drop_index(%s::text::regclass)", [made])
    assert connection.execute(left).fetchall() == before
    index(recipes, method="inverted")
    connection.execute("SELECT pgsim.drop_version('recipe', 'terms', 'sparse', force => true)")
    rest = connection.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE '!pgsim%'").fetchall()
    assert rest == [(0,)]
    assert connection.execute("SELECT count(*) FROM pgsim._index").fetchall() == [(0,)]
    recipes.connection.execute("SELECT pgsim.drop_collection('recipe')")


def test_a_renamed_column_stops_it_and_not_the_writers(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE note (id int PRIMARY KEY, terms sparsevec(5)); INSERT INTO note VALUES (1, '{1:1}/5');"
        "SELECT pgsim.create_collection('note'); SELECT pgsim.create_model('terms', 5, 'ip', 'sparsevec');"
        "SELECT pgsim.create_version('note', 'terms', column_name => 'terms');"
        "SELECT pgsim.create_index('note', 'terms', method => 'inverted'); ALTER TABLE note RENAME terms TO words;"
        "INSERT INTO note VALUES (2, '{2:2}/5'); UPDATE note SET words = '{3:1}/5' WHERE id = 1; DELETE FROM note"
    )
    assert connection.execute("SELECT complete FROM pgsim._index").fetchall() == [(False,)]


def test_an_emptied_table_is_searched_as_any_other(recipes: Recipes) -> None:
    index(recipes, method="inverted")
    recipes.connection.execute("TRUNCATE recipe CASCADE")
    assert recipes.search(QUERIES[0]) == []
    recipes.connection.execute("INSERT INTO recipe VALUES (5, 'soup', 'again')")
    upsert(recipes.connection, ["5"], [sparse(QUERIES[0])])
    assert [row[0] for row in recipes.search(QUERIES[0])] == ["5"]


def test_it_is_built_while_rows_are_written(database_dsn: str) -> None:
    stop = threading.Event()
    failed: list[BaseException] = []
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        recipes = make(connection, vectors=drawn(np.random.default_rng(6), MANY, skew=0.9))

        def write() -> None:
            rng = np.random.default_rng(1)
            with psycopg.connect(database_dsn, autocommit=True) as other:
                while not stop.is_set():
                    row = int(rng.integers(MANY))
                    recipes.vectors[row] = drawn(rng, 1)[0] * 100
                    try:
                        upsert(other, [str(row + 1)], [sparse(recipes.vectors[row])])
                    except psycopg.Error as error:
                        failed.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            create_index_concurrently(connection, "recipe", "terms", embedding="sparse", method="inverted")
        finally:
            stop.set()
            writer.join()
        connection.execute("ANALYZE")
        assert failed == []
        assert connection.execute("SELECT method, valid FROM pgsim.indexes").fetchall() == [("inverted", True)]
        assert taken(recipes, QUERIES[0]) == "inverted"
        for query in QUERIES:
            recipes.is_right(query, k=20)
        assert connection.execute("SELECT * FROM pgsim.check('recipe')").fetchall() == []


def test_a_build_that_fails_leaves_nothing(database_dsn: str) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection, psycopg.connect(database_dsn) as other:
        recipes = make(connection)
        # An index that is built CONCURRENTLY waits for those who may still see what was before.
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        other.execute("SELECT count(*) FROM recipe")
        connection.execute("SET statement_timeout = '2s'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            create_index_concurrently(connection, "recipe", "terms", embedding="sparse", method="inverted")
        other.rollback()
        triggers = connection.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE '!pgsim%'").fetchall()
        assert triggers == [(0,)]
        assert connection.execute("SELECT count(*) FROM pgsim._index").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE '%inverted'").fetchall() == [(0,)]
        connection.execute("RESET statement_timeout")
        create_index_concurrently(connection, "recipe", "terms", embedding="sparse", method="inverted")
        recipes.is_right(QUERIES[0])


def test_rows_that_a_partial_index_does_not_hold_are_no_hindrance(
    connection: Connection, refused: Callable[..., str]
) -> None:
    connection.execute(
        "CREATE TABLE note (id int PRIMARY KEY, kind text, e sparsevec(5000));"
        "INSERT INTO note SELECT i, CASE WHEN i = 1 THEN 'it''s % heavy' ELSE 'light' END, "
        "  ('{' || (SELECT string_agg(j || ':1', ',') FROM generate_series(1, 1200 / i) AS j) || '}/5000')::sparsevec "
        "FROM generate_series(1, 20) AS i;"
        "SELECT pgsim.create_collection('note', filter_columns => '{kind}');"
        "SELECT pgsim.create_model('wide', 5000, 'ip', 'sparsevec');"
        "SELECT pgsim.create_version('note', 'wide', column_name => 'e')"
    )
    create = "SELECT pgsim.create_index('note', 'wide', where_filter => %s)"
    assert "1 rows" in refused("PS010", create, '{"kind": "it\'s % heavy"}')
    assert "1 rows" in refused("PS010", create, '{"kind": {"$ne": "light"}}')
    assert "1 rows" in refused("PS010", create, "{}")
    connection.execute(create.encode(), ['{"kind": "light"}'])
