"""Pause, rate and budget: shared by all workers, and kept in the database."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from letters import Letters, wrong

import pgsim
from pgsim import errors
from pgsim.versions.backfill import backfill
from pgsim.versions.worker import WorkerOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIVE = WorkerOptions(batch_rows=5)


def test_a_budget_is_shared_by_all_workers_and_noted_before_each_call(
    dsn: str, db: pgsim.Database, connection: psycopg.Connection
) -> None:
    db.limit_backfill("articles", "letters", calls_a_day=3)
    letters = Letters()
    done = backfill(dsn, "articles", letters, model="letters", workers=2, options=FIVE)
    assert done.stopped == "spent"
    assert (done.stored, len(letters.batches)) == (15, 3)
    told = db.backfill_progress("articles", "letters")
    assert (told.done, told.pending, told.taken, told.calls_today, told.calls_a_day) == (15, 25, 0, 3, 3)
    assert backfill(dsn, "articles", letters, model="letters", options=FIVE).stored == 0

    connection.execute("UPDATE pgsim._spending SET day = day - 1")
    assert backfill(dsn, "articles", letters, model="letters", options=FIVE).stored == 15
    with pytest.raises(errors.WrongState, match="used up"):
        db.embed("articles", letters, model="letters")


def test_tokens_and_money_are_budgets_too(dsn: str, db: pgsim.Database) -> None:
    class Counting(Letters):
        def count_tokens(self, texts: list[str]) -> list[int]:
            return [10] * len(texts)

    db.limit_backfill("articles", "letters", tokens_a_day=120)
    assert backfill(dsn, "articles", Counting(), model="letters", options=FIVE).stored == 10
    db.limit_backfill("articles", "letters", money_a_day=0.4, price=2)
    assert backfill(dsn, "articles", Counting(), model="letters", options=FIVE).stored == 20
    told = db.backfill_progress("articles", "letters")
    assert (told.tokens_today, told.money_today) == (300, pytest.approx(0.4))


def test_a_call_that_no_day_can_pay_is_an_error_and_loses_no_row(dsn: str, db: pgsim.Database) -> None:
    db.limit_backfill("articles", "letters", tokens_a_day=3)
    with pytest.raises(errors.BudgetTooSmall):
        backfill(dsn, "articles", Letters(), model="letters", options=FIVE)
    told = db.backfill_progress("articles", "letters")
    assert (told.pending, told.taken, told.workers) == (40, 0, 0)


def test_a_pause_holds_workers_before_their_next_call(
    dsn: str, db: pgsim.Database, connection: psycopg.Connection
) -> None:
    class Pausing(Letters):
        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            if len(self.batches) == 2:
                connection.execute("SELECT pgsim.pause_backfill('articles', 'letters', reason => 'too dear')")
            return super().embed_documents(texts)

    letters = Pausing()
    options = WorkerOptions(batch_rows=40, batch_tokens=30)
    assert backfill(dsn, "articles", letters, model="letters", options=options).stopped == "paused"
    assert len(letters.batches) == 3
    told = db.backfill_progress("articles", "letters")
    # What had been embedded of the batch is stored, the rest waits.
    assert (told.done, told.pending, told.taken) == (len(letters.texts), 40 - len(letters.texts), 0)
    assert told.reason == "too dear"
    ((problem, hint),) = connection.execute("SELECT problem, hint FROM pgsim.check() WHERE problem LIKE '%paused%'")
    assert "too dear" in problem
    with pytest.raises(errors.WrongState, match="paused"):
        db.embed("articles", letters, model="letters")
    connection.execute(hint.encode())
    assert db.embed("articles", Letters(), model="letters") == 40 - told.done


def test_a_worker_that_follows_waits_for_the_end_of_a_pause(
    dsn: str, db: pgsim.Database, connection: psycopg.Connection
) -> None:
    db.pause_backfill("articles", "letters")
    options = WorkerOptions(follow=True, poll=0.02)
    ended: list[BaseException] = []

    def follow() -> None:
        try:
            backfill(dsn, "articles", Letters(), model="letters", options=options)
        except errors.UnknownVersion as error:
            ended.append(error)

    worker = threading.Thread(target=follow)
    worker.start()
    while db.backfill_progress("articles", "letters").workers != 1:
        pass
    assert db.backfill_progress("articles", "letters").done == 0
    db.resume_backfill("articles", "letters")
    while wrong(connection):
        pass
    db.drop_version("articles", "letters")
    worker.join(30)
    assert len(ended) == 1


def test_a_rate_is_shared_by_all_workers(dsn: str, db: pgsim.Database) -> None:
    db.limit_backfill("articles", "letters", calls_a_second=40)
    began: list[float] = []

    class Timed(Letters):
        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            began.append(time.monotonic())
            return super().embed_documents(texts)

    backfill(dsn, "articles", Timed(), model="letters", workers=3, options=FIVE, index="none")
    # The eighth call begins seven fortieths of a second after the first, and never before.
    assert len(began) == 8
    assert max(began) - min(began) >= 7 / 40 - 0.02
    db.limit_backfill("articles", "letters", rows_a_second=1000)
    assert db.backfill_progress("articles", "letters").calls_a_second is None


@pytest.mark.parametrize(
    "limits",
    [
        {"calls_a_day": 0},
        {"tokens_a_day": -1},
        {"price": float("nan")},
        {"money_a_day": 3},
        {"rows_a_second": 0.0},
        {"rows_a_second": 1e-300},
        {"calls_a_second": 1e-7},
        {"price": float("inf")},
    ],
    ids=repr,
)
def test_limits_that_are_none_are_refused(db: pgsim.Database, limits: dict[str, float]) -> None:
    with pytest.raises(errors.InvalidArgument):
        db.limit_backfill("articles", "letters", **limits)  # type: ignore[arg-type]


def test_amounts_that_no_float_holds_are_limits_like_others(db: pgsim.Database, connection: psycopg.Connection) -> None:
    connection.execute("SELECT pgsim.limit_backfill('articles', 'letters', money_a_day => 1e400, price => 1e-400)")
    limits = "SELECT money_a_day = 1e400, price = 1e-400 FROM pgsim.backfill_progress WHERE model = 'letters'"
    assert connection.execute(limits).fetchone() == (True, True)
    assert db.embed("articles", Letters(), model="letters") == 40
    with pytest.raises(psycopg.Error) as raised:
        connection.execute("SELECT pgsim.limit_backfill('articles', price => 1e2000)")
    assert raised.value.sqlstate == "PS010"


def test_the_slowest_rate_that_is_allowed_holds_a_worker_and_does_not_end_it(dsn: str, db: pgsim.Database) -> None:
    db.limit_backfill("articles", "letters", rows_a_second=1e-6)
    with db.connection() as connection:
        [worker] = connection.execute(
            "SELECT worker FROM pgsim._begin_work('articles', 'letters', 'default', 'w')"
        ).fetchall()
        reserve = "SELECT verdict FROM pgsim._reserve(%s, 0, 10000, 1, '7 days')"
        assert connection.execute(reserve, worker).fetchall() == [("go",)]
        assert connection.execute(reserve, worker).fetchall() == [("go",)]


@pytest.mark.parametrize(
    "options",
    [{"batch_rows": 1.5}, {"batch_tokens": 2.0}, {"retries": "1"}, {"batch_rows": True}, {"lease": None}],
    ids=repr,
)
def test_options_of_a_worker_that_are_none_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidArgument, match=next(iter(options))):
        WorkerOptions(**options)  # type: ignore[arg-type]


def test_only_the_owner_of_pgsim_steers_a_backfill(connection: psycopg.Connection) -> None:
    connection.execute(
        "DROP ROLE IF EXISTS backfill_reader; CREATE ROLE backfill_reader; GRANT ALL ON articles TO backfill_reader"
    )
    try:
        connection.execute("SET ROLE backfill_reader")
        for call in ("pause_backfill('articles')", "resume_backfill('articles')", "limit_backfill('articles')",
                     "retry_poison('articles')", "finish_batch(1)", "next_batch('articles')"):  # fmt: skip
            with pytest.raises(psycopg.Error) as raised:
                connection.execute(f"SELECT pgsim.{call}".encode())
            assert raised.value.sqlstate == "PS032"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM pgsim.poison_rows")
        assert len(connection.execute("SELECT * FROM pgsim.backfill_progress").fetchall()) == 2
    finally:
        connection.execute("RESET ROLE; REVOKE ALL ON articles FROM backfill_reader; DROP ROLE backfill_reader")
