"""What happens to the text of a row reaches the queue of each version, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import psycopg
    from conftest import Queued

UPSERTS = [("upsert", "6"), ("upsert", "7")]


@pytest.mark.parametrize("statement", [
    "INSERT INTO documents (id, title) VALUES (6, 'x'), (7, 'y')",
    "INSERT INTO documents (id, title) SELECT i, 'x' FROM generate_series(6, 7) AS i",
    "INSERT INTO documents (id, title) VALUES (6, 'x'); INSERT INTO documents (id, title) VALUES (7, 'x')",
    "WITH new AS (INSERT INTO documents (id, title) VALUES (6, 'x'), (7, 'y') RETURNING id) SELECT id FROM new",
])  # fmt: skip
def test_new_rows_are_queued(documents: psycopg.Connection, queued: Queued, statement: str) -> None:
    documents.execute(statement)
    assert queued() == UPSERTS


def test_copied_rows_are_queued(documents: psycopg.Connection, queued: Queued) -> None:
    with documents.cursor().copy("COPY documents (id, title) FROM STDIN") as copy:
        copy.write_row((6, "x"))
        copy.write_row((7, "y"))
    assert queued() == UPSERTS


def test_many_rows_are_queued_in_few_entries(documents: psycopg.Connection) -> None:
    documents.execute("INSERT INTO documents (id, title) SELECT i, 'x' FROM generate_series(6, 1005) AS i")
    assert documents.execute("SELECT count(*), sum(cardinality(keys)) FROM pgsim._queue").fetchone() == (1, 1000)


@pytest.mark.parametrize(("statement", "expected"), [
    ("UPDATE documents SET title = 'new' WHERE id < 3", [("upsert", "1"), ("upsert", "2")]),
    ("UPDATE documents SET body = NULL, size = 0 WHERE id = 1", [("upsert", "1")]),
    ("UPDATE documents SET title = title || '' WHERE id = 1", []),
    ("UPDATE documents SET title = 'title 1', body = 'body 1'::varchar WHERE id = 1", []),
    ("UPDATE documents SET size = size + 1, embedding = '[1,2,3]'", []),
    ("UPDATE documents SET id = 10 WHERE id = 1", [("upsert", "10")]),
    ("DELETE FROM documents WHERE id > 3", [("delete", "4"), ("delete", "5")]),
    ("DELETE FROM documents WHERE id = 1; INSERT INTO documents VALUES (1)", [("delete", "1"), ("upsert", "1")]),
    ("INSERT INTO documents VALUES (1, 'new'), (9, 'new') ON CONFLICT (id) DO NOTHING", [("upsert", "9")]),
])  # fmt: skip
def test_changes_of_the_text_are_queued_and_others_are_not(
    documents: psycopg.Connection, queued: Queued, statement: str, expected: list[tuple[str, str]]
) -> None:
    documents.execute(statement)
    assert queued() == expected


def test_an_upsert_queues_what_it_inserts_and_what_it_changes(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("""
        INSERT INTO documents (id, title, body) VALUES (1, 'title 1', 'body 1'), (2, 'new', 'body 2'), (9, 'new', '')
        ON CONFLICT (id) DO UPDATE SET title = excluded.title, body = excluded.body
    """)
    assert sorted(queued()) == [("upsert", "2"), ("upsert", "9")]


def test_a_merge_queues_each_of_its_actions(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("""
        MERGE INTO documents AS d
        USING (VALUES (1, 'title 1'), (2, 'new'), (3, NULL), (9, 'new')) AS s (id, title) ON d.id = s.id
        WHEN MATCHED AND s.title IS NULL THEN DELETE
        WHEN MATCHED THEN UPDATE SET title = s.title
        WHEN NOT MATCHED THEN INSERT (id, title) VALUES (s.id, s.title)
    """)
    assert sorted(queued()) == [("delete", "3"), ("upsert", "2"), ("upsert", "9")]


def test_an_update_of_other_columns_stays_heap_only(documents: psycopg.Connection) -> None:
    documents.execute("UPDATE documents SET size = size + 1")
    hot = documents.execute(
        "SELECT pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid) FROM pg_class "
        "WHERE oid = 'documents'::regclass"
    ).fetchone()
    assert hot == (5, 5)


def test_a_new_vector_leaves_the_base_row_as_it_is(documents: psycopg.Connection) -> None:
    before = documents.execute("SELECT ctid, xmin FROM documents WHERE id = 1").fetchone()
    documents.execute("SELECT pgsim.upsert('documents', 'toy', '{1}', ARRAY['[1,0,0]']::vector[])")
    assert documents.execute("SELECT ctid, xmin FROM documents WHERE id = 1").fetchone() == before


def test_what_is_rolled_back_is_not_queued(documents: psycopg.Connection, queued: Queued) -> None:
    with documents.transaction(force_rollback=True):
        documents.execute("INSERT INTO documents VALUES (6, 'x')")
    assert queued() == []


def test_long_texts_are_compared_as_they_read_not_as_they_are_stored(
    documents: psycopg.Connection, queued: Queued
) -> None:
    documents.execute("UPDATE documents SET body = repeat('long ', 100000) WHERE id = 1")
    assert queued() == [("upsert", "1")]
    documents.execute("UPDATE documents SET body = repeat('long ', 100000) WHERE id = 1")
    assert queued() == []


def test_texts_that_only_look_alike_are_different(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("UPDATE documents SET title = E'caf\\u00e9' WHERE id = 1")
    queued()
    documents.execute("UPDATE documents SET title = E'cafe\\u0301' WHERE id = 1")
    assert queued() == [("upsert", "1")]


def test_source_columns_of_types_without_equality_do_as_well(connection: psycopg.Connection, queued: Queued) -> None:
    connection.execute("""
        CREATE TABLE documents (id int PRIMARY KEY, data json, place point);
        SELECT pgsim.create_collection('documents', text_columns => '{data,place}');
        SELECT pgsim.create_model('toy', 3), pgsim.create_version('documents', 'toy');
        INSERT INTO documents VALUES (1, '{"a": 1}', '(1,2)');
        UPDATE documents SET data = '{"a": 1}', place = '(1,2)';
    """)
    assert queued() == [("upsert", "1")]
    connection.execute("UPDATE documents SET place = '(2,2)'")
    assert queued() == [("upsert", "1")]


@pytest.mark.parametrize("kind", ["STORED", "VIRTUAL"])
def test_a_generated_column_may_be_the_source(connection: psycopg.Connection, queued: Queued, kind: str) -> None:
    if kind == "VIRTUAL" and connection.info.server_version < 180000:
        pytest.skip("virtual columns come with PostgreSQL 18")
    connection.execute(f"""
        CREATE TABLE documents (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text, body text, size int,
                                whole text GENERATED ALWAYS AS (title || ': ' || body) {kind});
        SELECT pgsim.create_collection('documents', text_columns => '{{whole}}');
        SELECT pgsim.create_model('toy', 3), pgsim.create_version('documents', 'toy');
        INSERT INTO documents (title, body) VALUES ('a', 'b');
    """)
    assert queued() == [("upsert", "1")]
    connection.execute("UPDATE documents SET size = 1, title = 'a'")
    assert queued() == []
    connection.execute("UPDATE documents SET title = 'c'")
    assert queued() == [("upsert", "1")]
    connection.execute("SELECT pgsim.upsert('documents', 'toy', '{1}', ARRAY['[1,0,0]']::vector[])")
    assert connection.execute("SELECT pgsim.enqueue_missing('documents')").fetchone() == (0,)


def test_changes_that_come_through_a_foreign_key_are_captured(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("""
        CREATE TABLE shelves (id int PRIMARY KEY); INSERT INTO shelves VALUES (1), (2);
        ALTER TABLE documents ADD shelf int REFERENCES shelves ON DELETE CASCADE;
        UPDATE documents SET shelf = 1 WHERE id < 3;
        DELETE FROM shelves WHERE id = 1;
    """)
    assert queued() == [("delete", "1"), ("delete", "2")]


def test_changes_made_by_other_triggers_are_captured(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("""
        CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN NEW.title := upper(NEW.title); RETURN NEW; END';
        CREATE TRIGGER zzz BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION shout();
        UPDATE documents SET size = 0 WHERE id = 1;
    """)
    assert queued() == [("upsert", "1")]


def test_each_embedding_hears_of_its_own_columns(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("SELECT pgsim.create_embedding('documents', 'title', '{title}')")
    documents.execute("SELECT pgsim.create_version('documents', 'toy', 'title')")
    documents.execute("UPDATE documents SET body = 'new' WHERE id = 1")
    assert (queued(), queued(embedding="title")) == ([("upsert", "1")], [])
    documents.execute("UPDATE documents SET title = 'new' WHERE id = 1")
    assert (queued(), queued(embedding="title")) == ([("upsert", "1")], [("upsert", "1")])
    documents.execute("SELECT pgsim.drop_embedding('documents', 'title')")
    documents.execute("UPDATE documents SET title = 'newer' WHERE id = 1")
    assert queued() == [("upsert", "1")]


def test_each_live_version_hears_of_a_change(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("SELECT pgsim.create_model('new', 4), pgsim.create_version('documents', 'new')")
    documents.execute("INSERT INTO documents VALUES (6, 'x')")
    assert (queued(), queued(model="new")) == ([("upsert", "6")], [("upsert", "6")])

    documents.execute("UPDATE pgsim._version SET state = 'retired' WHERE state = 'active'")
    documents.execute("DELETE FROM documents WHERE id = 6")
    assert (queued(), queued(model="new")) == ([], [("delete", "6")])


def test_an_embedding_without_source_columns_is_left_alone(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE images (id int PRIMARY KEY); SELECT pgsim.create_collection('images');
        SELECT pgsim.create_model('toy', 3), pgsim.create_version('images', 'toy');
        INSERT INTO images VALUES (1);
    """)
    assert connection.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgsim%'").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM pgsim._queue").fetchone() == (0,)


def test_a_row_that_brings_its_vector_is_not_queued_for_the_adopted_column(
    documents: psycopg.Connection, queued: Queued
) -> None:
    documents.execute("SELECT pgsim.create_model('own', 3)")
    documents.execute("SELECT pgsim.create_version('documents', 'own', column_name => 'embedding')")
    documents.execute("INSERT INTO documents VALUES (6, 'x', '', 0, '[1,0,0]'), (7, 'y', '', 0, NULL)")
    assert (queued(), queued(model="own")) == (UPSERTS, [("upsert", "7")])

    documents.execute("UPDATE documents SET title = 'changed', embedding = '[0,1,0]' WHERE id = 6")
    assert (queued(), queued(model="own")) == ([("upsert", "6")], [])
    documents.execute("UPDATE documents SET title = 'changed again' WHERE id = 6")
    assert (queued(), queued(model="own")) == ([("upsert", "6")], [("upsert", "6")])
    documents.execute("UPDATE documents SET embedding = '[0,0,1]' WHERE id = 6")
    assert (queued(), queued(model="own")) == ([], [])


def test_a_restore_without_triggers_is_made_up_for(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("ALTER TABLE documents DISABLE TRIGGER USER")
    documents.execute("INSERT INTO documents VALUES (6, 'x')")
    documents.execute("ALTER TABLE documents ENABLE TRIGGER USER")
    assert queued() == []
    assert documents.execute("SELECT pgsim.enqueue_missing('documents')").fetchone() == (6,)
    assert len(queued()) == 6


def test_what_replication_writes_is_captured(documents: psycopg.Connection, queued: Queued) -> None:
    documents.execute("SET LOCAL session_replication_role = replica")
    documents.execute("INSERT INTO documents VALUES (6, 'x')")
    documents.execute("UPDATE documents SET title = 'y' WHERE id = 1")
    assert queued() == [("upsert", "6"), ("upsert", "1")]


def test_the_last_version_takes_the_triggers_with_it(documents: psycopg.Connection) -> None:
    documents.execute("SELECT pgsim.drop_version('documents', 'toy', force => true)")
    assert documents.execute("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'documents'::regclass").fetchone() == (0,)


def test_another_version_leaves_the_triggers_as_they_are(documents: psycopg.Connection) -> None:
    triggers = "SELECT array_agg(oid ORDER BY oid) FROM pg_trigger WHERE tgname LIKE 'pgsim%'"
    before = documents.execute(triggers).fetchone()
    documents.execute("SELECT pgsim.create_model('new', 4), pgsim.create_version('documents', 'new')")
    documents.execute("SELECT pgsim.sync_privileges('documents')")
    assert documents.execute(triggers).fetchone() == before


def test_keys_are_noted_as_they_are_whatever_the_writers_session_shows(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE odd (id float8, span interval, body text, PRIMARY KEY (id, span))")
    connection.execute("SELECT pgsim.create_collection('odd', text_columns => '{body}'), pgsim.create_model('odd', 2)")
    connection.execute("SELECT pgsim.create_version('odd', 'odd')")
    connection.execute("SET LOCAL extra_float_digits = 0; SET LOCAL intervalstyle = 'sql_standard'")
    connection.execute("INSERT INTO odd VALUES (0.1::float8 + 0.2::float8, '-1 day +2 hours', 'text')")
    connection.execute("RESET extra_float_digits; RESET intervalstyle")
    assert [row[1] for row in connection.execute("SELECT * FROM pgsim.next_batch('odd')")] == ["text"]


def test_an_adopted_column_that_must_not_be_null_blocks_no_worker(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE kept (id int PRIMARY KEY, body text, embedding vector(2) NOT NULL)")
    connection.execute("INSERT INTO kept VALUES (1, 'a', '[1,0]'), (2, 'b', '[0,1]')")
    connection.execute(
        "SELECT pgsim.create_collection('kept', text_columns => '{body}'), pgsim.create_model('kept', 2)"
    )
    connection.execute("SELECT pgsim.create_version('kept', 'kept', column_name => 'embedding')")
    connection.execute("UPDATE kept SET body = NULL WHERE id = 1; UPDATE kept SET body = 'new' WHERE id = 2")
    assert [row[:2] for row in connection.execute("SELECT * FROM pgsim.next_batch('kept')")] == [("2", "new")]
    assert connection.execute("SELECT embedding::text FROM kept WHERE id = 1").fetchall() == [("[1,0]",)]
    assert connection.execute("SELECT count(*) FROM pgsim._queue").fetchall() == [(0,)]


def test_long_texts_that_are_stored_out_of_line_are_compared_too(documents: psycopg.Connection, queued: Queued) -> None:
    long = "(SELECT string_agg(md5(i || %s), '') FROM generate_series(1, 200) AS i)"
    documents.execute(f"UPDATE documents SET body = {long} WHERE id < 3", ["one"])  # type: ignore[arg-type]
    assert len(queued()) == 2
    documents.execute("UPDATE documents SET size = size + 1")
    documents.execute(f"UPDATE documents SET body = {long} WHERE id = 1", ["one"])  # type: ignore[arg-type]
    assert queued() == [], "the same text, stored anew, is the same"
    documents.execute(f"UPDATE documents SET body = {long} WHERE id = 1", ["two"])  # type: ignore[arg-type]
    documents.execute("UPDATE documents SET body = (SELECT body FROM documents WHERE id = 1) WHERE id = 2")
    assert queued() == [("upsert", "1"), ("upsert", "2")]
