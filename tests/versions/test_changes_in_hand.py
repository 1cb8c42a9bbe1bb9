"""The gate sees every changed row: queued, with a worker or set aside, of a column, or of a derived version's base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgsim.errors import PgsimError

    Refused = Callable[..., PgsimError]

ACTIVATE = "SELECT pgsim.activate('documents', 'new')"
WAIT = "2 rows wait to be embedded: in the queue, with a worker or set aside"
CHANGE = "UPDATE documents SET body = 'other' WHERE id IN (2, 5)"
SWAP = "ARRAY['[0,1,0]', '[1,0,0]', '[0,0,1]']::vector[]"


def one(connection: psycopg.Connection, statement: str, *values: Any) -> Any:
    row = connection.execute(statement, values or None).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def test_rows_that_a_worker_holds_and_rows_that_are_set_aside_wait(
    filled: psycopg.Connection, refused: Refused
) -> None:
    filled.execute(CHANGE)
    batch = one(filled, "SELECT DISTINCT batch FROM pgsim.next_batch('documents', 'new')")
    assert refused("PS043", ACTIVATE).detail == WAIT
    filled.execute('SELECT pgsim.finish_batch(%s, \'{"2": "too long", "5": "too long"}\')', [batch])
    told = refused("PS043", ACTIVATE)
    assert (told.detail, "pgsim.enqueue_missing" in str(told.hint)) == (WAIT, True)
    filled.execute("SELECT pgsim.upsert('documents', 'new', '{2,5}', ARRAY['[1,2,1]', '[1,5,1]']::vector[])")
    assert one(filled, ACTIVATE) == "old", "whoever stored them"


def test_changes_of_an_adopted_column_wait(connection: psycopg.Connection, refused: Refused) -> None:
    connection.execute("""
        CREATE TABLE notes (id int PRIMARY KEY, body text, mine vector(2));
        INSERT INTO notes SELECT i, 'note ' || i, '[1,2]' FROM generate_series(1, 4) AS i;
        SELECT pgsim.create_collection('notes', text_columns => '{body}');
        SELECT pgsim.create_model('first', 2), pgsim.create_model('second', 2);
        SELECT pgsim.create_version('notes', 'first'), pgsim.create_version('notes', 'second', column_name => 'mine');
        UPDATE notes SET body = 'came with its vector', mine = '[3,4]' WHERE id = 1;
    """)
    activate = "SELECT pgsim.activate('notes', 'second')"
    with connection.transaction(force_rollback=True):
        assert one(connection, activate) == "first"
    connection.execute("UPDATE notes SET body = 'other' WHERE id IN (2, 3)")
    assert refused("PS043", activate).detail == WAIT
    batch = one(connection, "SELECT DISTINCT batch FROM pgsim.next_batch('notes', 'second')")
    assert refused("PS043", activate).detail == WAIT
    connection.execute("SELECT pgsim.upsert('notes', 'second', '{2}', ARRAY['[2,2]']::vector[])")
    connection.execute('SELECT pgsim.finish_batch(%s, \'{"3": "too long"}\')', [batch])
    # The test is one transaction, and so all of its rows are new to it: what is set aside is known by its text.
    assert refused("PS043", activate).detail == WAIT.replace("2", "1", 1)
    connection.execute("UPDATE notes SET body = 'other words', mine = '[5,6]' WHERE id = 3")
    assert one(connection, activate) == "first"


@pytest.fixture
def derived(filled: psycopg.Connection) -> psycopg.Connection:
    """The documents, and a version that follows `new` with its first two numbers exchanged."""
    filled.execute(f"SELECT pgsim.create_map('swap', 'new', kind => 'rotation', matrix => {SWAP})".encode())
    filled.execute("SELECT pgsim.derive_model('swapped', 'swap'), pgsim.create_version('documents', 'swapped')")
    return filled


def test_a_derived_version_waits_for_the_rows_of_the_one_that_it_follows(
    derived: psycopg.Connection, refused: Refused
) -> None:
    activate = "SELECT pgsim.activate('documents', 'swapped')"
    told = refused("PS043", activate)
    assert told.detail == "6 rows have no vector of their text"
    assert "pgsim.fill_version('documents', 'swapped', 'default')" in str(told.hint)
    derived.execute("SELECT pgsim.fill_version('documents', 'swapped')")
    derived.execute(CHANGE)
    told = refused("PS043", activate)
    assert told.detail == WAIT
    assert "pgsim.enqueue_missing('documents', 'swapped', 'default')" in str(told.hint)

    derived.execute("SELECT pgsim.activate('documents', 'swapped', force => true)")
    derived.execute("SELECT pgsim.activate('documents', 'old', force => true)")
    notices: list[str | None] = []
    derived.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    assert one(derived, "SELECT pgsim.rollback('documents')") == "swapped"
    assert notices == [
        "2 rows wait to be embedded under model 'swapped', and are found late or by their old text until they are"
    ]


def test_the_hint_speaks_of_missing_rows_only_where_some_are(filled: psycopg.Connection, refused: Refused) -> None:
    filled.execute("SELECT pgsim.set_gate('documents', 'mrr', 0.5)")
    told = refused("PS043", ACTIVATE)
    assert "was not measured" in str(told.detail)
    assert "missing" not in str(told.hint)


def test_forcing_a_retired_version_waits_for_writers_who_do_not_know_of_it(documents_dsn: str) -> None:
    force = "SELECT pgsim.activate('documents', 'new', force => true)"
    with psycopg.connect(documents_dsn) as operator, psycopg.connect(documents_dsn) as writer:
        operator.execute("SELECT pgsim.retire('documents', 'new')")
        operator.commit()
        writer.execute("UPDATE documents SET body = 'brand new' WHERE id = 2")
        operator.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            operator.execute(force)
        operator.rollback()
        writer.commit()
        assert operator.execute(force).fetchone() == ("old",)
        gates = "SELECT gates ->> 'missing' FROM pgsim.history ORDER BY id DESC LIMIT 1"
        assert operator.execute(gates).fetchone() == ("1",), "it is on record, and found by enqueue_missing"


def test_a_version_that_was_found_whole_before_waits_for_what_was_set_aside_since(
    derived: psycopg.Connection, refused: Refused
) -> None:
    derived.execute("SELECT pgsim.fill_version('documents', 'swapped')")
    derived.execute("SELECT pgsim.mark_ready('documents', 'new'), pgsim.mark_ready('documents', 'swapped')")
    derived.execute(CHANGE)
    batch = one(derived, "SELECT DISTINCT batch FROM pgsim.next_batch('documents', 'new')")
    derived.execute('SELECT pgsim.finish_batch(%s, \'{"2": "too long", "5": "too long"}\')', [batch])
    assert refused("PS043", ACTIVATE).detail == WAIT
    assert refused("PS043", ACTIVATE.replace("'new'", "'swapped'")).detail == WAIT
