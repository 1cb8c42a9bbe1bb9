"""Workers: each row is embedded once, in the order asked for, by whoever has time."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import Gate, Letters, counts, wrong

import pgsim
from pgsim import errors
from pgsim.versions.backfill import backfill
from pgsim.versions.worker import WorkerOptions

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

SMALL = WorkerOptions(batch_rows=7)


def test_several_workers_embed_each_row_once_and_build_the_index(dsn: str, connection: psycopg.Connection) -> None:
    letters = Letters()
    done = backfill(dsn, "articles", letters, model="letters", workers=3, options=SMALL)
    assert (done.stored, done.set_aside, done.stopped) == (40, 0, "empty")
    assert len(letters.texts) == len(set(letters.texts)) == 40
    assert wrong(connection) == []
    assert connection.execute("SELECT model, method, valid FROM pgsim.indexes").fetchall() == [
        ("letters", "hnsw", True)
    ]
    assert backfill(dsn, "articles", letters, model="letters").stored == 0


def test_each_worker_can_have_an_embedder_of_its_own(dsn: str) -> None:
    made: list[Letters] = []

    def make() -> Letters:
        made.append(Letters())
        return made[-1]

    assert backfill(dsn, "articles", make, model="letters", workers=2, options=SMALL, index="none").stored == 40
    assert len(made) == 2


def test_an_index_can_be_kept_live_from_the_start(dsn: str, connection: psycopg.Connection) -> None:
    seen = []

    class Looking(Letters):
        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            seen.append(connection.execute("SELECT count(*) FROM pgsim.indexes WHERE valid").fetchall())
            return super().embed_documents(texts)

    backfill(dsn, "articles", Looking(), model="letters", index="live", options=SMALL)
    assert seen == [[(1,)]] * 6


def test_the_index_is_made_as_the_active_version_has_it(dsn: str, connection: psycopg.Connection) -> None:
    connection.execute("SELECT pgsim.create_index('articles', 'old', options => '{\"m\": 7}')")
    backfill(dsn, "articles", Letters(), model="letters")
    assert connection.execute("SELECT options FROM pgsim.indexes ORDER BY model").fetchall() == [({"m": 7},)] * 2


@pytest.mark.parametrize(
    ("order_by", "first"),
    [("published DESC, id", [6, 13, 20]), ("recency", [5, 9, 40]), ("length(body)", [1, 2, 3])],
)
def test_rows_come_in_the_order_asked_for(
    dsn: str, connection: psycopg.Connection, order_by: str, first: list[int]
) -> None:
    connection.execute("UPDATE articles SET views = 1 WHERE id = 9")
    connection.execute("UPDATE articles SET views = 1 WHERE id = 5")
    letters = Letters()
    with pgsim.Database(dsn) as db:
        db.enqueue_missing("articles", "letters")
        assert db.enqueue_missing("articles", "letters", order_by=order_by) == 40
    backfill(dsn, "articles", letters, model="letters", index="none", options=SMALL)
    bodies = dict(connection.execute("SELECT id, body FROM articles").fetchall())
    assert letters.texts[:3] == [bodies[key] for key in first]
    assert len(letters.texts) == 40


def test_rows_that_searches_find_most_often_come_first(db: pgsim.Database, connection: psycopg.Connection) -> None:
    with pytest.raises(errors.NothingRecorded):
        db.enqueue_missing("articles", "letters", order_by="hot")
    db.upsert("articles", "old", [8, 30, 31], np.eye(4)[:3])
    db.record_searches("articles", share=1.0)
    for query, k in ((np.eye(4)[1], 1), (np.eye(4)[1], 1), (np.eye(4)[2], 1)):
        db.search("articles", query, k=k)
    db.enqueue_missing("articles", "letters", order_by="hot")
    taken = connection.execute("SELECT key FROM pgsim.next_batch('articles', 'letters', size => 2)").fetchall()
    assert taken == [("30",), ("31",)]


def test_changes_come_before_what_never_had_a_vector(dsn: str, connection: psycopg.Connection) -> None:
    letters = Letters()
    with pgsim.Database(dsn) as db:
        db.enqueue_missing("articles", "letters")
    connection.execute("UPDATE articles SET body = 'changed' WHERE id = 33")
    backfill(dsn, "articles", letters, model="letters", options=SMALL)
    assert letters.texts[0] == "changed"
    assert len(letters.texts) == 40


def test_a_row_that_changes_often_is_embedded_once(dsn: str, connection: psycopg.Connection) -> None:
    letters = Letters()
    for text in ("one", "two", "three"):
        connection.execute("UPDATE articles SET body = %s WHERE id = 1", [text])
    done = backfill(dsn, "articles", letters, model="letters", workers=2, options=WorkerOptions(batch_rows=1))
    assert done.stored == 40
    assert letters.texts.count("three") == 1
    assert {"one", "two"}.isdisjoint(letters.texts)


def test_a_batch_of_many_tokens_is_several_calls(dsn: str) -> None:
    class Counting(Letters):
        def count_tokens(self, texts: list[str]) -> list[int]:
            return [len(text) for text in texts]

    embedder = Counting()
    backfill(dsn, "articles", embedder, model="letters", options=WorkerOptions(batch_rows=40, batch_tokens=100))
    assert all(sum(map(len, batch)) <= 100 or len(batch) == 1 for batch in embedder.batches)
    assert 10 < len(embedder.batches) < 40


def test_an_embedder_may_be_awaited(dsn: str, connection: psycopg.Connection) -> None:
    class Awaited:
        async def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            await asyncio.sleep(0)
            return np.stack([counts(text) for text in texts])

        async def embed_query(self, text: str) -> NDArray[np.float32]:
            return counts(text)

    backfill(dsn, "articles", Awaited, model="letters", workers=2, options=SMALL, timeout=30)
    assert wrong(connection) == []

    async def again() -> int:
        async with pgsim.AsyncDatabase(dsn) as db:
            return await db.embed("articles", Awaited(), model="letters")

    connection.execute("UPDATE articles SET body = 'changed' WHERE id < 4")
    assert asyncio.run(again()) == 3
    assert wrong(connection) == []


def test_a_worker_follows_changes_until_it_is_stopped(dsn: str, connection: psycopg.Connection) -> None:
    gate = Gate()
    options = WorkerOptions(batch_rows=100, follow=True, poll=0.02)
    errors_seen: list[BaseException] = []

    def follow() -> None:
        try:
            backfill(dsn, "articles", gate, model="letters", options=options)
        except errors.UnknownVersion as error:
            errors_seen.append(error)

    worker = threading.Thread(target=follow)
    worker.start()
    assert gate.reached.wait(30)
    gate.go_on.set()
    for body in ("first change", "second change"):
        connection.execute("UPDATE articles SET body = %s WHERE id = 1", [body])
        while wrong(connection):
            pass
    connection.execute("SELECT pgsim.drop_version('articles', 'letters')")
    worker.join(30)
    assert len(errors_seen) == 1


def test_nothing_is_open_while_the_embedder_works(dsn: str, connection: psycopg.Connection) -> None:
    gate = Gate()
    worker = threading.Thread(target=backfill, args=(dsn, "articles", gate), kwargs={"model": "letters"})
    worker.start()
    assert gate.reached.wait(30)
    open_transactions = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)"
    ).fetchall()
    ((taken, workers, pending),) = connection.execute(
        "SELECT taken, workers, pending FROM pgsim.backfill_progress WHERE model = 'letters'"
    ).fetchall()
    gate.go_on.set()
    worker.join(30)
    assert open_transactions == [(0,)]
    assert (taken, workers, pending) == (40, 1, 0)
    assert connection.execute(
        "SELECT done, taken, workers FROM pgsim.backfill_progress WHERE model = 'letters'"
    ).fetchall() == [(40, 0, 0)]


def test_a_worker_of_yours_takes_and_finishes_batches(connection: psycopg.Connection) -> None:
    connection.execute("SELECT pgsim.enqueue_missing('articles', 'letters')")
    rows = connection.execute("SELECT * FROM pgsim.next_batch('articles', 'letters', size => 5)").fetchall()
    keys, texts, hashes, batches = (list(column) for column in zip(*rows, strict=True))
    connection.execute("UPDATE articles SET body = 'changed meanwhile' WHERE id = %s", [int(keys[0])])
    connection.execute("DELETE FROM articles WHERE id = %s", [int(keys[1])])
    stored = connection.execute(
        "SELECT pgsim.upsert('articles', 'letters', %s, %s::vector[], source_hashes => %s, skip_absent => true)",
        [keys[:4], [str(counts(text).tolist()) for text in texts[:4]], hashes[:4]],
    ).fetchall()
    assert stored == [(2,)]
    # The fifth was not stored, and the first changed.
    db = pgsim.Database(connection)
    assert db.finish_batch(batches[0], {keys[4]: "too long"}) == 1
    with pytest.raises(errors.UnknownBatch):
        db.finish_batch(batches[0])
    assert connection.execute("SELECT key, error FROM pgsim.poison_rows WHERE key = %s", [keys[4]]).fetchall() == [
        (keys[4], "too long")
    ]
    assert db.embed("articles", Letters(), model="letters") == 37
    assert wrong(connection) == []


def test_a_lease_that_ended_gives_the_rows_back(connection: psycopg.Connection) -> None:
    connection.execute("SELECT pgsim.enqueue_missing('articles', 'letters')")
    connection.execute("SELECT * FROM pgsim.next_batch('articles', 'letters', size => 30)")
    connection.execute("UPDATE pgsim._batch SET expires_at = now() - interval '1 second'")
    ((_, _, problem, hint),) = connection.execute("SELECT * FROM pgsim.check() WHERE problem LIKE '%gone%'").fetchall()
    assert problem.startswith("30 rows")
    assert "backfill" in hint
    assert pgsim.Database(connection).embed("articles", Letters(), model="letters") == 40


def test_what_a_worker_brings_after_its_lease_is_not_stored(dsn: str, connection: psycopg.Connection) -> None:
    gate = Gate()
    worker = threading.Thread(target=backfill, args=(dsn, "articles", gate), kwargs={"model": "letters"})
    worker.start()
    assert gate.reached.wait(30)
    connection.execute("UPDATE articles SET body = 'newer'")
    connection.execute("UPDATE pgsim._batch SET expires_at = now() - interval '1 second'")
    assert pgsim.Database(connection).embed("articles", Letters(), model="letters") == 40
    done = "SELECT done, pending, taken FROM pgsim.backfill_progress WHERE model = 'letters'"
    assert connection.execute(done).fetchall() == [(40, 0, 0)]
    gate.go_on.set()
    worker.join(30)
    assert wrong(connection) == []
    assert connection.execute(done).fetchall() == [(40, 0, 0)]


def test_an_adopted_column_is_filled_in_place(dsn: str, connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE articles ADD own vector(26); SELECT pgsim.create_model('own', 26)")
    connection.execute("SELECT pgsim.create_version('articles', 'own', column_name => 'own')")
    connection.execute("UPDATE articles SET own = array_fill(1, ARRAY[26])::vector WHERE id = 3")
    assert backfill(dsn, "articles", Letters(), model="own", options=SMALL, index="none").stored == 39
    connection.execute("UPDATE articles SET body = 'changed' WHERE id = 3")
    backfill(dsn, "articles", Letters(), model="own", index="none")
    rows = connection.execute("SELECT body, own::text FROM articles").fetchall()
    assert all(np.allclose(counts(body), np.fromstring(own[1:-1], sep=",")) for body, own in rows)


def test_wrong_options_are_refused(dsn: str) -> None:
    for wrong_option in ({"batch_rows": 0}, {"batch_rows": 10_001}, {"batch_tokens": 0}, {"lease": 0}, {"poll": 0}):
        with pytest.raises(errors.InvalidArgument):
            WorkerOptions(**wrong_option)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgument):
        backfill(dsn, "articles", Letters(), workers=0)
    with pytest.raises(errors.InvalidArgument):
        backfill(dsn, "articles", Letters(), index="sometimes")
    with pytest.raises(errors.UnknownModel):
        backfill(dsn, "articles", Letters(), model="other")
