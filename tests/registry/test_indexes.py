"""Vector indexes of a version, and the searches that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg


def make(connection: psycopg.Connection, *, adopted: bool, metric: str = "cosine", element: str = "vector") -> None:
    connection.execute("CREATE TABLE documents (id int PRIMARY KEY, section text)")
    connection.execute(f"ALTER TABLE documents ADD embedding {element}(8)")
    connection.execute(
        "INSERT INTO documents "
        "SELECT i, CASE WHEN i % 4 = 0 THEN 'games' ELSE 'net' END FROM generate_series(1, 300) AS i"
    )
    connection.execute("SELECT pgsim.create_collection('documents', filter_columns => '{section}')")
    connection.execute("SELECT pgsim.create_model('toy', 8, %s, %s, '{4}')", [metric, element])
    connection.execute(
        "SELECT pgsim.create_version('documents', 'toy', column_name => %s)", ["embedding" if adopted else None]
    )
    connection.execute("""
        SELECT setseed(.5);
        SELECT pgsim.upsert('documents', 'toy', array_agg(i::text), array_agg(ARRAY[
            random(), random(), random(), random(), random(), random(), random(), random()]::float8[]::vector))
        FROM generate_series(1, 300) AS i
    """)


QUERY = "[.5,.1,.9,.2,.3,.4,.8,.6]"


KINDS = [
    ("cosine", "vector", "vector", 8),
    ("cosine", "vector", "halfvec", 8),
    ("cosine", "vector", "halfvec", 4),
    ("l2", "vector", "vector", 4),
    ("ip", "halfvec", "halfvec", 8),
    ("ip", "halfvec", "vector", 4),
    ("l1", "vector", "halfvec", 8),
]


@pytest.mark.parametrize("adopted", [False, True], ids=["own table", "adopted"])
@pytest.mark.parametrize(
    ("method", "metric", "stored", "element", "dims"),
    [("hnsw", *kind) for kind in KINDS] + [("ivfflat", *kind) for kind in KINDS if kind[0] != "l1"],
)
def test_a_search_uses_the_index_made_for_it(
    connection: psycopg.Connection, *, adopted: bool, method: str, metric: str, stored: str, element: str, dims: int
) -> None:
    make(connection, adopted=adopted, metric=metric, element=stored)
    index = connection.execute(
        "SELECT pgsim.create_index('documents', 'toy', dims => %s, element => %s, method => %s)::text",
        [dims, element, method],
    ).fetchone()
    assert index is not None
    connection.execute("SET LOCAL enable_seqscan = off")

    explained = connection.execute(
        "SELECT pgsim.explain_search('documents', %s, k => 5, mode => 'ann', dims => %s)",
        [QUERY, [dims, 8] if dims < 8 else [8]],
    ).fetchone()

    assert explained is not None
    assert set(explained[0]["index"]) == {index[0].removeprefix("pgsim_data.")}
    listed = connection.execute(
        "SELECT method, dims, element, valid, bytes > 0 FROM pgsim.indexes WHERE method <> 'codes'"
    ).fetchall()
    assert listed == [(method, dims, element, True, True)]
    assert connection.execute("SELECT * FROM pgsim.check()").fetchall() == []


def test_options_reach_the_index(connection: psycopg.Connection) -> None:
    make(connection, adopted=False)
    connection.execute(
        """SELECT pgsim.create_index('documents', 'toy', options => '{"m": 8, "ef_construction": 40}')"""
    )
    connection.execute(
        """SELECT pgsim.create_index('documents', NULL, method => 'ivfflat', options => '{"lists": 5.0}')"""
    )
    connection.execute("SELECT pgsim.create_index('documents', NULL, method => 'ivfflat')")
    options = connection.execute(
        "SELECT c.reloptions FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam "
        "WHERE c.relnamespace = 'pgsim_data'::regnamespace AND a.amname IN ('hnsw', 'ivfflat') ORDER BY c.oid"
    ).fetchall()
    assert options == [(["ef_construction=40", "m=8"],), (["lists=5"],), (["lists=10"],)]


def test_a_partial_index_holds_the_rows_of_its_filter(connection: psycopg.Connection) -> None:
    make(connection, adopted=True)
    index = connection.execute(
        """SELECT pgsim.create_index('documents', 'toy', where_filter => '{"section": "it''s; a \\"game\\""}')::oid"""
    ).fetchone()
    assert index is not None
    definition = connection.execute("SELECT pg_get_indexdef(%s)", index).fetchone()
    assert definition is not None
    assert definition[0].endswith("""WHERE (section = 'it''s; a "game"'::text)""")


def test_a_partial_index_answers_searches_with_its_filter(connection: psycopg.Connection) -> None:
    make(connection, adopted=True)
    connection.execute("""SELECT pgsim.create_index('documents', 'toy', where_filter => '{"section": "games"}')""")
    connection.execute("SET LOCAL enable_seqscan = off")
    hits = [
        connection.execute(
            """SELECT key FROM pgsim.search('documents', %s, filter => '{"section": "games"}', mode => %s)""",
            [QUERY, mode],
        ).fetchall()
        for mode in ("ann", "exact")
    ]
    assert hits[0] == hits[1]


def test_indexes_of_one_kind_get_names_of_their_own(connection: psycopg.Connection) -> None:
    make(connection, adopted=True)
    for _ in range(3):
        connection.execute("SELECT pgsim.create_index('documents', 'toy')")
    names = connection.execute("SELECT name FROM pgsim.indexes WHERE method = 'hnsw' ORDER BY name").fetchall()
    assert names == [("documents_embedding_hnsw",), ("documents_embedding_hnsw_2",), ("documents_embedding_hnsw_3",)]


def test_an_index_can_be_dropped(connection: psycopg.Connection) -> None:
    make(connection, adopted=False)
    index = connection.execute("SELECT pgsim.create_index('documents', 'toy')::text").fetchone()
    assert index is not None
    connection.execute("SELECT pgsim.drop_index(%s::regclass)", index)
    assert connection.execute("SELECT count(*) FROM pgsim.indexes WHERE method = 'hnsw'").fetchone() == (0,)
    assert connection.execute("SELECT to_regclass(%s)", index).fetchone() == (None,)


def test_only_indexes_that_pgsim_made_are_dropped(
    documents: psycopg.Connection, refused: Callable[..., Exception]
) -> None:
    error = refused("PS008", "SELECT pgsim.drop_index('documents_pkey')")
    assert "documents_pkey" in str(error)


def test_an_index_that_was_dropped_by_hand_is_reported(connection: psycopg.Connection) -> None:
    make(connection, adopted=True)
    connection.execute("SELECT pgsim.create_index('documents', 'toy')")
    connection.execute("DROP INDEX documents_embedding_hnsw")
    assert connection.execute("SELECT valid FROM pgsim.indexes WHERE method = 'hnsw'").fetchone() == (False,)
    assert connection.execute("SELECT severity, problem FROM pgsim.check()").fetchall() == [
        ("error", "index documents_embedding_hnsw is gone")
    ]


def test_wide_vectors_are_indexed_in_half_precision_or_on_a_prefix(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE documents (id int PRIMARY KEY)")
    connection.execute("SELECT pgsim.create_collection('documents')")
    connection.execute("SELECT pgsim.create_model('wide', 3072, matryoshka => '{256}')")
    connection.execute("SELECT pgsim.create_version('documents', 'wide')")
    connection.execute("SELECT pgsim.create_index('documents', 'wide', element => 'halfvec')")
    connection.execute("SELECT pgsim.create_index('documents', 'wide', dims => 256)")
    assert connection.execute("SELECT dims, element FROM pgsim.indexes ORDER BY dims").fetchall() == [
        (256, "vector"),
        (3072, "halfvec"),
    ]
