"""What is wrong is refused by name, with what is allowed and what to do, and nothing has changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.server import Server

    from pgsim import errors

    Refused = Callable[..., errors.PgsimError]

UPSERT = "SELECT pgsim.upsert('documents', 'toy', %s, %s::text[]::vector[])"

EVERYTHING = """
CREATE TABLE documents (id int PRIMARY KEY, title text, body text, size int, embedding vector(3), unsized vector);
INSERT INTO documents SELECT i, 'title ' || i, 'body ' || i, i * 10 FROM generate_series(1, 5) AS i;
SELECT pgsim.create_collection('documents', text_columns => '{title,body}');
SELECT pgsim.create_model('toy', 3, matryoshka => '{2}'), pgsim.create_version('documents', 'toy');
SELECT pgsim.create_embedding('documents', 'images', '{}');
SELECT pgsim.create_version('documents', 'toy', 'images');
SELECT pgsim.create_model('own', 3), pgsim.create_version('documents', 'own', column_name => 'embedding');
SELECT pgsim.create_model('half', 3, element => 'halfvec'), pgsim.create_version('documents', 'half');
SELECT pgsim.create_model('manhattan', 3, 'l1'), pgsim.create_version('documents', 'manhattan');
SELECT pgsim.create_model('wide', 2001), pgsim.create_version('documents', 'wide');
SELECT pgsim.create_model('wider', 4001), pgsim.create_version('documents', 'wider');
SELECT pgsim.create_model('three', 3), pgsim.create_model('four', 4);
SELECT pgsim.create_model('half three', 3, element => 'halfvec');

CREATE TABLE other (id int PRIMARY KEY, title text NOT NULL, nullable int UNIQUE, partial int NOT NULL,
                    late int NOT NULL UNIQUE DEFERRABLE);
CREATE UNIQUE INDEX ON other (partial) WHERE partial > 0;
CREATE TABLE no_key (id int NOT NULL);
CREATE TABLE late_key (id int PRIMARY KEY DEFERRABLE);
CREATE TYPE kind AS ENUM ('book'); CREATE DOMAIN some_kind AS kind; CREATE TABLE domain_key (id some_kind PRIMARY KEY);
CREATE TABLE vector_key (id vector(3) PRIMARY KEY);
CREATE VIEW a_view AS SELECT * FROM other;
CREATE MATERIALIZED VIEW a_materialized_view AS SELECT * FROM other;
CREATE TEMPORARY TABLE a_temporary_table (id int PRIMARY KEY);
CREATE TABLE a_parent (id int PRIMARY KEY);
CREATE TABLE a_child () INHERITS (a_parent);
CREATE TABLE a_root (id int PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE a_partition PARTITION OF a_root FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE a_foreign_table (id int) SERVER nowhere;
"""


@pytest.fixture(scope="module")
def prepared(server: Server, session_database: str) -> Iterator[psycopg.Connection]:
    """A connection inside a transaction that has one of each thing that can be wrong."""
    with psycopg.connect(server.dsn(session_database)) as connection:
        connection.execute(EVERYTHING)
        yield connection
        connection.rollback()


@pytest.fixture
def connection(prepared: psycopg.Connection) -> Iterator[psycopg.Connection]:
    with prepared.transaction(force_rollback=True):
        yield prepared


@pytest.mark.parametrize(("sqlstate", "call", "said"), [
    ("PS006", "create_collection(NULL)", "NULL"),
    ("PS006", "create_collection(999999999::regclass)", "dropped"),
    ("PS006", "create_collection('a_view')", "a view"),
    ("PS006", "create_collection('a_materialized_view')", "a materialized view"),
    ("PS006", "create_collection('documents_pkey')", "not a table"),
    ("PS006", "create_collection('a_temporary_table')", "a temporary table"),
    ("PS006", "create_collection('a_foreign_table')", "a foreign table"),
    ("PS006", "create_collection('a_partition')", "a partition of another table"),
    ("PS006", "create_collection('a_parent')", "inherit"),
    ("PS006", "create_collection('pg_catalog.pg_class')", "a table of the system"),
    ("PS006", "create_collection('pgsim._collection')", "a table of the system or of pgsim"),
    ("PS022", "create_collection('no_key')", "no primary key"),
    ("PS022", "create_collection('late_key')", "deferrable"),
    ("PS022", "create_collection('vector_key')", "vector"),
    ("PS022", "create_collection('domain_key')", "some_kind"),
    ("PS022", "create_collection('other', key_columns => '{}')", "{}"),
    ("PS022", "create_collection('other', key_columns => '{title}')", "{title}"),
    ("PS022", "create_collection('other', key_columns => '{nullable}')", "{nullable}"),
    ("PS022", "create_collection('other', key_columns => '{partial}')", "{partial}"),
    ("PS022", "create_collection('other', key_columns => '{late}')", "{late}"),
    ("PS022", "create_collection('other', key_columns => '{id,title}')", "{id,title}"),
    ("PS005", "create_collection('other', key_columns => '{nope}')", "'nope'"),
    ("PS005", "create_collection('other', key_columns => ARRAY[NULL])", "NULL"),
    ("PS005", "create_collection('other', text_columns => '{Title}')", "'Title'"),
    ("PS005", "create_collection('other', filter_columns => '{ctid}')", "'ctid'"),
    ("PS010", "create_collection('other', text_columns => '{title,title}')", "twice"),
    ("PS010", "create_collection('other', text_columns => '{{title}}')", "array of arrays"),
    ("PS010", "create_collection('other', text_config => NULL)", "text_config"),
    ("PS011", "create_collection('other', '')", "''"),
    ("PS011", "create_collection('other', ' x')", "' x'"),
    ("PS011", "create_collection('other', E'a\nb')", "a\nb"),
    ("PS011", "create_collection('other', repeat('x', 201))", "xxx"),
    ("PS020", "create_collection('documents')", "registered already"),
    ("PS020", "create_collection('other', 'documents')", "exists already"),
    ("PS011", "create_model(NULL, 3)", "NULL"),
    ("PS011", "create_model('', 3)", "''"),
    ("PS010", "create_model('m', NULL)", "dim is NULL"),
    ("PS010", "create_model('m', 0)", "dim is 0"),
    ("PS010", "create_model('m', -1)", "dim is -1"),
    ("PS010", "create_model('m', 16001)", "dim is 16001"),
    ("PS010", "create_model('m', 3, 'euclid')", "'euclid'"),
    ("PS010", "create_model('m', 3, NULL)", "metric is NULL"),
    ("PS010", "create_model('m', 3, element => 'bit')", "'bit'"),
    ("PS010", "create_model('m', 3, element => NULL)", "element is NULL"),
    ("PS010", "create_model('m', 3, matryoshka => '{4}')", "{4}"),
    ("PS010", "create_model('m', 3, matryoshka => '{0}')", "{0}"),
    ("PS010", "create_model('m', 3, matryoshka => '{2,1}')", "{2,1}"),
    ("PS010", "create_model('m', 3, matryoshka => '{1,1}')", "{1,1}"),
    ("PS010", "create_model('m', 3, matryoshka => '{NULL}')", "{NULL}"),
    ("PS010", "create_model('m', 3, matryoshka => '{{1,2}}')", "{{1,2}}"),
    ("PS010", "create_model('m', 3, layer => -1)", "-1"),
    ("PS010", "create_model('m', 3, properties => '[]')", "properties"),
    ("PS010", "create_model('m', 3, properties => NULL)", "properties"),
    ("PS020", "create_model('toy', 3)", "'toy' exists"),
    ("PS001", "create_embedding('nope', 'title', '{title}')", "'nope'"),
    ("PS001", "create_embedding(NULL, 'title', '{title}')", "NULL"),
    ("PS005", "create_embedding('documents', 'title', '{nope}')", "'nope'"),
    ("PS011", "create_embedding('documents', NULL, '{title}')", "NULL"),
    ("PS020", "create_embedding('documents', 'default', '{title}')", "'default'"),
    ("PS001", "create_version('nope', 'toy')", "'nope'"),
    ("PS002", "create_version('documents', 'nope')", "'nope'"),
    ("PS002", "create_version('documents', NULL)", "NULL"),
    ("PS003", "create_version('documents', 'toy', 'nope')", "'nope'"),
    ("PS003", "create_version('documents', 'toy', NULL)", "NULL"),
    ("PS020", "create_version('documents', 'toy')", "already"),
    ("PS005", "create_version('documents', 'four', column_name => 'nope')", "'nope'"),
    ("PS012", "create_version('documents', 'four', column_name => 'embedding')", "vector(3)"),
    ("PS012", "create_version('documents', 'half three', column_name => 'embedding')", "halfvec(3)"),
    ("PS012", "create_version('documents', 'three', column_name => 'unsized')", "vector"),
    ("PS012", "create_version('documents', 'three', column_name => 'title')", "text"),
    ("PS001", "create_index('nope', 'toy')", "'nope'"),
    ("PS002", "create_index('documents', 'nope')", "'nope'"),
    ("PS003", "create_index('documents', 'toy', 'nope')", "'nope'"),
    ("PS004", "create_index('documents', 'three')", "'three'"),
    ("PS010", "create_index('documents', 'toy', dims => 1)", "dims is 1"),
    ("PS010", "create_index('documents', 'toy', dims => 0)", "dims is 0"),
    ("PS010", "create_index('documents', 'toy', element => 'bits')", "'bits'"),
    ("PS010", "create_index('documents', 'toy', element => 'bit', method => 'ivfflat')", "by hnsw"),
    ("PS010", "create_index('documents', 'toy', method => 'btree')", "'btree'"),
    ("PS010", "create_index('documents', 'toy', method => NULL)", "NULL"),
    ("PS010", "create_index('documents', 'manhattan', method => 'ivfflat')", "l1"),
    ("PS010", "create_index('documents', 'wide')", "2000"),
    ("PS010", "create_index('documents', 'wider', element => 'halfvec')", "4000"),
    ("PS010", "create_index('documents', 'toy', options => '[]')", "options"),
    ("PS010", """create_index('documents', 'toy', options => '{"m": 1}')""", "2 to 100"),
    ("PS010", """create_index('documents', 'toy', options => '{"m": 8.5}')""", "8.5"),
    ("PS010", """create_index('documents', 'toy', options => '{"m": "16"}')""", '"16"'),
    ("PS010", """create_index('documents', 'toy', options => '{"m": null}')""", "null"),
    ("PS010", """create_index('documents', 'toy', options => '{"m": 1e400}')""", "2 to 100"),
    ("PS010", """create_index('documents', 'toy', options => '{"M": 16}')""", "'M'"),
    ("PS010", """create_index('documents', 'toy', options => '{"lists": 16}')""", "'lists'"),
    ("PS010", """create_index('documents', 'toy', options => '{"fillfactor = 10) ; --": 1}')""", "not known"),
    ("PS010", """create_index('documents', 'toy', options => '{"m": 40}')""", "twice"),
    ("PS010", """create_index('documents', 'toy', method => 'ivfflat', options => '{"lists": 0}')""", "1 to 32768"),
    ("PS010", """create_index('documents', 'toy', where_filter => '{"size": 1}')""", "partial index"),
    ("PS005", """create_index('documents', 'own', where_filter => '{"nope": 1}')""", "'nope'"),
    ("PS014", """create_index('documents', 'own', where_filter => '{"size": {"$nope": 1}}')""", "$nope"),
    ("PS015", """create_index('documents', 'own', where_filter => '{"size": "x"}')""", '"x"'),
    ("PS008", "drop_index(NULL)", "NULL"),
    ("PS008", "drop_index(999999999::regclass)", "999999999"),
    ("PS001", "drop_collection('nope')", "'nope'"),
    ("PS001", "drop_collection(NULL)", "NULL"),
    ("PS002", "drop_model('nope')", "'nope'"),
    ("PS021", "drop_model('toy')", "in use"),
    ("PS003", "drop_embedding('documents', 'nope')", "'nope'"),
    ("PS035", "drop_embedding('documents', 'default')", "default"),
    ("PS035", "drop_version('documents', 'toy')", "active"),
    ("PS002", "drop_version('documents', NULL)", "NULL"),
    ("PS004", "drop_version('documents', 'three')", "'three'"),
    ("PS001", "enqueue_missing('nope')", "'nope'"),
    ("PS035", "enqueue_missing('documents', 'toy', 'images')", "no source columns"),
    ("PS001", "sync_privileges('nope')", "'nope'"),
    ("PS001", "check('nope')", "'nope'"),
])  # fmt: skip
def test_a_call_that_cannot_be_right(
    connection: psycopg.Connection, refused: Refused, sqlstate: str, call: str, said: str
) -> None:
    assert said in str(refused(sqlstate, f"SELECT pgsim.{call}"))


@pytest.mark.parametrize(("sqlstate", "keys", "vectors", "said"), [
    ("PS012", ["1"], ["[1,0]"], "'1' has 2 dimensions; model 'toy' has 3"),
    ("PS012", ["1", "2"], ["[1,0,0]", "[1,0,0,0]"], "'2' has 4 dimensions"),
    ("PS013", ["1"], ["[0,0,0]"], "'1' is all zeros"),
    ("PS013", ["1"], [None], "'1' is NULL"),
    ("PS010", ["1", "2"], ["[1,0,0]"], "2 keys, 1 vectors"),
    ("PS010", None, ["[1,0,0]"], "NULL keys"),
    ("PS010", ["1"], None, "NULL vectors"),
    ("PS010", [["1"], ["2"]], ["[1,0,0]", "[1,0,0]"], "2 keys"),
    ("PS016", [None], ["[1,0,0]"], "a key is NULL"),
    ("PS016", ["1", "1"], ["[1,0,0]", "[1,0,0]"], "'1' is given 2 times"),
    ("PS016", ["1", "01"], ["[1,0,0]", "[1,0,0]"], "2 keys name 1 rows"),
    ("PS016", ["x"], ["[1,0,0]"], "id integer"),
    ("PS016", ["99999999999"], ["[1,0,0]"], "out of range"),
    ("PS016", ["1); DROP TABLE documents; --"], ["[1,0,0]"], "id integer"),
    ("PS007", ["77"], ["[1,0,0]"], "'77'"),
    ("PS007", ["1", "77", "88"], ["[1,0,0]", "[1,0,0]", "[1,0,0]"], "2 of 3 keys"),
])  # fmt: skip
@pytest.mark.parametrize("model", ["toy", "own"], ids=["own table", "adopted"])
def test_vectors_that_cannot_be_stored(
    connection: psycopg.Connection, refused: Refused, *, model: str, sqlstate: str, keys: Any, vectors: Any, said: str
) -> None:
    statement = UPSERT.replace("'toy'", f"'{model}'")
    assert said.replace("'toy'", f"'{model}'") in str(refused(sqlstate, statement, keys, vectors))
    assert connection.execute("SELECT count(embedding) FROM documents").fetchone() == (0,)
    assert connection.execute(
        "SELECT count(*) FROM pgsim.search('documents', '[1,0,0]', model => %s)", [model]
    ).fetchone() == (0,)


@pytest.mark.parametrize(("sqlstate", "call"), [
    ("PS001", "upsert('nope', 'toy', '{1}', ARRAY['[1,0,0]']::vector[])"),
    ("PS002", "upsert('documents', 'nope', '{1}', ARRAY['[1,0,0]']::vector[])"),
    ("PS002", "upsert('documents', NULL, '{1}', ARRAY['[1,0,0]']::vector[])"),
    ("PS003", "upsert('documents', 'toy', '{1}', ARRAY['[1,0,0]']::vector[], 'nope')"),
    ("PS004", "upsert('documents', 'three', '{1}', ARRAY['[1,0,0]']::vector[])"),
    ("PS010", "upsert('documents', 'toy', '{1}', ARRAY['[1,0,0]']::vector[], source_hashes => '{}')"),
])  # fmt: skip
def test_vectors_for_something_that_is_not_there(
    connection: psycopg.Connection, refused: Refused, sqlstate: str, call: str
) -> None:
    refused(sqlstate, f"SELECT pgsim.{call}")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e39"])
def test_numbers_that_are_not_finite_do_not_become_a_vector(connection: psycopg.Connection, value: str) -> None:
    with pytest.raises(psycopg.DataError):
        connection.execute(UPSERT, [["1"], [f"[{value},0,0]"]])


@pytest.mark.parametrize("vector", ["[65520,0,0]", "[0,-1e30,1]", "[1e-9,1e-9,0]"])
def test_numbers_that_half_precision_cannot_hold(connection: psycopg.Connection, refused: Refused, vector: str) -> None:
    error = refused("PS013", UPSERT.replace("'toy'", "'half'"), ["1"], [vector])
    assert "'1'" in error.message
    assert "half" in error.message


def test_the_largest_number_of_half_precision_is_stored(connection: psycopg.Connection) -> None:
    stored = connection.execute(UPSERT.replace("'toy'", "'half'"), [["1"], ["[65519,-65504,65504]"]]).fetchone()
    assert stored == (1,)


@pytest.mark.parametrize("key", [
    "", "1", "null", "[]", "{}", "{", '{"a": 1}', '{"a": 1, "b": "x", "c": 2}', '{"a": 1, "b": null}',
    '{"a": "x", "b": "x"}', '{"a": [1], "b": "x"}', '[{"a": 1, "b": "x"}]', "1,x", "(1,x)", '{"a": 1, "b": "x"} ;',
])  # fmt: skip
def test_composite_keys_that_are_not_an_object_of_the_keys_columns(
    connection: psycopg.Connection, refused: Refused, key: str
) -> None:
    connection.execute("CREATE TABLE pairs (a int, b text, PRIMARY KEY (a, b)); INSERT INTO pairs VALUES (1, 'x')")
    connection.execute("SELECT pgsim.create_collection('pairs')")
    connection.execute("SELECT pgsim.create_version('pairs', 'toy')")
    good = json.dumps({"a": 1, "b": "x"})
    error = refused("PS016", UPSERT.replace("documents", "pairs"), [good, key], ["[1,0,0]", "[1,0,0]"])
    assert "a integer, b text" in error.message


def test_a_column_is_adopted_once(connection: psycopg.Connection, refused: Refused) -> None:
    connection.execute("SELECT pgsim.create_embedding('documents', 'again', '{}')")
    error = refused("PS020", "SELECT pgsim.create_version('documents', 'three', 'again', 'embedding')")
    assert "adopted already" in error.message


def test_a_message_lists_what_there_is(connection: psycopg.Connection, refused: Refused) -> None:
    assert refused("PS001", "SELECT pgsim.create_version('Documents', 'toy')").detail == "Registered: 'documents'"
    assert "'toy'" in (refused("PS002", "SELECT pgsim.create_version('documents', 'tpy')").detail or "")
    assert "'toy' (active)" in (refused("PS004", "SELECT pgsim.create_index('documents', 'three')").detail or "")
    assert "title" in (refused("PS005", "SELECT pgsim.create_embedding('documents', 'e', '{titel}')").detail or "")


def test_a_version_table_that_was_dropped_by_hand_is_reported_and_forgotten(
    connection: psycopg.Connection, refused: Refused
) -> None:
    row = connection.execute(
        "SELECT relation::text FROM pgsim.versions WHERE model = 'toy' AND embedding = 'default'"
    ).fetchone()
    assert row is not None
    connection.execute(f"DROP TABLE {row[0]}")
    refused("PS006", UPSERT, ["1"], ["[1,0,0]"])
    refused("PS006", "SELECT pgsim.search('documents', '[1,0,0]')")
    problem = connection.execute("SELECT problem, hint FROM pgsim.check()").fetchone()
    assert problem == (
        "its version table was dropped",
        "SELECT pgsim.drop_version('documents', 'toy', 'default', force => true)",
    )
    connection.execute(problem[1])
    assert connection.execute("SELECT hint FROM pgsim.check()").fetchall() == [
        ("SELECT pgsim.activate('documents', 'own', 'default')",)
    ]
