"""Another extension may keep a collection's text index, where it is installed; searches stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from texts import CREATE, Answer, best, bm25, counts, create, insert, search

if TYPE_CHECKING:
    from collections.abc import Sequence

# Engines, and the schema that whoever searches has to be let into.
ENGINES = {"pg_textsearch": "The Engine", "pg_search": "pdb"}
WORDS = ["fox", "dog", "cat", "owl", "hen", "bee", "ant", "elk"]
# Up to 39 words the engine keeps lengths as they are, and its scores are the formula's; it reckons in four bytes.
CLOSE = 1e-5


def _row(i: int) -> tuple[int, str, str, str]:
    body = " ".join(WORDS[(i * step + i // 9) % len(WORDS)] for step in range(1, 2 + i % 11))
    return (i, f"s{i % 50}", f"title{i % 7} {WORDS[i % 3]}", body)


ROWS = [_row(i) for i in range(1, 1501)]


@pytest.fixture(params=list(ENGINES))
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(connection: psycopg.Connection, backend: str) -> psycopg.Connection:
    """A connection whose database has the extension, in a schema of its own where it goes into any."""
    ((available, loaded, server),) = connection.execute(
        "SELECT (SELECT default_version FROM pg_available_extensions WHERE name = %s), "
        "current_setting('shared_preload_libraries') LIKE '%%' || %s || '%%', "
        "current_setting('server_version_num')::int",
        [backend, backend],
    ).fetchall()
    if available is None:
        pytest.skip(f"{backend} is not installed on this server")
    if not loaded and not (backend == "pg_search" and server >= 170000):
        pytest.skip(f"{backend} is not in shared_preload_libraries of this server")
    if backend == "pg_textsearch" and available.startswith("0."):
        pytest.skip(f"{backend} {available} indexes no expressions")
    if backend == "pg_textsearch":
        connection.execute('CREATE SCHEMA "The Engine"; CREATE EXTENSION pg_textsearch SCHEMA "The Engine"')
        connection.execute('GRANT USAGE ON SCHEMA "The Engine" TO PUBLIC')
    else:
        connection.execute("CREATE EXTENSION pg_search")
    return connection


@pytest.fixture
def books(engine: psycopg.Connection, backend: str) -> psycopg.Connection:
    create(engine, ROWS, f"'book', backend => '{backend}'")
    engine.execute("ANALYZE book")
    return engine


def _refused(connection: psycopg.Connection, statement: str, state: str) -> str:
    with pytest.raises(psycopg.DatabaseError) as raised, connection.transaction():
        connection.execute(statement.encode())
    assert raised.value.sqlstate == state
    assert raised.value.diag.message_hint
    return f"{raised.value.diag.message_primary} {raised.value.diag.message_hint}"


def _problems(connection: psycopg.Connection) -> Sequence[tuple[object, ...]]:
    return connection.execute("SELECT problem, hint FROM pgsim.check('book')").fetchall()


def _same(answer: Answer, expected: list[tuple[str, float]]) -> None:
    assert answer.scores == pytest.approx([score for _, score in expected], rel=CLOSE, abs=CLOSE / 10)
    assert answer.scores == sorted(answer.scores, reverse=True)
    truth = dict(expected)
    last = min(truth.values(), default=0)
    assert [truth.get(key, last) for key in answer.keys] == pytest.approx(answer.scores, rel=CLOSE, abs=CLOSE / 10)
    for one, other, score, next_score in zip(
        answer.keys, answer.keys[1:], answer.scores, answer.scores[1:], strict=False
    ):
        assert score > next_score or int(one) < int(other)


# What every server refuses.


@pytest.mark.parametrize("backend", ["'tantivy'", "''", "NULL", "'PGSIM'"])
def test_a_backend_that_is_not_known_is_refused_and_the_known_are_named(
    connection: psycopg.Connection, backend: str
) -> None:
    connection.execute(CREATE)
    told = _refused(connection, f"SELECT pgsim.enable_text('book', backend => {backend})", "PS010")
    assert "pgsim, pg_textsearch and pg_search" in told


def test_a_backend_that_is_not_supported_yet_says_so(connection: psycopg.Connection) -> None:
    connection.execute(CREATE)
    told = _refused(connection, "SELECT pgsim.enable_text('book', backend => 'vchord_bm25')", "PS010")
    assert "vchord_bm25 is not supported yet" in told


def test_a_backend_whose_extension_is_not_there_says_what_to_do(connection: psycopg.Connection, backend: str) -> None:
    connection.execute(CREATE)
    told = _refused(connection, f"SELECT pgsim.enable_text('book', backend => '{backend}')", "PS035")
    assert "needs the extension" in told
    assert "leave backend out" in told


def test_the_backend_named_pgsim_is_the_default(connection: psycopg.Connection) -> None:
    create(connection, ROWS[:20], "'book', backend => 'pgsim'")
    assert search(connection, "fox").keys
    assert connection.execute("SELECT count(*) FROM pgsim._text_backend").fetchall() == [(0,)]


# What the engine cannot do.


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("weights => '{\"title\": 3}'", "alike"),
        ("k1 => 0", "backend"),
        ("k1 => 11", "backend"),
        ("b => 2", "from 0 to 1"),
        ("weights => '{\"pages\": 1}'", "not column pages"),
    ],
)
def test_an_option_that_the_engine_has_not_is_refused(
    engine: psycopg.Connection, backend: str, option: str, said: str
) -> None:
    engine.execute(CREATE)
    assert said in _refused(engine, f"SELECT pgsim.enable_text('book', {option}, backend => '{backend}')", "PS010")


def test_a_partitioned_table_is_refused(engine: psycopg.Connection, backend: str) -> None:
    engine.execute("""
        CREATE TABLE parted (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
        SELECT pgsim.create_collection('parted', text_columns => '{body}');
    """)
    told = _refused(engine, f"SELECT pgsim.enable_text('parted', backend => '{backend}')", "PS010")
    assert "partition" in told


def test_a_second_text_index_is_refused_whoever_keeps_it(books: psycopg.Connection, backend: str) -> None:
    _refused(books, "SELECT pgsim.enable_text('book')", "PS020")
    books.execute("SELECT pgsim.disable_text('book'); SELECT pgsim.enable_text('book')")
    _refused(books, f"SELECT pgsim.enable_text('book', backend => '{backend}')", "PS020")


@pytest.mark.parametrize("form", ["all", "phrase", "websearch", "prefix", "fuzzy", "what"])
def test_other_forms_of_a_query_are_refused_and_the_known_one_is_named(books: psycopg.Connection, form: str) -> None:
    statement = f"SELECT * FROM pgsim.search('book', text_query => 'fox', text_form => '{form}')"
    assert "knows any alone" in _refused(books, statement, "PS010")
    _refused(books, f"SELECT pgsim.snippet('book', '1', 'fox', text_form => '{form}')", "PS010")


# What it finds.


@pytest.mark.parametrize("query", ["fox", "dog owl", "title3 bee", "elk nothing", "ant hen cat"])
def test_it_ranks_as_the_formula_does(books: psycopg.Connection, backend: str, query: str) -> None:
    answer = search(books, query, 25)
    _same(answer, best(bm25(counts(books), query.split()), 25))
    assert answer.details["backend"] == backend
    assert answer.details["strategy"] == "words"


@pytest.mark.parametrize("backend", ["pg_textsearch"])
def test_k1_b_and_columns_are_the_engines_too(engine: psycopg.Connection, backend: str) -> None:
    create(engine, ROWS, f"'book', weights => '{{\"title\": 0}}', k1 => 2, b => 0.3, backend => '{backend}'")
    expected = bm25(counts(engine, columns=(("body", 1),)), ["dog", "owl"], k1=2, b=0.3)
    _same(search(engine, "dog owl", 30), best(expected, 30))


def test_rows_of_one_score_come_in_the_order_of_their_keys(engine: psycopg.Connection, backend: str) -> None:
    create(engine, [(i, "a", "fox", "and dog") for i in range(400, 0, -1)], f"'book', backend => '{backend}'")
    assert search(engine, "fox", 5).keys == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("predicate", "strategy"),
    [("shelf = 's7'", "filter"), ("id % 2 = 1 OR id < 10", "words"), ("shelf <> 's7'", "words"), ("false", "filter")],
)
@pytest.mark.parametrize("query", ["fox", "dog owl", "title3"])
def test_a_filter_applies_inside(books: psycopg.Connection, predicate: str, strategy: str, query: str) -> None:
    passing = {str(key) for (key,) in books.execute(sql.SQL("SELECT id FROM book WHERE {}").format(sql.SQL(predicate)))}
    scores = {key: score for key, score in bm25(counts(books), query.split()).items() if key in passing}
    answer = search(books, query, 40, predicate=predicate)
    _same(answer, best(scores, 40))
    if predicate != "id % 2 = 1 OR id < 10":
        assert answer.details["strategy"] == strategy


def test_fewer_than_asked_come_only_where_fewer_match(engine: psycopg.Connection, backend: str) -> None:
    """The best rows by the words fail the filter, and the planner, told nothing, thinks that a third pass it."""
    rows = [(i, "a", "fox fox", "fox") for i in range(1, 2901)]
    rows += [(i, "z", "fox", "dog " * 30) for i in range(2901, 2921)]
    create(engine, rows, f"'book', backend => '{backend}'")
    answer = search(engine, "fox", 30, predicate="shelf > 'm'")
    assert answer.keys == [str(i) for i in range(2901, 2921)]
    assert answer.details["strategy"] == "words"
    assert answer.details["candidates"] >= 2920


@pytest.mark.parametrize("backend", ["pg_textsearch"])
def test_where_the_index_gives_up_all_that_match_are_ranked(engine: psycopg.Connection, backend: str) -> None:
    engine.execute(CREATE)
    engine.execute("""
        INSERT INTO book SELECT i, CASE WHEN i > 100020 THEN 'z' ELSE 'a' END, 'fox',
                                CASE WHEN i > 100020 THEN 'and a dog' END FROM generate_series(1, 100025) AS i
    """)
    engine.execute(f"SELECT pgsim.enable_text('book', backend => '{backend}')".encode())
    answer = search(engine, "fox", 10, predicate="shelf > 'm'")
    assert answer.keys == [str(i) for i in range(100021, 100026)]
    assert (answer.details["strategy"], answer.details["rounds"]) == ("filter", 2)


@pytest.mark.parametrize("backend", ["pg_textsearch"])
def test_where_the_server_counts_nothing_the_answer_is_whole_all_the_same(books: psycopg.Connection) -> None:
    expected = search(books, "owl", 2000)
    books.execute("SET LOCAL track_counts = off")
    answer = search(books, "owl", 2000)
    assert answer.keys == expected.keys
    assert (expected.details["rounds"], answer.details["rounds"]) == (1, 2)


def test_an_estimate_that_is_far_too_low_costs_a_second_look_and_no_row(
    books: psycopg.Connection, backend: str
) -> None:
    books.execute("ALTER TABLE book SET (autovacuum_enabled = off); UPDATE book SET pages = 1; ANALYZE book")
    insert(books, [_row(i) for i in range(2000, 8000)])
    books.execute("UPDATE book SET pages = 7777 WHERE id >= 2000")
    scores = {key: score for key, score in bm25(counts(books), ["owl"]).items() if int(key) >= 2000}
    answer = search(books, "owl", 40, predicate="pages = 7777")
    _same(answer, best(scores, 40))
    assert answer.details["rounds"] == (2 if backend == "pg_textsearch" else 1)


@pytest.mark.parametrize(
    "query",
    ["", " ", "!!!", "the-unknown", "it's \\ 'quoted' \" & | ! <-> :*", "\U0001f98a", "x" * 5000, "fox " * 40000],
)
def test_no_text_is_an_error(books: psycopg.Connection, query: str) -> None:
    assert (search(books, query, 3).keys != []) == ("fox" in query)


def test_a_search_of_words_and_the_snippet_of_what_it_finds(books: psycopg.Connection, backend: str) -> None:
    ((key, score, snippet),) = books.execute(
        "SELECT s.key, s.score, pgsim.snippet('book', s.key, 'fox') "
        "FROM pgsim.search('book', text_query => 'fox', k => 1, filter => '{\"shelf\": \"s9\"}') AS s"
    ).fetchall()
    assert int(key) % 50 == 9
    assert score > 0
    assert "<b>fox</b>" in snippet
    ((details,),) = books.execute("SELECT pgsim.explain_search('book', text_query => 'fox')::text").fetchall()
    assert backend in details


# Its index follows the table.


def test_writes_are_found_at_once(books: psycopg.Connection) -> None:
    books.execute("INSERT INTO book VALUES (9001, 'a', 'brandnew', 'word'); DELETE FROM book WHERE id = 1")
    books.execute("UPDATE book SET body = 'renewed' WHERE id = 2")
    assert search(books, "brandnew").keys == ["9001"]
    assert search(books, "renewed").keys == ["2"]
    assert "1" not in search(books, "fox dog cat owl hen bee ant elk", 3000).keys


def test_it_says_what_the_index_holds_as_far_as_is_known(books: psycopg.Connection) -> None:
    ((rows, held),) = books.execute("SELECT rows, bytes FROM pgsim.text_statistics('book')").fetchall()
    assert rows is None
    assert held > 8192


def test_an_index_that_is_gone_is_reported_and_the_hint_makes_it_anew(engine: psycopg.Connection, backend: str) -> None:
    create(engine, ROWS, f"'book', weights => '{{\"title\": 0}}', backend => '{backend}'")
    assert _problems(engine) == []
    ((name,),) = engine.execute("SELECT index_name FROM pgsim._text_backend").fetchall()
    engine.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    ((problem, hint),) = _problems(engine)
    assert "gone" in str(problem)
    _refused(engine, "SELECT * FROM pgsim.search('book', text_query => 'fox')", "PS035")
    engine.execute(str(hint).encode())
    assert _problems(engine) == []
    assert search(engine, "fox", 1).keys
    assert engine.execute("SELECT columns, k1, b FROM pgsim._text_backend").fetchall() == [(["body"], 1.2, 0.75)]


@pytest.mark.parametrize("drop", ["SELECT pgsim.disable_text('book')", "SELECT pgsim.drop_collection('book')"])
def test_it_is_dropped_with_what_it_served(books: psycopg.Connection, drop: str) -> None:
    left = "SELECT count(*) FROM pg_index WHERE indrelid = 'book'::regclass AND NOT indisprimary"
    assert books.execute(left.encode()).fetchall() == [(1,)]
    books.execute(drop.encode())
    assert books.execute(left.encode()).fetchall() == [(0,)]
    assert books.execute("SELECT count(*) FROM pgsim._text_backend").fetchall() == [(0,)]


def test_a_column_that_was_renamed_is_reported(books: psycopg.Connection) -> None:
    books.execute("ALTER TABLE book RENAME COLUMN body TO content")
    assert "no column body" in str(_problems(books))
    assert "renamed" in _refused(books, "SELECT * FROM pgsim.search('book', text_query => 'fox')", "PS035")


@pytest.mark.parametrize("backend", ["pg_textsearch"])
def test_another_index_of_the_users_on_the_same_text_is_left_alone(engine: psycopg.Connection, backend: str) -> None:
    create(engine, ROWS, f"'book', weights => '{{\"title\": 0}}', backend => '{backend}'")
    engine.execute("CREATE INDEX a_first ON book USING bm25 (body) WITH (text_config = 'english', k1 = 3)")
    _same(search(engine, "dog owl", 30), best(bm25(counts(engine, columns=(("body", 1),)), ["dog", "owl"]), 30))
    engine.execute("SELECT pgsim.disable_text('book')")
    assert engine.execute("SELECT to_regclass('a_first') IS NOT NULL").fetchall() == [(True,)]


def test_hostile_names_and_keys(engine: psycopg.Connection, backend: str) -> None:
    engine.execute("""
        CREATE SCHEMA "Odd ""s.x";
        CREATE TEXT SEARCH CONFIGURATION "Odd ""s.x"."c'f.g" (COPY = simple);
        CREATE TABLE "Odd ""s.x"."T'.t" ("k%2' x" int PRIMARY KEY, "a'b" varchar(80), "c""d" text);
        INSERT INTO "Odd ""s.x"."T'.t" VALUES (1, 'fox', NULL), (2, NULL, 'fox dog'), (3, 'dog', 'cat');
        SELECT pgsim.create_collection('"Odd ""s.x"."T''.t"', 'odd ''"%s', text_columns => ARRAY['a''b', 'c"d'],
                                       text_config => '"Odd ""s.x"."c''f.g"');
    """)
    engine.execute(f"SELECT pgsim.enable_text('odd ''\"%s', backend => '{backend}')".encode())
    rows = engine.execute("SELECT key FROM pgsim.search('odd ''\"%s', text_query => 'fox')").fetchall()
    assert rows == [("1",), ("2",)]
    engine.execute("SELECT pgsim.disable_text('odd ''\"%s')")


@pytest.mark.parametrize("backend", ["pg_textsearch"])
def test_keys_of_two_columns(engine: psycopg.Connection, backend: str) -> None:
    engine.execute("""
        CREATE TABLE pair ("K 1" text, "k%2" int, body text, PRIMARY KEY ("K 1", "k%2"));
        INSERT INTO pair VALUES ('x', 1, 'fox'), ('x', 2, 'fox dog'), ('y', 1, 'dog');
        SELECT pgsim.create_collection('pair', text_columns => '{body}', text_config => 'simple');
    """)
    engine.execute(f"SELECT pgsim.enable_text('pair', backend => '{backend}')".encode())
    rows = engine.execute("SELECT key::jsonb FROM pgsim.search('pair', text_query => 'fox')").fetchall()
    assert rows == [({"K 1": "x", "k%2": 1},), ({"K 1": "x", "k%2": 2},)]


@pytest.mark.parametrize(
    ("key_type", "keys"),
    [
        ("text", ["A b", "a", "b'%", 'c","{\\']),
        ("varchar(9)", ["A b", "a", "b'%"]),
        ("uuid", [f"00000000-0000-0000-0000-00000000000{i}" for i in range(3)]),
        ("mood", ["glad", "sad", "so so"]),
        ("short", ["1", "2", "9"]),
        ("timestamptz", [f"2024-05-0{i} 10:00:00+00" for i in range(1, 4)]),
    ],
)
def test_keys_of_other_types(engine: psycopg.Connection, backend: str, key_type: str, keys: list[str]) -> None:
    engine.execute("CREATE TYPE mood AS ENUM ('glad', 'sad', 'so so'); CREATE DOMAIN short AS smallint")
    engine.execute(f"SET LOCAL timezone = 'UTC'; CREATE TABLE book (id {key_type} PRIMARY KEY, body text)".encode())
    with engine.cursor() as cursor:
        cursor.executemany("INSERT INTO book VALUES (%s, 'fox dog')", [[key] for key in keys])
    engine.execute("SELECT pgsim.create_collection('book', text_columns => '{body}', text_config => 'simple')")
    engine.execute(f"SELECT pgsim.enable_text('book', backend => '{backend}')".encode())
    assert search(engine, "fox").keys == keys
    assert search(engine, "fox", predicate="body <> ''").keys == keys
    first = sql.SQL("id = {}").format(sql.Literal(keys[0])).as_string(engine)
    assert search(engine, "fox", predicate=first).keys == keys[:1]


# Who passes a filter or a policy is for PostgreSQL to say.


@pytest.mark.parametrize(
    "predicate",
    [
        "NOT starts_with(shelf, 's1')",
        "shelf IS DISTINCT FROM 's1'",
        "(starts_with(shelf, 's1')) IS NOT TRUE",
        "random() < 2",
        "EXISTS (SELECT FROM other AS o WHERE o.book = id)",
        "id NOT IN (SELECT o.book FROM other AS o)",
        "shelf = 's7' OR EXISTS (SELECT FROM other AS o WHERE o.book = id)",
        "CASE WHEN pages > 3 THEN starts_with(shelf, 's1') END",
        "shelf = 's1' -- and more",
    ],
)
@pytest.mark.parametrize("k", [5, 2000])
def test_a_filter_means_what_it_means_in_postgresql(
    engine: psycopg.Connection, backend: str, predicate: str, k: int
) -> None:
    create(engine, ROWS[:600], f"'book', backend => '{backend}'")
    engine.execute("""
        UPDATE book SET shelf = NULL WHERE id % 3 = 0;
        UPDATE book SET pages = id % 7 WHERE id % 2 = 0;
        CREATE TABLE other AS SELECT id AS book FROM book WHERE id % 5 = 0;
        ANALYZE book, other;
    """)
    truth = engine.execute(f"SELECT id FROM book WHERE ({predicate}\n) AND concat(title, body) ~ 'owl'".encode())
    passing = {str(key) for (key,) in truth}
    answer = search(engine, "owl", k, predicate=predicate)
    assert set(answer.keys) <= passing
    assert len(answer.keys) == min(k, len(passing))


# Row-level security and grants are the base table's.


@pytest.fixture
def secured(engine: psycopg.Connection, backend: str) -> psycopg.Connection:
    """The role ``reader`` sees rows of one shelf, ``stranger`` none."""
    engine.execute("CREATE ROLE keeper; CREATE ROLE reader; CREATE ROLE stranger")
    rows = [(i, "mine" if i % 40 == 0 else "theirs", "fox", f"word{i} " + "dog " * (i % 5)) for i in range(1, 801)]
    create(engine, rows, f"'book', backend => '{backend}'")
    engine.execute("""
        ALTER TABLE book OWNER TO keeper;
        GRANT SELECT ON book TO reader;
        ALTER TABLE book ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON book TO reader USING (shelf = 'mine');
        SELECT pgsim.sync_privileges('book');
        ANALYZE book;
    """)
    return engine


def test_a_reader_gets_only_rows_it_may_see_and_all_of_them(secured: psycopg.Connection) -> None:
    expected = {key: score for key, score in bm25(counts(secured), ["fox"]).items() if int(key) % 40 == 0}
    secured.execute("SET LOCAL ROLE reader")
    _same(search(secured, "fox", 50), best(expected, 50))
    assert search(secured, "word41").keys == []
    assert search(secured, "word80").keys == ["80"]
    secured.execute("RESET ROLE; ALTER TABLE book DISABLE ROW LEVEL SECURITY; SET LOCAL ROLE reader")
    assert search(secured, "word41").keys == ["41"]


def test_who_may_not_read_the_table_may_not_search_it(secured: psycopg.Connection) -> None:
    secured.execute("SET LOCAL ROLE stranger")
    _refused(secured, "SELECT * FROM pgsim.search('book', text_query => 'fox')", "PS032")


def test_who_may_not_use_the_extensions_schema_is_told(secured: psycopg.Connection, backend: str) -> None:
    secured.execute(
        sql.SQL("REVOKE USAGE ON SCHEMA {} FROM PUBLIC; SET LOCAL ROLE reader").format(sql.Identifier(ENGINES[backend]))
    )
    with pytest.raises(psycopg.DatabaseError) as raised:
        secured.execute("SELECT * FROM pgsim.search('book', text_query => 'fox')")
    # A session that has loaded pg_search looks into that schema whatever it plans, and fails there.
    assert raised.value.sqlstate in {"pg_textsearch": ["PS032"], "pg_search": ["PS032", "42501"]}[backend]
    assert ENGINES[backend] in str(raised.value)


def test_a_policy_that_a_null_does_not_fulfil_hides_the_row(secured: psycopg.Connection) -> None:
    secured.execute("""
        UPDATE book SET shelf = NULL WHERE id % 3 = 0;
        DROP POLICY own ON book;
        CREATE POLICY own ON book TO reader USING (NOT starts_with(shelf, 'theirs'));
        SET LOCAL ROLE reader;
    """)
    expected = {str(i) for i in range(1, 801) if i % 40 == 0 and i % 3}
    assert set(search(secured, "fox", 800).keys) == expected
    assert set(search(secured, "fox", 800, predicate="id < 300").keys) == {key for key in expected if int(key) < 300}


def test_a_policy_that_asks_other_tables_is_kept_or_refused(secured: psycopg.Connection, backend: str) -> None:
    secured.execute("""
        CREATE TABLE granted AS SELECT 80 AS book;
        GRANT SELECT ON granted TO reader;
        DROP POLICY own ON book;
        CREATE POLICY own ON book TO reader USING (EXISTS (SELECT FROM granted AS g WHERE g.book = id));
        SET LOCAL ROLE reader;
    """)
    if backend == "pg_search":
        told = _refused(secured, "SELECT * FROM pgsim.search('book', text_query => 'fox')", "PS035")
        assert "policies" in told
    else:
        assert search(secured, "fox").keys == ["80"]


def test_a_writer_needs_no_more_than_the_table(secured: psycopg.Connection) -> None:
    secured.execute("""
        CREATE ROLE writer;
        GRANT INSERT, UPDATE, SELECT ON book TO writer;
        CREATE POLICY whole ON book TO writer USING (true);
        SET LOCAL ROLE writer;
        INSERT INTO book VALUES (9001, 'mine', 'brandnew', 'word');
        UPDATE book SET body = 'renewed' WHERE id = 2;
    """)
    assert search(secured, "brandnew").keys == ["9001"]
    assert search(secured, "renewed").keys == ["2"]


# What pg_search alone asks for.


@pytest.mark.parametrize("backend", ["pg_search"])
@pytest.mark.parametrize(
    ("table", "state", "said"),
    [
        ("TABLE book (id int, part int, body text, PRIMARY KEY (id, part))", "PS010", "one column"),
        ('TABLE book ("i.d" int PRIMARY KEY, body text)', "PS010", "dot"),
        ("UNLOGGED TABLE book (id int PRIMARY KEY, body text)", "PS010", "unlogged"),
        ("TABLE book (id bytea PRIMARY KEY, body text)", "PS010", "bytea"),
        (
            "TABLE book (id int PRIMARY KEY, body text); CREATE INDEX theirs ON book USING bm25 (id, body) "
            "WITH (key_field = 'id')",
            "PS020",
            "theirs",
        ),
    ],
)
def test_a_table_that_pg_search_does_not_index_is_refused(
    engine: psycopg.Connection, backend: str, table: str, state: str, said: str
) -> None:
    engine.execute(f"CREATE {table}".encode())
    engine.execute("SELECT pgsim.create_collection('book', text_columns => '{body}')")
    assert said in _refused(engine, f"SELECT pgsim.enable_text('book', backend => '{backend}')", state)


@pytest.mark.parametrize("backend", ["pg_search"])
def test_settings_of_the_session_do_not_change_an_answer(books: psycopg.Connection) -> None:
    expected = search(books, "dog owl", 30)
    books.execute("SET LOCAL paradedb.enable_custom_scan = off; SET LOCAL plan_cache_mode = force_generic_plan")
    assert search(books, "dog owl", 30) == expected
    assert books.execute("SHOW paradedb.enable_custom_scan").fetchall() == [("off",)]


@pytest.mark.parametrize("backend", ["pg_search"])
def test_words_are_those_of_the_text_search_configuration(engine: psycopg.Connection, backend: str) -> None:
    engine.execute("""
        CREATE TABLE book (id int PRIMARY KEY, body text);
        SELECT pgsim.create_collection('book', text_columns => '{body}', text_config => 'english');
    """)
    long_word = "x" * 400
    url = "http://example.com/a?b=c"
    rows = ["The foxes are running", "a fox", f"{url} {long_word}", "Caf\u00e9 \U0001f98a", "fox " * 30000]
    with engine.cursor() as cursor:
        cursor.executemany("INSERT INTO book VALUES (%s, %s)", list(enumerate(rows, 1)))
    engine.execute(f"SELECT pgsim.enable_text('book', backend => '{backend}')".encode())
    assert set(search(engine, "Fox").keys) == {"1", "2", "5"}
    assert search(engine, "runs").keys == ["1"]
    assert search(engine, "the are").keys == []
    assert search(engine, long_word).keys == ["3"]
    assert search(engine, url).keys == ["3"]
    assert search(engine, "caf\u00e9").keys == ["4"]
    assert search(engine, " ".join(f"w{i}" for i in range(9000)) + " running").keys == ["1"]
