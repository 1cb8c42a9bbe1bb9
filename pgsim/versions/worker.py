"""A worker that embeds the rows that wait, without a connection: a body that says what is to be done next.

No transaction is open while the embedder works, however slow it is: an open one keeps VACUUM from cleaning up behind
every writer of the database. What a worker takes stands in a table meanwhile, and goes back into the queue when its
session ends or its lease does. Nothing depends on that for being right: a vector is stored only while the row's text is
the one it was made from, by the statement that stores it.
"""

from __future__ import annotations

import operator
import reprlib
import struct
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast

import psycopg

from pgsim.embedders.checking import checked_documents
from pgsim.embedders.protocol import TokenCounter
from pgsim.errors import (
    ConnectionFailed,
    EmbedderError,
    InvalidArgument,
    InvalidVector,
    MissingExtra,
    UnknownVersion,
    WrongState,
)
from pgsim.steps import Work, copy, query

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pgsim.calls import Model
    from pgsim.embedders.protocol import Embedder
    from pgsim.steps import Steps

T = TypeVar("T")

_TAKE = """
SELECT b.key, b.source, b.source_hash, b.batch
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t
CROSS JOIN LATERAL pgsim._take_batch(t, %(rows)s, make_interval(secs => %(lease)s), %(worker)s) AS b
"""
_LOOK = """
SELECT p.pending + p.pending_deletes, p.taken, p.paused_at IS NOT NULL, p.poison FROM pgsim.backfill_progress AS p
WHERE p.collection = %(collection)s AND p.model = %(model)s AND p.embedding = %(embedding)s
"""
_RESERVE = """
SELECT r.verdict, r.wait
FROM pgsim._reserve(%(worker)s, %(batch)s, %(rows)s, %(tokens)s, make_interval(secs => %(lease)s)) AS r
"""
_STORE = """
SELECT s.stored, s.refused, s.busy
FROM pgsim._store_batch(%(batch)s, %(worker)s, make_interval(secs => %(lease)s)) AS s
"""
_SET_ASIDE = "SELECT pgsim._set_aside(%(version)s, %(key)s, %(hash)s, %(error)s)"
_COPY = "COPY pg_temp.pgsim_vectors (key, source_hash, embedding) FROM STDIN (FORMAT binary)"
_LOCKED_FOR = 0.05
"""Seconds that a transaction aims to hold its locks for: deleting a row waits for the one that stores its vector."""
_MOST_TOKENS = 2**31 - 1

_ALONE = 50
"""Rows of a batch that are stored one by one where others are writing them; what is left of them comes again."""


@dataclass(frozen=True)
class Transaction:
    """Statements that commit together."""

    steps: Steps[object]


@dataclass(frozen=True)
class Rest:
    """Nothing to do for so many seconds."""

    seconds: float


Tasks: TypeAlias = Generator[Transaction | Work[object] | Rest, object, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works.

    Args:
        batch_rows: rows taken and stored together, 1 to 10,000: what a crash loses the work on.
        batch_tokens: tokens in one call of the embedder, which is called more than once for a batch then.
        retries: how often a call is tried again that failed, after a random wait that doubles up to ``longest_wait``.
        first_wait: the longest wait before the first of them, in seconds.
        longest_wait: seconds.
        lease: seconds that a call and the storing of its batch may take, before others do it over.
        follow: wait for changes when nothing is left, and through pauses and used-up budgets.
        poll: seconds between looks for changes.
        name: how the worker is called in the database.
    """

    batch_rows: int = 64
    batch_tokens: int | None = None
    retries: int = 0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    lease: float = 900.0
    follow: bool = False
    poll: float = 1.0
    name: str = "worker"

    def __post_init__(self) -> None:
        for name, least, most in (
            ("batch_rows", 1, 10_000),
            ("batch_tokens", 1, 2**31 - 1),
            ("retries", 0, 1000),
            ("first_wait", 0, 86_400),
            ("longest_wait", 0, 86_400),
            ("lease", 1, 604_800),
            ("poll", 0.01, 3600),
        ):
            value: object = getattr(self, name)
            if value is None and name == "batch_tokens":
                continue
            is_whole = name in {"batch_rows", "batch_tokens", "retries"}
            kinds = (int,) if is_whole else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= most:
                raise InvalidArgument(
                    f"{name} is {value!r}; it is {'a whole number ' if is_whole else ''}from {least} to {most}",
                    hint="Leave it to its default.",
                )


@dataclass(slots=True)
class Tally:
    """What workers have done. ``stopped``: why they ended: nothing was left, a pause, or the day's budget."""

    stored: int = 0
    set_aside: int = 0
    calls: int = 0
    stopped: Literal["empty", "paused", "spent"] = "empty"
    last_error: str | None = None


@dataclass(slots=True)
class _Batch:
    id: int
    keys: list[str]
    texts: list[str]
    hashes: list[bytes]
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    poison: dict[int, str] = field(default_factory=dict)


def done(tally: Tally, collection: str) -> int:
    """How many rows were stored, when all were.

    Raises:
        WrongState: the backfill is paused, or its budget used up.
        EmbedderError: rows were set aside.
    """
    if tally.stopped != "empty":
        raise WrongState(
            f"the backfill of {collection!r} is paused"
            if tally.stopped == "paused"
            else f"the budget of {collection!r} is used up for today (UTC)",
            hint="pgsim.resume_backfill lets it go on."
            if tally.stopped == "paused"
            else "pgsim.limit_backfill sets it.",
        )
    if tally.set_aside:
        raise EmbedderError(
            f"{tally.set_aside} rows of {collection!r} could not be embedded and were set aside: {tally.last_error}",
            detail=f"{tally.stored} rows were embedded.",
            hint="pgsim.poison_rows lists them; pgsim.retry_poison, or a change of their text, has them tried again.",
        )
    return tally.stored


class _Held(Exception):
    """The embedder must not be called now."""

    def __init__(self, why: Literal["paused", "spent"]) -> None:
        self.why = why


def read_budget(text: str | None) -> dict[str, float]:
    """``calls=1000,tokens=2e6,money=5`` as numbers by their names.

    Raises:
        InvalidArgument: another name, a name twice, or no number.
    """
    return _numbers(text, "a budget", ("calls", "tokens", "money"), "calls=1000,tokens=2000000,money=5")


def read_rate(text: str | None) -> dict[str, float]:
    """``calls=5`` or ``rows=200`` a second, or both, as numbers by their names; a number alone is of calls."""
    if text is not None and "=" not in text:
        text = f"calls={text}"
    return _numbers(text, "a rate", ("calls", "rows"), "calls=5,rows=200")


def _numbers(text: str | None, what: str, names: tuple[str, ...], example: str) -> dict[str, float]:
    read: dict[str, float] = {}
    for part in (text or "").split(",") if text is not None else []:
        name, _, number = (each.strip() for each in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if name not in names or name in read or not 0 < value < float("inf"):
            raise InvalidArgument(
                f"{part.strip()!r} is no part of {what}; it has {', '.join(names)}, each once, above 0",
                hint=f"For instance {example}.",
            )
        read[name] = value
    return read


@dataclass
class Worker:
    """Fills one version. `run` is its life, as tasks for a shell to carry out."""

    collection: str
    model: Model
    embedding: str
    embedder: Embedder
    options: WorkerOptions
    tally: Tally = field(default_factory=Tally)
    progress: Callable[[Tally], None] | None = None
    _id: int = 0
    _version: int = 0
    _chunk: int = 200
    _tired: float = 0.05

    def run(self) -> Tasks[Tally]:
        """Work until nothing is left that waits or is with another worker; under ``follow`` until something fails.

        Raises:
            EmbedderError: the embedder fails for every text, after its retries. Its batch is in the queue again.
            DimensionMismatch: it gives vectors of another width.
        """
        yield from _transaction(self._begin())
        try:
            yield from self._work_off()
        finally:
            # What is not stored goes back at once. Where the connection is gone, it does so by itself.
            with suppress(psycopg.Error, ConnectionFailed):
                yield from _transaction(self._end())
        return self.tally

    def _work_off(self) -> Tasks[None]:
        rest = 0.05
        while True:
            batch = yield from _transaction(self._take())
            if batch is not None:
                rest = 0.05
                held = yield from self._batch(batch)
                if held is None:
                    continue
            else:
                waiting, taken, paused, _ = yield from _transaction(self._look())
                held = "paused" if paused and (waiting or taken) else None
                if held is None and not waiting and not taken:
                    if not self.options.follow:
                        self.tally.stopped = "empty"
                        return
                    rest = self.options.poll
            if held is not None:
                if not self.options.follow:
                    self.tally.stopped = held
                    return
                rest = self.options.poll
            # Others hold what is left: it is stored soon, or comes back.
            yield Rest(rest)
            rest = min(rest * 2, self.options.poll)

    def _batch(self, batch: _Batch) -> Tasks[Literal["paused", "spent"] | None]:
        held: Literal["paused", "spent"] | None = None
        try:
            for part in self._parts(batch):
                yield from self._embed(batch, part, tries=self.options.retries + 1)
        except _Held as reason:
            held = reason.why
        except (EmbedderError, InvalidVector):
            # What was embedded before it failed has been paid for.
            yield from self._store(batch)
            raise
        yield from self._store(batch)
        return held

    def _parts(self, batch: _Batch) -> list[list[int]]:
        everything = list(range(len(batch.texts)))
        if self.options.batch_tokens is None:
            return [everything]
        parts: list[list[int]] = []
        try:
            sizes = self._tokens([batch.texts[i] for i in everything])
        except EmbedderError:
            # One text may be to blame, and is found like one that cannot be embedded.
            return [[i] for i in everything]
        left = 0
        for i, size in zip(everything, sizes, strict=True):
            if not parts or size > left:
                parts.append([])
                left = self.options.batch_tokens
            parts[-1].append(i)
            left -= size
        return parts

    def _tokens(self, texts: list[str]) -> list[int]:
        documents = [self.model.document_prefix + text for text in texts]
        of = getattr(self.embedder, "of", self.embedder)
        if isinstance(of, TokenCounter):
            return _checked_counts(of, documents)
        return [max(1, -(-len(text) // 4)) for text in documents]

    def _embed(self, batch: _Batch, part: list[int], *, tries: int) -> Tasks[None]:
        """Embed a part of a batch; of one that cannot be embedded set aside only the rows that are to blame."""
        try:
            vectors = yield from self._patient_call(batch.id, [batch.texts[i] for i in part], tries)
        except (EmbedderError, InvalidVector) as error:
            # A row is to blame only when the embedder works for a text that is known to be harmless.
            yield from self._call(batch.id, ["pgsim"], blame=error)
            if len(part) == 1:
                batch.poison[part[0]] = self.tally.last_error = _storable(error.message)
                return
            middle = len(part) // 2
            yield from self._embed(batch, part[:middle], tries=1)
            yield from self._embed(batch, part[middle:], tries=1)
        else:
            batch.vectors.update(zip(part, vectors, strict=True))

    def _patient_call(self, batch: int, texts: list[str], tries: int) -> Tasks[NDArray[np.float32]]:
        if tries == 1:
            return (yield from self._call(batch, texts))
        try:
            import tenacity  # noqa: PLC0415 -- an extra
        except ImportError as error:
            raise MissingExtra(
                f"retries need the package tenacity ({error})", hint="pip install 'pgsim[cli]'."
            ) from error
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(tries),
            wait=tenacity.wait_random_exponential(multiplier=self.options.first_wait, max=self.options.longest_wait),
            # What a model makes of a text does not change by asking again.
            retry=tenacity.retry_if_exception_type(EmbedderError),
            reraise=True,
        )
        state = tenacity.RetryCallState(retrying, fn=None, args=(), kwargs={})
        retrying.begin()
        while True:
            todo = retrying.iter(retry_state=state)
            if isinstance(todo, tenacity.DoAttempt):
                try:
                    vectors = yield from self._call(batch, texts)
                except (EmbedderError, InvalidVector):
                    state.set_exception(sys.exc_info())  # type: ignore[arg-type]
                else:
                    state.set_result(vectors)
            elif isinstance(todo, tenacity.DoSleep):
                state.prepare_for_next_attempt()
                yield Rest(float(todo))
            else:
                return cast("NDArray[np.float32]", todo)

    def _call(
        self, batch: int, texts: list[str], *, blame: EmbedderError | InvalidVector | None = None
    ) -> Tasks[NDArray[np.float32]]:
        """Call the embedder, when budget and rate allow; ``blame``: the error to raise when this call fails too."""
        wait = yield from _transaction(self._reserve(batch, len(texts), sum(self._tokens(texts))))
        if wait:
            yield Rest(wait)
        documents = [self.model.document_prefix + text for text in texts]
        self.tally.calls += 1
        try:
            answer = yield Work(partial(checked_documents, self.embedder, documents, self.model.dim))
        except (EmbedderError, InvalidVector) as error:
            raise blame or error from error.__cause__
        return cast("NDArray[np.float32]", answer)

    def _store(self, batch: _Batch) -> Tasks[None]:
        """Store what was embedded, in transactions that are short for those who wait for their locks."""
        places = list(batch.vectors)
        alone: list[list[int]] = []
        stored = 0
        finished = False
        while not finished:
            if places or not alone:
                part, places = places[: self._chunk], places[self._chunk :]
            else:
                part = alone.pop()
            last = not places and not alone
            began = time.monotonic()
            told = yield from _transaction(self._store_part(batch, part, last=last))
            took = time.monotonic() - began
            if told is None:
                break
            kept, busy = told
            stored += kept
            finished = last and not busy
            # Whoever stores one row alone holds nothing that others wait for, and may wait for them.
            if len(part) > 1:
                alone = [[i] for i in busy][:_ALONE] + alone
            elif last and busy:
                yield from _transaction(self._store_part(batch, [], last=True))
                finished = True
            if len(part) > 1 and (len(part) == self._chunk or took > _LOCKED_FOR):
                self._chunk = min(10_000, max(8, int(len(part) * min(2.0, _LOCKED_FOR / max(took, 1e-6)))))
        self.tally.stored += stored
        self.tally.set_aside += len(batch.poison)
        if self.progress:
            self.progress(self.tally)
        # Nothing of it could be stored: somebody is deleting these rows. Embedding them again at once would be no use.
        self._tired = min(self._tired * 2, 30.0) if batch.vectors and not stored else 0.05
        if self._tired > 0.05:
            yield Rest(self._tired)

    def _begin(self) -> Steps[None]:
        rows = yield from query(
            "SELECT b.worker, b.version "
            "FROM pgsim._begin_work(%(collection)s, %(model)s, %(embedding)s, %(name)s) AS b",
            {**self._names, "name": self.options.name},
        )
        self._id, self._version = (cast("int", value) for value in rows[0])

    def _end(self) -> Steps[None]:
        yield from query("SELECT pgsim._end_work(%(worker)s)", {"worker": self._id})

    def _take(self) -> Steps[_Batch | None]:
        rows = yield from query(
            _TAKE,
            {**self._names, "rows": self.options.batch_rows, "lease": self.options.lease, "worker": self._id},
        )
        if not rows:
            return None
        keys, texts, hashes, batches = (list(column) for column in zip(*rows, strict=True))
        return _Batch(
            cast("int", batches[0]),
            cast("list[str]", keys),
            cast("list[str]", texts),
            [bytes(cast("bytes", each)) for each in hashes],
        )

    def _look(self) -> Steps[tuple[int, int, bool, int]]:
        rows = yield from query(_LOOK, self._names)
        if not rows:
            raise self._gone()
        return cast("tuple[int, int, bool, int]", rows[0])

    def _reserve(self, batch: int, rows: int, tokens: int) -> Steps[float | None]:
        told = yield from query(
            _RESERVE,
            {"worker": self._id, "batch": batch, "rows": rows, "tokens": tokens, "lease": self.options.lease},
        )
        verdict, wait = cast("tuple[str, float | None]", told[0])
        if verdict == "gone":
            raise self._gone()
        if verdict != "go":
            raise _Held("paused" if verdict == "paused" else "spent")
        return wait

    def _store_part(self, batch: _Batch, part: list[int], *, last: bool) -> Steps[tuple[int, list[int]] | None]:
        stored: int | None = 0
        busy: list[int] = []
        if part:
            yield from query("SELECT pgsim._begin_store()")
            yield from copy(_COPY, _binary([(batch.keys[i], batch.hashes[i], batch.vectors[i]) for i in part]))
            rows = yield from query(_STORE, {"batch": batch.id, "worker": self._id, "lease": self.options.lease})
            stored, refused, keys = cast("tuple[int | None, int | None, list[str] | None]", rows[0])
            if refused:
                self.tally.set_aside += refused
                self.tally.last_error = "its vector cannot be stored under the model; pgsim.poison_rows tells why"
            busy = [i for i in part if batch.keys[i] in set(keys or [])]
        if stored is None:
            return None
        if last and not busy:
            for i, error in batch.poison.items():
                yield from query(
                    _SET_ASIDE,
                    {"version": self._version, "key": batch.keys[i], "hash": batch.hashes[i], "error": error},
                )
            # Puts back what was not stored; nothing is there to finish when the lease ended.
            yield from query(
                "SELECT pgsim.finish_batch(b.id) FROM pgsim._batch AS b WHERE b.id = %(batch)s", {"batch": batch.id}
            )
        return stored, busy

    def _gone(self) -> UnknownVersion:
        return UnknownVersion(
            f"the version of {self.collection!r} under model {self.model.name!r} was dropped while a worker filled it",
            hint="The view pgsim.versions lists what there is.",
        )

    @property
    def _names(self) -> dict[str, object]:
        return {"collection": self.collection, "model": self.model.name, "embedding": self.embedding}


def _storable(message: str) -> str:
    """A message as PostgreSQL can keep it: it has no zero bytes, and no halves of characters."""
    return message.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def _checked_counts(counter: TokenCounter, documents: list[str]) -> list[int]:
    giver = f"{type(counter).__name__}.count_tokens"
    hint = f"Return a whole number from 0 to {_MOST_TOKENS} for each text."
    try:
        counts: list[object] = list(counter.count_tokens(documents))
    except Exception as error:
        raise EmbedderError(f"{giver} raised {type(error).__name__}: {error}", hint=hint) from error
    if len(counts) != len(documents):
        raise EmbedderError(f"{giver} gave {len(counts)} numbers for {len(documents)} texts", hint=hint)
    whole = []
    for count in counts:
        try:
            number = operator.index(count)  # type: ignore[arg-type]
        except TypeError:
            number = -1
        if isinstance(count, bool) or not 0 <= number <= _MOST_TOKENS:
            raise EmbedderError(f"{giver} gave {reprlib.repr(count)}, which is no number of tokens", hint=hint)
        whole.append(number)
    return whole


def _transaction(steps: Steps[T]) -> Tasks[T]:
    return cast("T", (yield Transaction(steps)))


_HEAD = struct.Struct(">hi")
_LENGTH = struct.Struct(">i")


def _binary(rows: list[tuple[str, bytes, NDArray[np.float32]]]) -> bytes:
    """Rows of text, bytea and vector in COPY's binary format (PostgreSQL's manual, COPY; pgvector's vector_send)."""
    parts = [b"PGCOPY\n\xff\r\n\0", bytes(8)]
    for key, digest, vector in rows:
        name = key.encode()
        body = vector.astype(">f4").tobytes()
        parts += [
            _HEAD.pack(3, len(name)),
            name,
            _LENGTH.pack(len(digest)),
            digest,
            struct.pack(">ihh", 4 + len(body), len(vector), 0),
            body,
        ]
    parts.append(b"\xff\xff")
    return b"".join(parts)
