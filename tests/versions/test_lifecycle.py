"""A version is built, activated, rolled back, retired and dropped; each step is checked and put on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from pgsim.errors import PgsimError

    Refused = Callable[..., PgsimError]

STATES = "SELECT model, state FROM pgsim.versions ORDER BY id"
ACTIVATE = "SELECT pgsim.activate('documents', 'new')"


def one(connection: psycopg.Connection, statement: str, *values: Any) -> Any:
    row = connection.execute(statement, values or None).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def test_a_search_follows_the_pointer_there_and_back(filled: psycopg.Connection) -> None:
    assert one(filled, ACTIVATE) == "old"
    assert filled.execute(STATES).fetchall() == [("old", "ready"), ("new", "active")]
    assert one(filled, "SELECT key FROM pgsim.search('documents', '[1,3,1]', 1)") == "3"
    assert one(filled, "SELECT pgsim.rollback('documents')") == "old"
    assert filled.execute(STATES).fetchall() == [("old", "active"), ("new", "ready")]
    assert one(filled, "SELECT key FROM pgsim.search('documents', '[3,1]', 1)") == "3"
    assert one(filled, ACTIVATE) == "old"
    assert one(filled, ACTIVATE) is None, "it is active already"


def test_every_step_is_on_record(filled: psycopg.Connection) -> None:
    filled.execute("SELECT pgsim.activate('documents', 'new', reason => 'better')")
    filled.execute("SELECT pgsim.rollback('documents', reason => 'worse')")
    filled.execute("SELECT pgsim.retire('documents', 'new', reason => 'no use')")
    filled.execute("SELECT pgsim.drop_version('documents', 'new', reason => 'space')")
    assert filled.execute(
        "SELECT model, action, from_state, to_state, previous_model, forced, reason FROM pgsim.history ORDER BY id"
    ).fetchall() == [
        ("old", "create", None, "active", None, False, None),
        ("new", "create", None, "building", None, False, None),
        ("new", "activate", "building", "active", "old", False, "better"),
        ("old", "rollback", "ready", "active", "new", False, "worse"),
        ("new", "retire", "ready", "retired", None, False, "no use"),
        ("new", "drop", "retired", None, None, False, "space"),
    ]
    who = filled.execute("SELECT DISTINCT by_role = current_user FROM pgsim.history").fetchall()
    assert who == [(True,)]
    shown = "SELECT model, state, state_by = current_user, state_since IS NOT NULL FROM pgsim.versions"
    assert filled.execute(shown).fetchall() == [("old", "active", True, True)]


def test_all_reasons_against_an_activation_are_listed(documents: psycopg.Connection, refused: Refused) -> None:
    documents.execute("SELECT pgsim.create_index('documents', 'old')")
    documents.execute("SELECT pgsim.set_gate('documents', 'mrr', 0.5)")
    documents.execute("UPDATE documents SET body = 'changed' WHERE id < 3")
    told = refused("PS043", ACTIVATE)
    assert "4 reasons" in told.message
    assert told.detail
    reasons = told.detail.splitlines()
    assert reasons[0] == "6 rows have no vector of their text"
    assert reasons[1] == "2 rows wait to be embedded: in the queue, with a worker or set aside"
    assert "it has no vector index, and the active version has" in reasons[2]
    assert reasons[3].startswith("gate 'mrr' asks for 0.5, and it was not measured")


def test_force_passes_and_is_put_on_record(documents: psycopg.Connection) -> None:
    assert one(documents, "SELECT pgsim.activate('documents', 'new', force => true, reason => 'demo')") == "old"
    forced, gates = documents.execute("SELECT forced, gates FROM pgsim.history WHERE action = 'activate'").fetchall()[0]
    assert forced
    assert gates["missing"] == 6
    assert gates["refused"] == ["6 rows have no vector of their text"]
    documents.execute(
        "SELECT pgsim.rollback('documents'); "
        "SELECT pgsim.upsert('documents', 'new', array_agg(id::text), array_agg('[1,1,1]'::vector)) FROM documents;"
        "SELECT pgsim.activate('documents', 'new', force => true)"
    )
    last = documents.execute("SELECT forced FROM pgsim.history ORDER BY id DESC LIMIT 1").fetchone()
    assert last == (False,), "force that was not needed is not forced"


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM pgsim_data.documents_new_%s WHERE key = 3",
        "TRUNCATE pgsim_data.documents_new_%s",
        "INSERT INTO documents VALUES (9, 'nine')",
        "SET LOCAL session_replication_role = replica; DELETE FROM pgsim_data.documents_new_%s WHERE key = 3;"
        "SET LOCAL session_replication_role = origin; UPDATE documents SET body = body || '!' WHERE id = 4",
    ],
)
def test_a_version_that_was_ready_and_lost_vectors_is_refused(
    filled: psycopg.Connection, refused: Refused, damage: str
) -> None:
    assert one(filled, "SELECT pgsim.mark_ready('documents', 'new')") == 0
    assert filled.execute(STATES).fetchall() == [("old", "active"), ("new", "ready")]
    version = one(filled, "SELECT max(id) FROM pgsim.versions")
    filled.execute(damage.replace("%s", str(version)))  # type: ignore[arg-type]
    told = refused("PS043", ACTIVATE)
    assert told.detail
    assert "no vector" in told.detail
    assert one(filled, "SELECT pgsim.mark_ready('documents', 'new')") > 0
    assert filled.execute(STATES).fetchall() == [("old", "active"), ("new", "building")]


COMPARED = "SELECT (gates ->> 'compared')::boolean FROM pgsim.history WHERE action = 'activate' ORDER BY id DESC"


def test_a_version_that_was_compared_is_not_compared_again_though_rows_are_written(
    filled: psycopg.Connection, refused: Refused
) -> None:
    filled.execute("SELECT pgsim.mark_ready('documents', 'new')")
    filled.execute(ACTIVATE)
    assert one(filled, COMPARED) is False
    filled.execute("SELECT pgsim.rollback('documents')")
    filled.execute("INSERT INTO documents VALUES (7, 'seven'); UPDATE documents SET body = 'other' WHERE id = 1")
    told = refused("PS043", ACTIVATE)
    assert (
        told.detail
        == "1 rows have no vector of their text\n2 rows wait to be embedded: in the queue, with a worker or set aside"
    )
    filled.execute("SELECT pgsim.upsert('documents', 'new', '{7,1}', ARRAY['[1,7,1]', '[1,1,1]']::vector[])")
    filled.execute("DELETE FROM documents WHERE id = 6")
    filled.execute(ACTIVATE)
    assert one(filled, COMPARED) is False


def test_a_row_that_a_worker_has_or_that_is_set_aside_is_missing_still(
    filled: psycopg.Connection, refused: Refused
) -> None:
    filled.execute("SELECT pgsim.mark_ready('documents', 'new')")
    filled.execute("INSERT INTO documents VALUES (7, 'seven'), (8, 'eight')")
    batches = filled.execute("SELECT batch FROM pgsim.next_batch('documents', 'new')").fetchall()
    assert len(batches) == 2
    assert refused("PS043", ACTIVATE).detail == (
        "2 rows have no vector of their text\n2 rows wait to be embedded: in the queue, with a worker or set aside"
    )
    filled.execute("SELECT pgsim.upsert('documents', 'new', '{7}', ARRAY['[1,7,1]']::vector[])")
    filled.execute('SELECT pgsim.finish_batch(%s, \'{"8": "too odd"}\')', batches[0])
    assert refused("PS043", ACTIVATE).detail == (
        "1 rows have no vector of their text\n1 rows wait to be embedded: in the queue, with a worker or set aside"
    )


@pytest.mark.parametrize(
    "unseen",
    [
        "ALTER TABLE documents DISABLE TRIGGER USER; INSERT INTO documents VALUES (7, 'seven');"
        "ALTER TABLE documents ENABLE TRIGGER USER",
        "SET LOCAL session_replication_role = replica; INSERT INTO documents VALUES (7, 'seven');"
        "SET LOCAL session_replication_role = origin",
        "DROP TRIGGER pgsim_capture_insert ON documents; INSERT INTO documents VALUES (7, 'seven')",
    ],
)
def test_rows_that_come_past_the_triggers_are_missed_all_the_same(
    filled: psycopg.Connection, refused: Refused, unseen: str
) -> None:
    filled.execute("SELECT pgsim.mark_ready('documents', 'new')")
    filled.execute(unseen.encode())
    assert "1 rows have no vector of their text" in str(refused("PS043", ACTIVATE).detail)


def test_a_vector_that_was_deleted_by_hand_is_embedded_again_and_one_that_was_replaced_is_not(
    filled: psycopg.Connection, refused: Refused
) -> None:
    filled.execute("SELECT pgsim.mark_ready('documents', 'new')")
    ((table,),) = filled.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'new'").fetchall()
    filled.execute(f"DELETE FROM {table} WHERE key IN (3, 4)".encode())
    filled.execute(f"INSERT INTO {table} (key, embedding) VALUES (4, '[1,4,1]')".encode())
    assert refused("PS043", ACTIVATE).detail == "1 rows have no vector of their text"
    assert filled.execute("SELECT key FROM pgsim.next_batch('documents', 'new')").fetchall() == [("3",)]


def test_rows_without_text_need_no_vector(documents: psycopg.Connection) -> None:
    documents.execute("UPDATE documents SET title = NULL, body = ' '")
    assert one(documents, ACTIVATE) == "old"


def test_vectors_stored_by_hand_settle_what_is_queued(filled: psycopg.Connection) -> None:
    filled.execute("INSERT INTO documents VALUES (7, 'seven'); UPDATE documents SET body = 'new text' WHERE id = 1")
    filled.execute("SELECT pgsim.upsert('documents', 'new', '{7,1}', ARRAY['[1,7,1]', '[1,1,1]']::vector[])")
    assert one(filled, "SELECT pending FROM pgsim.backfill_progress WHERE model = 'new'") == 2
    assert one(filled, ACTIVATE) == "old"


def test_without_source_columns_a_version_has_what_the_active_one_has(
    connection: psycopg.Connection, refused: Refused
) -> None:
    connection.execute("""
        CREATE TABLE photos (id int PRIMARY KEY, embedding vector(2));
        INSERT INTO photos VALUES (1, '[1,0]'), (2, '[0,1]'), (3, NULL);
        SELECT pgsim.create_collection('photos');
        SELECT pgsim.create_model('seen', 2), pgsim.create_model('new', 2);
        SELECT pgsim.create_version('photos', 'seen', column_name => 'embedding');
        SELECT pgsim.create_version('photos', 'new');
        SELECT pgsim.upsert('photos', 'new', '{1}', ARRAY['[1,0]']::vector[]);
    """)
    told = refused("PS043", "SELECT pgsim.activate('photos', 'new')")
    assert told.detail == "1 rows have no vector, which the active version has"
    connection.execute("SELECT pgsim.upsert('photos', 'new', '{2}', ARRAY['[1,0]']::vector[])")
    assert one(connection, "SELECT pgsim.activate('photos', 'new')") == "seen"
    connection.execute("UPDATE photos SET embedding = NULL WHERE id = 2")
    assert "1 rows" in str(refused("PS043", "SELECT pgsim.activate('photos', 'seen')").detail)


def test_broken_indexes_stand_in_the_way(filled: psycopg.Connection, refused: Refused) -> None:
    filled.execute("SELECT pgsim.create_index('documents', 'new')")
    index = one(filled, "SELECT name FROM pgsim.indexes WHERE method = 'hnsw'")
    filled.execute("UPDATE pgsim._index SET complete = false WHERE method = 'codes'")
    assert "are not complete" in str(refused("PS043", ACTIVATE).detail)
    filled.execute("UPDATE pgsim._index SET complete = true")
    filled.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [f"pgsim_data.{index}"])
    assert f"index {index} is invalid" in str(refused("PS043", ACTIVATE).detail)
    filled.execute(f"DROP INDEX pgsim_data.{index}")
    assert f"index {index} is gone" in str(refused("PS043", ACTIVATE).detail)


def test_rollbacks_go_back_one_activation_each(filled: psycopg.Connection, refused: Refused) -> None:
    filled.execute("SELECT pgsim.create_version('documents', 'other')")
    filled.execute(ACTIVATE)
    filled.execute("SELECT pgsim.activate('documents', 'other', force => true)")
    assert one(filled, "SELECT pgsim.rollback('documents')") == "new"
    assert one(filled, "SELECT pgsim.rollback('documents')") == "old"
    assert "the first that was active" in refused("PS035", "SELECT pgsim.rollback('documents')").message


def test_a_rollback_to_what_is_gone_is_refused(filled: psycopg.Connection, refused: Refused) -> None:
    filled.execute(ACTIVATE)
    filled.execute("SELECT pgsim.retire('documents', 'old')")
    told = refused("PS035", "SELECT pgsim.rollback('documents')")
    assert "was retired" in told.message
    assert "pgsim.revive('documents', 'old', 'default')" in str(told.hint)
    filled.execute("SELECT pgsim.drop_version('documents', 'old')")
    assert "was dropped" in refused("PS035", "SELECT pgsim.rollback('documents')").message


def test_a_rollback_is_never_gated_but_says_what_waits(filled: psycopg.Connection) -> None:
    filled.execute(ACTIVATE)
    filled.execute("INSERT INTO documents VALUES (7, 'seven')")
    notices: list[str | None] = []
    filled.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    assert one(filled, "SELECT pgsim.rollback('documents')") == "old"
    assert notices == [
        "1 rows wait to be embedded under model 'old', and are found late or by their old text until they are"
    ]
    assert one(filled, "SELECT gates ->> 'waiting' FROM pgsim.history ORDER BY id DESC LIMIT 1") == "1"


def test_a_retired_version_is_left_alone_and_can_come_back(filled: psycopg.Connection, refused: Refused) -> None:
    assert "is active" in refused("PS035", "SELECT pgsim.retire('documents', 'old')").message
    filled.execute("SELECT pgsim.retire('documents', 'new')")
    filled.execute("UPDATE documents SET body = 'other words' WHERE id = 2; INSERT INTO documents VALUES (7, 'seven')")
    assert one(filled, "SELECT count(*) FROM pgsim._queue AS q JOIN pgsim.versions USING (id) WHERE model = 'new'") == 0
    for search in (
        "SELECT * FROM pgsim.search('documents', '[1,1,1]', model => 'new')",
        'SELECT * FROM pgsim.search(\'documents\', legs => \'{"a": {"query": [1,1,1], "model": "new"}}\')',
        "SELECT pgsim.explain_search('documents', '[1,1,1]', model => 'new')",
    ):
        assert "pgsim.revive('documents', 'new', 'default')" in str(refused("PS035", search).hint)
    assert "it is retired" in str(refused("PS043", ACTIVATE).detail)
    filled.execute("SELECT pgsim.revive('documents', 'new')")
    assert refused("PS043", ACTIVATE).detail == "2 rows have no vector of their text", "the changed one and the new one"
    filled.execute("SELECT pgsim.enqueue_missing('documents', 'new')")
    keys = [row[0] for row in filled.execute("SELECT key FROM pgsim.next_batch('documents', 'new') ORDER BY 1")]
    assert keys == ["2", "7"]
    filled.execute("SELECT pgsim.upsert('documents', 'new', '{2,7}', ARRAY['[1,2,1]', '[1,7,1]']::vector[])")
    assert one(filled, ACTIVATE) == "old"


def test_gates_ask_for_a_fresh_measurement(filled: psycopg.Connection, refused: Refused) -> None:
    filled.execute("SELECT pgsim.set_gate('documents', 'recall', 0.9), pgsim.set_gate('documents', 'mrr', 0.9)")
    labelled = '[{"query": [1, 4, 1], "keys": ["4"]}, {"query": [1, 1, 1], "keys": ["none"]}]'
    assert one(filled, "SELECT pgsim.measure_quality('documents', 'new')") == 1
    assert one(filled, "SELECT pgsim.measure_quality('documents', 'new', %s::jsonb)", labelled) == 0.5
    assert "gate 'mrr' asks for 0.9, and 0.5 was measured" in str(refused("PS043", ACTIVATE).detail)
    filled.execute("SELECT pgsim.record_quality('documents', 'new', 'mrr', 0.95, details => '{\"by\": \"hand\"}')")
    filled.execute("UPDATE pgsim._quality SET measured_at = now() - interval '9 days' WHERE name = 'recall'")
    assert "not older than 7 days" in str(refused("PS043", ACTIVATE).detail)
    filled.execute("SELECT pgsim.set_gate('documents', 'recall', NULL)")
    assert filled.execute("SELECT name, minimum FROM pgsim.gates").fetchall() == [("mrr", 0.9)]
    filled.execute(ACTIVATE)
    quality = one(filled, "SELECT gates #> '{quality,mrr,value}' FROM pgsim.history ORDER BY id DESC LIMIT 1")
    assert quality == 0.95


@pytest.mark.parametrize(
    ("sqlstate", "statement"),
    [
        ("PS001", "SELECT pgsim.activate('no', 'new')"),
        ("PS002", "SELECT pgsim.activate('documents', NULL)"),
        ("PS002", "SELECT pgsim.activate('documents', 'it''s 100%s')"),
        ("PS003", "SELECT pgsim.rollback('documents', NULL)"),
        ("PS004", "SELECT pgsim.retire('documents', 'other')"),
        ("PS004", "SELECT pgsim.mark_ready('documents', 'other')"),
        ("PS010", "SELECT pgsim.set_gate('documents', 'mrr', 'NaN')"),
        ("PS010", "SELECT pgsim.set_gate('documents', 'mrr', 1, max_age => '-1 day')"),
        ("PS010", "SELECT pgsim.record_quality('documents', 'new', 'mrr', NULL)"),
        ("PS010", "SELECT pgsim.measure_quality('documents', 'new', '[{\"query\": 1}]')"),
        ("PS011", "SELECT pgsim.set_gate('documents', '', 1)"),
    ],
)
def test_what_cannot_be_done_says_why(
    documents: psycopg.Connection, refused: Refused, sqlstate: str, statement: str
) -> None:
    refused(sqlstate, statement)
