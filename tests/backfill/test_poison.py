"""An embedder that fails: rows that are to blame are set aside, an outage sets none aside."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from letters import Letters, wrong

import pgsim
from pgsim import errors
from pgsim.versions.backfill import backfill
from pgsim.versions.worker import WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from numpy.typing import NDArray

QUICK = WorkerOptions(batch_rows=16, retries=2, first_wait=0.001)


class Failing(Letters):
    """Does something wrong with every batch that holds the word ``poison``."""

    def __init__(self, fault: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        super().__init__()
        self.fault = fault

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = super().embed_documents(texts)
        return self.fault(vectors) if any("poison" in text for text in texts) else vectors


def raises(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    raise RuntimeError("context length exceeded")


def gives_nan(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.full_like(vectors, np.nan)


def gives_too_few(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors[1:]


@pytest.mark.parametrize("fault", [raises, gives_nan, gives_too_few])
def test_of_a_batch_that_fails_only_the_rows_to_blame_are_set_aside(
    dsn: str, db: pgsim.Database, connection: psycopg.Connection, fault: Callable[..., NDArray[np.float32]]
) -> None:
    connection.execute("UPDATE articles SET body = 'poison ' || id WHERE id IN (7, 8, 30)")
    done = backfill(dsn, "articles", Failing(fault), model="letters", options=QUICK)
    assert (done.stored, done.set_aside) == (37, 3)
    assert sorted(wrong(connection)) == [7, 8, 30]  # type: ignore[type-var]
    rows = connection.execute("SELECT key, error FROM pgsim.poison_rows ORDER BY key").fetchall()
    assert [key for key, _ in rows] == ["30", "7", "8"]
    assert all("Failing.embed_documents" in error for _, error in rows)
    # They wait for a change of their text, or to be asked for.
    letters = Letters()
    assert backfill(dsn, "articles", letters, model="letters").stored == 0
    connection.execute("UPDATE articles SET body = 'cured' WHERE id = 7; UPDATE articles SET views = 1")
    connection.execute("DELETE FROM articles WHERE id = 30")
    assert backfill(dsn, "articles", letters, model="letters").stored == 1
    ((problem, hint),) = connection.execute("SELECT problem, hint FROM pgsim.check()")
    assert problem.startswith("1 rows were set aside")
    assert "retry_poison('articles', 'letters', 'default')" in hint
    assert db.retry_poison("articles", "letters", keys=["nothing"]) == 0
    assert db.retry_poison("articles", "letters") == 1
    assert backfill(dsn, "articles", letters, model="letters").stored == 1
    assert wrong(connection) == []
    assert db.check() == []


@pytest.mark.parametrize("message", ["zero\0byte", "half a \udc80 character"])
def test_an_error_that_postgresql_cannot_keep_as_it_stands_sets_its_row_aside(
    dsn: str, connection: psycopg.Connection, message: str
) -> None:
    def fault(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        raise ValueError(message)

    connection.execute("UPDATE articles SET body = 'poison' WHERE id = 7")
    done = backfill(dsn, "articles", Failing(fault), model="letters", options=QUICK)
    assert (done.stored, done.set_aside) == (39, 1)
    ((error,),) = connection.execute("SELECT error FROM pgsim.poison_rows").fetchall()
    assert error == done.last_error
    assert "zero\\0byte" in error or "half a \\udc80 character" in error


def test_numbers_of_tokens_that_are_none_end_the_worker_and_spend_nothing(dsn: str, db: pgsim.Database) -> None:
    class Counting(Letters):
        gives: object

        def count_tokens(self, texts: list[str]) -> list[int]:
            if isinstance(self.gives, Exception):
                raise self.gives
            return self.gives and self.gives * len(texts)  # type: ignore[operator,no-any-return]

    db.limit_backfill("articles", "letters", tokens_a_day=1000)
    for gives in ([-1], [None], [float("nan")], [1.5], [2**31], [2**70], [True], ["3"], [], None, OSError("no file")):
        counting = Counting()
        counting.gives = gives
        with pytest.raises(errors.EmbedderError, match=r"Counting\.count_tokens"):
            backfill(dsn, "articles", counting, model="letters", index="none")
    told = db.backfill_progress("articles", "letters")
    assert (told.pending, told.tokens_today, told.poison) == (40, 0, 0)


def test_a_text_whose_tokens_cannot_be_counted_is_set_aside(dsn: str, connection: psycopg.Connection) -> None:
    class Counting(Letters):
        def count_tokens(self, texts: list[str]) -> list[int]:
            if any("poison" in text for text in texts):
                raise ValueError("not in the vocabulary")
            return [1] * len(texts)

    connection.execute("UPDATE articles SET body = 'poison' WHERE id = 7")
    options = WorkerOptions(batch_rows=16, batch_tokens=100)
    done = backfill(dsn, "articles", Counting(), model="letters", options=options)
    assert (done.stored, done.set_aside, wrong(connection)) == (39, 1, [7])


def test_a_vector_that_cannot_be_stored_sets_its_row_aside(dsn: str, connection: psycopg.Connection) -> None:
    connection.execute("UPDATE articles SET body = '123' WHERE id = 4")
    done = backfill(dsn, "articles", Letters(), model="letters", options=QUICK)
    assert (done.stored, done.set_aside) == (39, 1)
    assert connection.execute("SELECT key, error FROM pgsim.poison_rows").fetchall() == [
        ("4", "its vector is all zeros")
    ]


def test_an_outage_sets_no_row_aside(dsn: str, db: pgsim.Database) -> None:
    class Down(Letters):
        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            super().embed_documents(texts)
            if len(self.batches) > 1:
                raise ConnectionError("no route to host")
            return super().embed_documents(texts)

    down = Down()
    with pytest.raises(errors.EmbedderError, match="no route to host"):
        backfill(dsn, "articles", down, model="letters", options=QUICK)
    told = db.backfill_progress("articles", "letters")
    assert (told.poison, told.taken, told.pending + told.done) == (0, 0, 40)
    assert db.embed("articles", Letters(), model="letters") == told.pending


def test_a_failure_that_passes_is_survived(dsn: str) -> None:
    class Shaky(Letters):
        failed = 0

        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            self.failed += 1
            if self.failed % 3:
                raise TimeoutError("busy")
            return super().embed_documents(texts)

    done = backfill(dsn, "articles", Shaky(), model="letters", options=QUICK)
    assert (done.stored, done.set_aside, done.calls) == (40, 0, 9)


def test_a_model_of_another_width_stops_at_once(dsn: str, db: pgsim.Database) -> None:
    class Wide(Letters):
        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            return np.ones((len(texts), 27), np.float32)

    with pytest.raises(errors.DimensionMismatch):
        backfill(dsn, "articles", Wide(), model="letters", options=QUICK)
    told = db.backfill_progress("articles", "letters")
    assert (told.poison, told.taken, told.pending) == (0, 0, 40)


def test_an_embedder_that_hangs_is_left_behind(dsn: str, db: pgsim.Database) -> None:
    let_go = threading.Event()

    class Hanging(Letters):
        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            if any("poison" in text for text in texts):
                let_go.wait(60)
            return super().embed_documents(texts)

    with db.connection() as connection:
        connection.execute("UPDATE articles SET body = 'poison' WHERE id = 9")
    began = time.monotonic()
    options = WorkerOptions(batch_rows=4)
    done = backfill(dsn, "articles", Hanging(), model="letters", options=options, timeout=0.1)
    assert (done.stored, done.set_aside) == (39, 1)
    assert "no answer within 0.1 seconds" in str(done.last_error)
    assert time.monotonic() - began < 30
    let_go.set()


def test_embed_says_what_it_could_not_do_and_tries_it_again(db: pgsim.Database, connection: psycopg.Connection) -> None:
    connection.execute("UPDATE articles SET body = 'poison' WHERE id = 9")
    with pytest.raises(errors.EmbedderError, match=r"1 rows .* context length exceeded"):
        db.embed("articles", Failing(raises), model="letters", batch_size=8)
    assert wrong(connection) == [9]
    assert db.embed("articles", Letters(), model="letters") == 1
