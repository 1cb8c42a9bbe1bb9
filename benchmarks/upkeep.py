"""What codes cost to build and to keep: bytes, seconds, and slower inserts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from benchmarks.corpus import Corpus
    from pgsim.steps import Row

# Tables that get the same rows: with and without a vector index, with and without codes.
TABLES = ("bare", "bare_codes", "hnsw", "hnsw_codes")


@dataclass(frozen=True)
class Codes:
    """The codes of a collection, and the seconds it took to make them."""

    seconds: float
    bytes: int


def register_with_codes(connection: psycopg.Connection[Row], corpus: Corpus, table: str) -> Codes:
    """Register a table and make codes for it."""
    corpus.register(connection, table)
    started = time.perf_counter()
    connection.execute("SELECT pgsim.create_index(%s, NULL, method => 'codes')", [table])
    seconds = time.perf_counter() - started
    statement = "SELECT bytes FROM pgsim.indexes WHERE collection = %s AND method = 'codes'"
    (size,) = connection.execute(statement, [table]).fetchall()[0]
    return Codes(seconds, int(str(size)))


@dataclass(frozen=True)
class Inserts:
    """Median seconds of a COPY of ``rows`` rows, and of the insert of one row, by table."""

    rows: int
    copy: dict[str, float]
    single: dict[str, float]

    def ratio(self, kind: str, indexed: str) -> float:
        """How much longer the table with codes takes than the one without: ``kind`` copy or single."""
        seconds = self.copy if kind == "copy" else self.single
        return seconds[f"{indexed}_codes"] / seconds[indexed]


def measure_inserts(connection: psycopg.Connection[Row], corpus: Corpus, rounds: int) -> Inserts:
    """Rows of ``item`` that were held out go into each table, in rounds, one table after the other in turn.

    Commits do not wait for the disk: what that takes would hide what codes add. The first of several rounds is not
    counted.
    """
    held = np.random.default_rng(0).permutation(len(corpus.rows)) + 1
    rows = min(1000, len(held) // max(40, 3 * rounds))
    singles = min(50, rows)
    copied: list[int] = held[: rounds * rows].tolist()
    alone: list[int] = held[rounds * rows : rounds * (rows + singles)].tolist()
    connection.execute("SET synchronous_commit = off")
    for table in TABLES:
        _make(connection, corpus, table, copied + alone)
    copies: dict[str, list[float]] = {table: [] for table in TABLES}
    inserts: dict[str, list[float]] = {table: [] for table in TABLES}
    for turn in range(rounds):
        order = TABLES[turn % 4 :] + TABLES[: turn % 4]
        payload = _payload(connection, copied[turn * rows : (turn + 1) * rows])
        for table in order:
            copies[table].append(_copy(connection, table, payload))
        for values in _values(corpus, alone[turn * singles : (turn + 1) * singles]):
            for table in order:
                inserts[table].append(_insert(connection, table, values))
    connection.execute("RESET synchronous_commit")
    first = min(1, rounds - 1)
    return Inserts(
        rows,
        {table: float(np.median(copies[table][first:])) for table in TABLES},
        {table: float(np.median(inserts[table][first * singles :])) for table in TABLES},
    )


def _make(connection: psycopg.Connection[Row], corpus: Corpus, table: str, held: list[int]) -> None:
    # A vacuum of its own in the middle of a round would be counted for one table alone.
    connection.execute(f"CREATE TABLE {table} (LIKE item, PRIMARY KEY (id)) WITH (autovacuum_enabled = off)".encode())
    connection.execute(f"INSERT INTO {table} SELECT * FROM item WHERE id <> ALL (%s)".encode(), [held])
    corpus.index_filters(connection, table)
    if table.endswith("codes"):
        register_with_codes(connection, corpus, table)
    else:
        corpus.register(connection, table, filter_columns=[])
    if table.startswith("hnsw"):
        connection.execute("SELECT pgsim.create_index(%s, NULL)", [table])


def _payload(connection: psycopg.Connection[Row], keys: Sequence[int]) -> list[bytes]:
    statement = f"COPY (SELECT * FROM item WHERE id IN ({', '.join(map(str, keys))})) TO STDOUT (FORMAT binary)"
    with connection.cursor().copy(statement.encode()) as copy:
        return [bytes(part) for part in copy]


def _copy(connection: psycopg.Connection[Row], table: str, payload: list[bytes]) -> float:
    started = time.perf_counter()
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy:
        for part in payload:
            copy.write(part)
    return time.perf_counter() - started


def _values(corpus: Corpus, keys: Sequence[int]) -> Iterator[list[object]]:
    for key in keys:
        yield [key, *corpus.rows[key - 1], vector_text(corpus.vectors[key - 1])]


def _insert(connection: psycopg.Connection[Row], table: str, values: list[object]) -> float:
    places = ", ".join(["%s"] * len(values))
    started = time.perf_counter()
    connection.execute(f"INSERT INTO {table} VALUES ({places})".encode(), values)
    return time.perf_counter() - started
