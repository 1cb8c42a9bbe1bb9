"""Filling a version, and what that costs those who write and search meanwhile."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

from benchmarks.corpus import load_corpus
from benchmarks.report import at_least, at_most, database, publish
from pgsim.database import Database
from pgsim.vectors import vector_text
from pgsim.versions.backfill import backfill
from pgsim.versions.worker import WorkerOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.corpus import Corpus
    from pgsim.steps import Row

    Connection = psycopg.Connection[Row]


class Known:
    """An embedder that costs nothing: it has the vectors of all texts."""

    def __init__(self, corpus: Corpus) -> None:
        column = list(corpus.types).index(corpus.text_column)
        self._places = {str(row[column]).strip(): place for place, row in enumerate(corpus.rows)}
        self._vectors = corpus.vectors

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """``(n, d) float32``."""
        return np.asarray(self._vectors[[self._places[text] for text in texts]])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """``(d,) float32``."""
        return np.asarray(self._vectors[self._places.get(text, 0)])


def _version(connection: Connection, model: str, dim: int) -> str:
    # It knows the corpus' texts alone, and so no probe.
    connection.execute("SELECT pgsim.create_model(%s, dim => %s, properties => '{\"probes\": false}')", [model, dim])
    connection.execute("SELECT pgsim.create_version('item', %s)", [model])
    rows = connection.execute("SELECT relation::text FROM pgsim.versions WHERE model = %s", [model]).fetchall()
    return str(rows[0][0])


def _bare_copy(connection: Connection, table: str, vectors: NDArray[np.float32]) -> float:
    """Rows a second of a COPY into an empty version table, its key and foreign key as they are."""
    started = time.perf_counter()
    with connection.cursor().copy(f"COPY {table} (key, embedding) FROM STDIN (FORMAT binary)".encode()) as copy:
        copy.set_types(["integer", "vector"])
        for key, vector in enumerate(vectors, 1):
            copy.write_row([key, vector])
    return len(vectors) / (time.perf_counter() - started)


def _fill(connection: Connection, known: Known, table: str, workers: int, rows: int) -> float:
    """Rows a second of workers that fill the empty version table."""
    connection.execute(f"TRUNCATE {table}; TRUNCATE pgsim._queue; CHECKPOINT".encode())
    Database(connection).enqueue_missing("item", "new")
    started = time.perf_counter()
    done = backfill(
        _dsn(connection), "item", known, model="new", workers=workers, index="none",
        options=WorkerOptions(batch_rows=1000),
    )  # fmt: skip
    took = time.perf_counter() - started
    if done.stored != rows:
        raise SystemExit(f"{done.stored} of {rows} rows were stored")
    return rows / took


def _hot(connection: Connection, table: str) -> float:
    """The share of a table's updates that were HOT."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    hot = connection.execute(
        "SELECT n_tup_hot_upd::float8 / nullif(n_tup_upd, 0) FROM pg_stat_user_tables WHERE relid = %s::regclass",
        [table],
    ).fetchall()
    return float(str(hot[0][0] or 0))


def _updates(
    connection: Connection, corpus: Corpus, rounds: int
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Seconds to update a column of a twentieth of the rows that no text comes from, with versions and without.

    Then how many times those of the table without, and the share that was HOT.
    """
    text = corpus.text_column
    kinds = ("plain", "item", "beside")
    connection.execute(
        f"CREATE TABLE plain (id int PRIMARY KEY, {text} text, hits int NOT NULL DEFAULT 0) WITH (fillfactor = 80);"
        f"CREATE TABLE beside (LIKE plain INCLUDING ALL, embedding vector({corpus.dim})) WITH (fillfactor = 80);"
        f"INSERT INTO plain (id, {text}) SELECT id, {text} FROM item;"
        f"INSERT INTO beside (id, {text}) SELECT id, {text} FROM item".encode()
    )
    connection.execute("CREATE TEMP TABLE arrived (id int PRIMARY KEY, embedding vector)")
    with connection.cursor().copy(b"COPY arrived FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["integer", "vector"])
        for key, vector in enumerate(corpus.vectors, 1):
            copy.write_row([key, vector])
    connection.execute("UPDATE beside AS b SET embedding = a.embedding FROM arrived AS a WHERE a.id = b.id")
    connection.execute("CREATE INDEX ON beside USING hnsw (embedding vector_cosine_ops)")
    # How long a disk takes to sync is noise that has nothing to do with it.
    connection.execute("SET synchronous_commit = off")
    connection.execute("SELECT pg_stat_reset()")
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds:
            connection.execute(f"VACUUM (FREEZE, ANALYZE) {kind}".encode())
        # In turns, a few milliseconds each, so that drift hits all of them alike: neighbours are compared.
        for part in range(20):
            turn = (number + part) % len(kinds)
            for kind in kinds[turn:] + kinds[:turn]:
                started = time.perf_counter()
                connection.execute(f"UPDATE {kind} SET hits = hits + 1 WHERE mod(id, 20) = {part}".encode())
                times[kind].append(time.perf_counter() - started)
    connection.execute("RESET synchronous_commit")
    ratios = {kind: float(np.median(np.divide(taken, times["plain"]))) for kind, taken in times.items()}
    hot = {kind: _hot(connection, kind) for kind in kinds}
    return {kind: float(np.median(taken)) for kind, taken in times.items()}, ratios, hot


def _searches(connection: Connection, queries: NDArray[np.float32], seconds: float) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        query = vector_text(queries[len(times) % len(queries)])
        started = time.perf_counter()
        connection.execute("SELECT key FROM pgsim.search('item', %s, k => 10, model => 'old')", [query]).fetchall()
        times.append(time.perf_counter() - started)
    return times


def _search_during(
    connection: Connection, corpus: Corpus, table: str, *, rate: float, seconds: float
) -> dict[str, list[float]]:
    """Seconds of each search at rest, while a worker fills at a rate, and while it goes as fast as it can."""
    known = Known(corpus)
    times = {"at rest": _searches(connection, corpus.queries, seconds)}
    kinds: dict[str, tuple[float | None, int]] = {f"{rate:g} rows/s": (rate, 50), "no limit": (None, 1000)}
    for kind, (limit, size) in kinds.items():
        connection.execute(f"TRUNCATE {table}; TRUNCATE pgsim._queue; CHECKPOINT".encode())
        Database(connection).limit_backfill("item", "new", rows_a_second=limit)
        done = threading.Event()

        def fill(size: int = size, done: threading.Event = done) -> None:
            while not done.is_set():
                backfill(
                    _dsn(connection), "item", known, model="new", index="none", options=WorkerOptions(batch_rows=size)
                )
                if not done.is_set():
                    with psycopg.connect(_dsn(connection), autocommit=True) as own:
                        own.execute(f"TRUNCATE {table}".encode())

        worker = threading.Thread(target=fill)
        worker.start()
        time.sleep(1)
        times[kind] = _searches(connection, corpus.queries, seconds)
        done.set()
        connection.execute("SELECT pgsim.pause_backfill('item', 'new')")
        worker.join()
        connection.execute("SELECT pgsim.resume_backfill('item', 'new')")
    return times


class Same:
    """One vector for all texts: what it is makes no difference to a pointer."""

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """``(n, 8) float32``."""
        return np.ones((len(texts), 8), np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:  # noqa: ARG002 -- as of all embedders
        """``(8,) float32``."""
        return np.ones(8, np.float32)


def _pages(connection: Connection, rows: int) -> None:
    """A table of so many rows, under two models."""
    connection.execute(
        f"CREATE TABLE page (id int PRIMARY KEY, body text);"
        f"INSERT INTO page SELECT i, 'some text, number ' || i FROM generate_series(1, {rows}) AS i;"
        "SELECT pgsim.create_collection('page', text_columns => '{body}')".encode()
    )
    for model in ("before", "after"):
        connection.execute("SELECT pgsim.create_model(%s, 8, properties => '{\"probes\": false}')", [model])
        connection.execute("SELECT pgsim.create_version('page', %s)", [model])
        ((table,),) = connection.execute(
            "SELECT relation::text FROM pgsim.versions WHERE model = %s", [model]
        ).fetchall()
        connection.execute(f"INSERT INTO {table} SELECT id, '[1,1,1,1,1,1,1,1]' FROM page".encode())
        connection.execute(f"VACUUM ANALYZE {table}".encode())
    connection.execute("VACUUM ANALYZE page")


def _write_pages(connection: Connection, rows: int, number: int) -> None:
    """Write a few hundred rows, and have workers embed them under both models."""
    first = rows + 100 * number
    connection.execute(
        "INSERT INTO page SELECT i, 'new' FROM generate_series(%s::int, %s) AS i", [first + 1, first + 100]
    )
    connection.execute(
        "UPDATE page SET body = body || '!' WHERE id BETWEEN %s AND %s", [100 * number, 100 * number + 99]
    )
    connection.execute(
        "DELETE FROM page WHERE id BETWEEN %s AND %s", [rows // 2 + 50 * number, rows // 2 + 50 * number + 49]
    )
    for model in ("before", "after"):
        backfill(_dsn(connection), "page", Same(), model=model, index="none")


def _switches(connection: Connection, rows: int, rounds: int) -> dict[str, float]:
    """The longest of the seconds that `pgsim.activate` and `pgsim.rollback` take, each after rows were written."""
    _pages(connection, rows)
    started = time.perf_counter()
    connection.execute("SELECT pgsim.mark_ready('page', 'after')")
    compared = time.perf_counter() - started
    connection.execute("SELECT pgsim.mark_ready('page', 'before')")
    times: dict[str, list[float]] = {"activate": [], "rollback": []}
    for number in range(rounds):
        for name, statement in (
            ("activate", "SELECT pgsim.activate('page', 'after')"),
            ("rollback", "SELECT pgsim.rollback('page')"),
        ):
            _write_pages(connection, rows, 2 * number + (name == "rollback"))
            started = time.perf_counter()
            connection.execute(statement.encode())
            times[name].append(time.perf_counter() - started)
    return {"compare rows and vectors, once": compared, **{name: max(taken) for name, taken in times.items()}}


def _dsn(connection: Connection) -> str:
    return connection.info.dsn


def _load(connection: Connection, corpus: Corpus) -> None:
    text = corpus.text_column
    place = list(corpus.types).index(text)
    connection.execute(
        f"CREATE TABLE item (id int PRIMARY KEY, {text} text, hits int NOT NULL DEFAULT 0) "
        "WITH (fillfactor = 80)".encode()
    )
    with connection.cursor().copy(f"COPY item (id, {text}) FROM STDIN".encode()) as copy:
        for key, row in enumerate(corpus.rows, 1):
            copy.write_row([key, row[place]])
    connection.execute("VACUUM ANALYZE item")
    connection.execute("SELECT pgsim.create_collection('item', text_columns => %s)", [[text]])


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=6, help="of searches, at rest and during each fill")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=500, help="rows a second of the fill that searches run beside")
    parser.add_argument("--switch-rows", type=int, default=1_000_000, help="of the table whose version is changed")
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    corpus = load_corpus()
    known = Known(corpus)
    count = len(corpus.rows)
    with database("bench_versions", postgres=arguments.postgres) as connection:
        register_vector(connection)
        _load(connection, corpus)
        old, new = _version(connection, "old", corpus.dim), _version(connection, "new", corpus.dim)
        copied, filled = [], []
        for _ in range(3):
            connection.execute(f"TRUNCATE {new}; CHECKPOINT".encode())
            copied.append(_bare_copy(connection, new, corpus.vectors))
            filled.append(_fill(connection, known, new, arguments.workers, count))
        _bare_copy(connection, old, corpus.vectors)
        updates, slower, hot = _updates(connection, corpus, arguments.rounds)
        connection.execute("SELECT pgsim.create_index('item', 'old')")
        connection.execute("SELECT pgsim.calibrate('item')")
        times = _search_during(connection, corpus, new, rate=arguments.rate, seconds=arguments.seconds)
        switches = _switches(connection, arguments.switch_rows, arguments.rounds)
    copy_speed, fill_speed = float(np.median(copied)), float(np.median(filled))
    p95 = {kind: float(np.percentile(taken, 95)) for kind, taken in times.items()}
    rest = p95.pop("at rest")
    paced, full = list(p95)
    rows: list[tuple[object, ...]] = [
        ("bare COPY into the version table", f"{copy_speed:,.0f} rows/s", "1"),
        (f"backfill, {arguments.workers} workers", f"{fill_speed:,.0f} rows/s", f"{fill_speed / copy_speed:.2f}"),
        ("update, without pgsim", _ms(updates["plain"]), "1"),
        ("update, two versions live", _ms(updates["item"]), f"{slower['item']:.2f}"),
        ("update, vectors in the table, HNSW", _ms(updates["beside"]), f"{slower['beside']:.2f}"),
        ("search p95, at rest", _ms(rest), "1"),
        *((f"search p95, filling, {kind}", _ms(value), f"{value / rest:.2f}") for kind, value in p95.items()),
        *((f"{name}, {arguments.switch_rows:,} rows", _ms(seconds), "") for name, seconds in switches.items()),
    ]
    fast: bool = fill_speed >= 20_000 or fill_speed >= 0.6 * copy_speed
    kept = publish(
        "versions",
        f"A second version of {count} rows of {corpus.name}",
        ["what", "#measured", "#ratio"],
        rows,
        {
            f"a backfill stores 20,000 rows a second, or 60% of a bare COPY ({fill_speed:,.0f})": fast,
            **at_most(
                "an update of another column takes at most 1.1 times as long while two versions are live",
                {"pgsim": slower["item"]},
                1.1,
            ),
            **at_least("and stays heap-only as it is without", {"pgsim": hot["item"] - hot["plain"]}, -0.02),
            **at_most(f"search p95 during a backfill of {paced} is at most 1.5 times that at rest",
                      {paced: p95[paced] / rest}, 1.5),
            **at_most("activate and rollback, after rows were written, take at most 0.05 s",
                      {name: switches[name] for name in ("activate", "rollback")}, 0.05),
        },
        figures={"copy": copied, "fill": filled, "updates": updates, "slower": slower, "hot": hot,
                 "p95": {"at rest": rest, **p95},
                 "p95 without limit": p95[full], "switches": switches},
    )  # fmt: skip
    sys.exit(0 if kept else 1)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


if __name__ == "__main__":
    main()
