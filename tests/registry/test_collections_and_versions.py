"""Registering a table, giving its rows vectors, and finding them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import psycopg


def keys(connection: psycopg.Connection, collection: str, vector: str = "[1,0,0]", **arguments: object) -> list[str]:
    named = "".join(f", {name} => %({name})s" for name in arguments)
    rows = connection.execute(
        f"SELECT key FROM pgsim.search(%(c)s, %(v)s{named})", {"c": collection, "v": vector, **arguments}
    )
    return [row[0] for row in rows]


def test_a_table_becomes_searchable_in_four_calls(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE documents (id int PRIMARY KEY, title text)")
    connection.execute("INSERT INTO documents VALUES (1, 'Chess'), (2, 'Go')")

    assert connection.execute("SELECT pgsim.create_collection('documents')").fetchone() == ("documents",)
    assert connection.execute("SELECT pgsim.create_model('toy', dim => 3)").fetchone() == ("toy",)
    connection.execute("SELECT pgsim.create_version('documents', 'toy')")
    stored = connection.execute(
        "SELECT pgsim.upsert('documents', 'toy', '{1,2}', ARRAY['[1,0,0]', '[0,1,0]']::vector[])"
    ).fetchone()

    assert stored == (2,)
    assert keys(connection, "documents", "[0,1,0]", k=1) == ["2"]


def test_registering_leaves_the_table_as_it_is(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE documents (id int PRIMARY KEY, title text)")
    connection.execute("SELECT pgsim.create_collection('documents', text_columns => '{title}')")

    assert connection.execute("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'documents'::regclass").fetchone() == (
        0,
    )
    assert connection.execute("SELECT name, relation::text, key_columns FROM pgsim.collections").fetchone() == (
        "documents",
        "documents",
        ["id"],
    )


def test_the_first_version_is_active_and_later_ones_are_building(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.create_model('new', 4), pgsim.create_version('documents', 'new')")

    states = documents.execute("SELECT model, state FROM pgsim.versions ORDER BY id").fetchall()
    assert states == [("toy", "active"), ("new", "building")]
    assert documents.execute("SELECT active_model FROM pgsim.embeddings").fetchone() == ("toy",)


def test_an_upsert_replaces_what_a_key_had(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.upsert('documents', 'toy', '{1}', ARRAY['[1,0,0]']::vector[])")
    documents.execute("SELECT pgsim.upsert('documents', 'toy', '{1}', ARRAY['[0,1,0]']::vector[])")

    found = documents.execute("SELECT key, distance FROM pgsim.search('documents', '[0,1,0]')").fetchall()
    assert found == [("1", 0.0)]


def test_an_empty_upsert_stores_nothing(documents: psycopg.Connection) -> None:
    assert documents.execute("SELECT pgsim.upsert('documents', 'toy', '{}', '{}')").fetchone() == (0,)


def test_an_upsert_may_leave_out_rows_that_were_deleted_meanwhile(documents: psycopg.Connection) -> None:
    stored = documents.execute(
        "SELECT pgsim.upsert('documents', 'toy', '{1,99}', ARRAY['[1,0,0]', '[0,1,0]']::vector[], skip_absent => true)"
    ).fetchone()
    assert stored == (1,)


def test_an_upsert_notes_the_hash_of_the_text_that_was_embedded(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.upsert('documents', 'toy', '{1}', ARRAY['[1,0,0]']::vector[])")

    relation = documents.execute("SELECT relation::text FROM pgsim.versions").fetchone()
    assert relation is not None
    noted = documents.execute(
        f"SELECT source_hash = sha256(convert_to(E'title 1\nbody 1', 'UTF8')), provisional FROM {relation[0]}"
    ).fetchone()
    assert noted == (True, False)


def test_vectors_go_with_their_rows_and_move_with_their_keys(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.upsert('documents', 'toy', '{1,2}', ARRAY['[1,0,0]', '[0,1,0]']::vector[])")
    documents.execute("DELETE FROM documents WHERE id = 1")
    documents.execute("UPDATE documents SET id = 20 WHERE id = 2")

    assert keys(documents, "documents") == ["20"]


def test_a_column_of_vectors_is_adopted_where_it_stands(documents: psycopg.Connection) -> None:
    documents.execute("UPDATE documents SET embedding = ARRAY[id, 1, 0]::vector")
    documents.execute("SELECT pgsim.create_model('own', 3)")
    documents.execute("SELECT pgsim.create_version('documents', 'own', column_name => 'embedding')")

    assert keys(documents, "documents", "[1,0,0]", model="own", k=2) == ["5", "4"]
    documents.execute("SELECT pgsim.upsert('documents', 'own', '{1}', ARRAY['[9,0,0]']::vector[])")
    assert documents.execute("SELECT embedding::text FROM documents WHERE id = 1").fetchone() == ("[9,0,0]",)


def test_an_embedding_of_its_own_has_its_own_columns_and_versions(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.create_embedding('documents', 'title', '{title}')")
    documents.execute("SELECT pgsim.create_version('documents', 'toy', 'title')")
    documents.execute("SELECT pgsim.upsert('documents', 'toy', '{3}', ARRAY['[1,0,0]']::vector[], 'title')")

    assert keys(documents, "documents") == []
    assert keys(documents, "documents", embedding="title") == ["3"]


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip", "l1"])
@pytest.mark.parametrize("element", ["vector", "halfvec"])
def test_every_metric_and_element_stores_and_finds(connection: psycopg.Connection, metric: str, element: str) -> None:
    connection.execute("CREATE TABLE documents (id int PRIMARY KEY); INSERT INTO documents VALUES (1), (2)")
    connection.execute("SELECT pgsim.create_collection('documents')")
    connection.execute("SELECT pgsim.create_model('m', 3, metric => %s, element => %s)", [metric, element])
    connection.execute("SELECT pgsim.create_version('documents', 'm')")
    connection.execute("SELECT pgsim.upsert('documents', 'm', '{1,2}', ARRAY['[1,0,0]', '[0,1,0]']::vector[])")

    assert keys(connection, "documents", "[0,1,0]", mode="exact") == ["2", "1"]


def test_an_unlogged_table_has_unlogged_vectors(connection: psycopg.Connection) -> None:
    connection.execute("CREATE UNLOGGED TABLE documents (id int PRIMARY KEY)")
    connection.execute("SELECT pgsim.create_collection('documents'), pgsim.create_model('toy', 3)")
    connection.execute("SELECT pgsim.create_version('documents', 'toy')")
    connection.execute("INSERT INTO documents VALUES (1)")
    assert connection.execute(
        "SELECT pgsim.upsert('documents', 'toy', '{1}', ARRAY['[1,0,0]']::vector[])"
    ).fetchone() == (1,)


def test_rows_that_were_there_before_are_queued_on_request(documents: psycopg.Connection) -> None:
    assert documents.execute("SELECT pgsim.enqueue_missing('documents')").fetchone() == (5,)
    assert documents.execute("SELECT pgsim.enqueue_missing('documents')").fetchone() == (0,)
    assert documents.execute("SELECT pending FROM pgsim.backfill_progress").fetchone() == (5,)


def test_rows_without_text_are_not_queued(documents: psycopg.Connection) -> None:
    documents.execute("UPDATE documents SET title = '', body = E'\\n\\t ' WHERE id = 1")
    documents.execute("UPDATE documents SET title = NULL, body = NULL WHERE id = 2")
    documents.execute("DELETE FROM pgsim._queue")
    assert documents.execute("SELECT pgsim.enqueue_missing('documents')").fetchone() == (3,)


def test_a_vector_made_from_another_text_counts_as_missing(documents: psycopg.Connection) -> None:
    all_keys = [str(i) for i in range(1, 6)]
    documents.execute("SELECT pgsim.upsert('documents', 'toy', %s, array_fill('[1,0,0]'::vector, '{5}'))", [all_keys])
    assert documents.execute("SELECT pgsim.enqueue_missing('documents')").fetchone() == (0,)

    documents.execute("ALTER TABLE documents DISABLE TRIGGER USER")
    documents.execute("UPDATE documents SET title = 'changed behind the triggers' WHERE id = 4")
    documents.execute("ALTER TABLE documents ENABLE TRIGGER USER")

    assert documents.execute("SELECT pgsim.enqueue_missing('documents')").fetchone() == (1,)
    assert documents.execute("SELECT keys FROM pgsim._queue").fetchone() == (["4"],)


def test_dropping_a_version_drops_its_table_and_leaves_the_others(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.create_model('new', 4), pgsim.create_version('documents', 'new')")
    documents.execute("SELECT pgsim.drop_version('documents', 'new')")

    assert documents.execute("SELECT model FROM pgsim.versions").fetchall() == [("toy",)]
    assert documents.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'pgsim_data'").fetchone() == (1,)
    documents.execute("SELECT pgsim.drop_model('new')")
    assert documents.execute("SELECT name FROM pgsim.models").fetchall() == [("toy",)]


def test_dropping_an_adopted_version_keeps_the_column_and_its_own_indexes(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.create_model('own', 3)")
    documents.execute("SELECT pgsim.create_version('documents', 'own', column_name => 'embedding')")
    documents.execute("CREATE INDEX mine ON documents USING hnsw (embedding vector_cosine_ops)")
    index = documents.execute("SELECT pgsim.create_index('documents', 'own')::text").fetchone()
    assert index is not None
    documents.execute(f"ALTER INDEX {index[0]} RENAME TO renamed")

    documents.execute("SELECT pgsim.drop_version('documents', 'own')")

    left = documents.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'documents' ORDER BY 1").fetchall()
    assert left == [("documents_pkey",), ("mine",)]
    documents.execute("SELECT embedding FROM documents")


def test_dropping_an_embedding_drops_its_versions(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.create_embedding('documents', 'title', '{title}')")
    documents.execute("SELECT pgsim.create_version('documents', 'toy', 'title')")
    documents.execute("SELECT pgsim.drop_embedding('documents', 'title')")

    assert documents.execute("SELECT name FROM pgsim.embeddings").fetchall() == [("default",)]
    assert documents.execute("SELECT embedding FROM pgsim.versions").fetchall() == [("default",)]


def test_dropping_a_collection_leaves_the_table_as_it_was(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.create_model('own', 3)")
    documents.execute("SELECT pgsim.create_version('documents', 'own', column_name => 'embedding')")
    documents.execute("SELECT pgsim.create_index('documents', 'own')")
    documents.execute("SELECT pgsim.enqueue_missing('documents')")

    documents.execute("SELECT pgsim.drop_collection('documents')")

    left = documents.execute("""
        SELECT (SELECT count(*) FROM pgsim._collection) + (SELECT count(*) FROM pgsim._embedding)
             + (SELECT count(*) FROM pgsim._version) + (SELECT count(*) FROM pgsim._index)
             + (SELECT count(*) FROM pgsim._queue),
               (SELECT count(*) FROM pg_class WHERE relnamespace = 'pgsim_data'::regnamespace),
               (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'documents'::regclass),
               (SELECT count(*) FROM pg_index WHERE indrelid = 'documents'::regclass),
               (SELECT count(*) FROM documents)
    """).fetchone()
    assert left == (0, 0, 0, 1, 5)


def test_a_collection_whose_table_was_dropped_can_be_forgotten(documents: psycopg.Connection) -> None:
    documents.execute("DROP TABLE documents CASCADE")

    problems = documents.execute("SELECT problem, hint FROM pgsim.check()").fetchall()
    assert problems == [("its table was dropped", "SELECT pgsim.drop_collection('documents')")]
    documents.execute("SELECT pgsim.drop_collection('documents')")
    assert documents.execute(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgsim_data'::regnamespace"
    ).fetchone() == (0,)


def test_collections_whose_names_read_alike_have_tables_of_their_own(connection: psycopg.Connection) -> None:
    connection.execute("SELECT pgsim.create_model('toy', 3)")
    names = ["my docs", "my-docs", "My_Docs", "文書", "文献", "d" * 200, "d" * 199 + "e"]
    for number, name in enumerate(names):
        connection.execute(f"CREATE TABLE t{number} (id int PRIMARY KEY)")
        connection.execute("SELECT pgsim.create_collection(%s::regclass, %s)", [f"t{number}", name])
        connection.execute("SELECT pgsim.create_version(%s, 'toy')", [name])
        connection.execute(f"INSERT INTO t{number} VALUES ({number})")
        connection.execute("SELECT pgsim.upsert(%s, 'toy', %s, ARRAY['[1,0,0]']::vector[])", [name, [str(number)]])

    assert [keys(connection, name) for name in names] == [[str(number)] for number in range(len(names))]


def test_many_models_of_long_names_live_side_by_side(documents: psycopg.Connection) -> None:
    for ending in "abc":
        documents.execute("SELECT pgsim.create_model(%s, 3)", ["m" * 199 + ending])
        documents.execute("SELECT pgsim.create_version('documents', %s)", ["m" * 199 + ending])
    assert documents.execute("SELECT count(DISTINCT relation) FROM pgsim.versions").fetchone() == (4,)
