"""An adopted column keeps no hash of a text, so what is stored is known by the transaction that stored it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from letters import Letters, counts

import pgsim
from pgsim import errors
from pgsim.versions.backfill import backfill
from pgsim.versions.worker import WorkerOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTES = """
CREATE TABLE notes (id int PRIMARY KEY, body text, views int DEFAULT 0, embedding vector(26));
INSERT INTO notes SELECT i, 'note ' || chr(96 + i), 0, array_fill(1, ARRAY[26])::vector
FROM generate_series(1, 6) AS i;
SELECT pgsim.create_collection('notes', text_columns => '{body}');
SELECT pgsim.create_version('notes', 'letters', column_name => 'embedding');
UPDATE notes SET body = 'changed ' || chr(96 + id);
"""
# Two of these notes make six tokens.
TWO = WorkerOptions(batch_tokens=6, batch_rows=6)


@pytest.fixture
def notes(connection: psycopg.Connection) -> psycopg.Connection:
    """Six notes with vectors of their texts before."""
    connection.execute(NOTES)
    return connection


def stale(connection: psycopg.Connection) -> list[int]:
    """Keys of the notes whose vector is not that of their text."""
    rows = connection.execute("SELECT id, body, embedding::text FROM notes ORDER BY id").fetchall()
    return [key for key, body, vector in rows if not np.allclose(counts(body), np.fromstring(vector[1:-1], sep=","))]


class Failing(Letters):
    """Works for some calls, and then no more."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        self.calls -= 1
        if self.calls < 0:
            raise ConnectionError("503")
        return super().embed_documents(texts)


@pytest.mark.parametrize("works", [0, 2])
def test_rows_that_an_embedder_failed_for_wait_again(
    dsn: str, db: pgsim.Database, notes: psycopg.Connection, works: int
) -> None:
    with pytest.raises(errors.EmbedderError):
        backfill(dsn, "notes", Failing(works), index="none", options=TWO)
    told = db.backfill_progress("notes")
    assert (told.pending, told.taken, told.done) == (6 - 2 * works, 0, 2 * works)
    assert len(stale(notes)) == 6 - 2 * works
    assert backfill(dsn, "notes", Letters(), index="none").stored == 6 - 2 * works
    assert stale(notes) == []
    assert db.backfill_progress("notes").pending == 0


def test_rows_wait_again_when_the_budget_of_the_day_ends_within_a_batch(
    dsn: str, db: pgsim.Database, notes: psycopg.Connection
) -> None:
    db.limit_backfill("notes", calls_a_day=2)
    done = backfill(dsn, "notes", Letters(), index="none", options=TWO)
    assert (done.stored, done.stopped) == (4, "spent")
    assert db.backfill_progress("notes").pending == 2 == len(stale(notes))


def test_what_a_worker_of_ones_own_did_not_store_waits_again(notes: psycopg.Connection) -> None:
    taken = notes.execute("SELECT key, batch FROM pgsim.next_batch('notes')").fetchall()
    vector = str(counts("changed a").tolist())
    with notes.transaction():
        # Not by this transaction, though in the same moment.
        with psycopg.connect(notes.info.dsn, autocommit=True) as other:
            other.execute("UPDATE notes SET views = 1 WHERE id = 2")
        notes.execute("SELECT pgsim.upsert('notes', 'letters', '{1}', ARRAY[%s]::vector[])", [vector])
        with psycopg.connect(notes.info.dsn, autocommit=True) as other:
            other.execute("UPDATE notes SET views = 1 WHERE id = 3")
        assert notes.execute("SELECT pgsim.finish_batch(%s)", [taken[0][1]]).fetchone() == (5,)
    again = notes.execute("SELECT key FROM pgsim.next_batch('notes')").fetchall()
    assert sorted(key for (key,) in again) == ["2", "3", "4", "5", "6"]


def test_a_row_that_was_cured_is_set_aside_no_more(dsn: str, db: pgsim.Database, notes: psycopg.Connection) -> None:
    notes.execute("UPDATE notes SET body = '123' WHERE id = 5")
    assert backfill(dsn, "notes", Letters(), index="none").set_aside == 1
    assert [row[0] for row in notes.execute("SELECT key FROM pgsim.poison_rows")] == ["5"]
    notes.execute("UPDATE notes SET body = 'letters' WHERE id = 5")
    assert backfill(dsn, "notes", Letters(), index="none").stored == 1
    assert (notes.execute("SELECT key FROM pgsim.poison_rows").fetchall(), stale(notes)) == ([], [])


def test_a_role_that_does_not_see_all_rows_finishes_no_batch(notes: psycopg.Connection) -> None:
    ((batch,),) = notes.execute("SELECT DISTINCT batch FROM pgsim.next_batch('notes')").fetchall()
    with notes.transaction(force_rollback=True):
        notes.execute(
            "CREATE ROLE notes_registrar; CREATE ROLE notes_reader; GRANT notes_registrar TO notes_reader;"
            "GRANT ALL ON ALL TABLES IN SCHEMA pgsim TO notes_registrar; ALTER SCHEMA pgsim OWNER TO notes_registrar"
        )
        notes.execute("GRANT ALL ON notes TO notes_reader; ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
        notes.execute("CREATE POLICY first ON notes USING (id = 1); SET LOCAL ROLE notes_reader")
        with pytest.raises(psycopg.Error) as raised:
            notes.execute("SELECT pgsim.finish_batch(%s)", [batch])
        assert raised.value.sqlstate == "PS032"
    assert notes.execute("SELECT pgsim.finish_batch(%s)", [batch]).fetchone() == (6,)


def test_a_failure_is_told_of_rows_of_the_batch_alone(notes: psycopg.Connection) -> None:
    ((batch,),) = notes.execute("SELECT DISTINCT batch FROM pgsim.next_batch('notes')").fetchall()
    with pytest.raises(psycopg.Error, match="'77'") as raised:
        notes.execute("SELECT pgsim.finish_batch(%s, %s::jsonb)", [batch, '{"1": "too long", "77": "x"}'])
    assert raised.value.sqlstate == "PS010"
    assert notes.execute('SELECT pgsim.finish_batch(%s, \'{"1": "too long"}\')', [batch]).fetchone() == (5,)
