"""What change capture adds to a bulk insert."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.corpus import load_corpus
from benchmarks.report import database, publish

if TYPE_CHECKING:
    import psycopg

    from pgsim.steps import Row

ROWS = 10_000


def _insert(connection: psycopg.Connection[Row], table: str, source: str) -> float:
    connection.execute(f"TRUNCATE {table} CASCADE; TRUNCATE pgsim._queue; CHECKPOINT".encode())
    started = time.perf_counter()
    connection.execute(f"INSERT INTO {table} SELECT * FROM {source}".encode())
    return time.perf_counter() - started


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    corpus = load_corpus()
    rows, ratios = [], {}
    with database("bench_capture", postgres=arguments.postgres) as connection:
        corpus.load(connection)
        connection.execute("SELECT pgsim.create_model('model', dim => %s)", [corpus.dim])
        names = ", ".join(column.split()[0] for column in corpus.columns.split(", "))
        shapes = {"whole rows": names, "key and text": corpus.text_column}
        for number, (shape, copied) in enumerate(shapes.items()):
            connection.execute(
                f"CREATE TABLE source_{number} AS SELECT row_number() OVER ()::int AS id, {copied} "
                f"FROM item CROSS JOIN generate_series(1, 9) LIMIT {ROWS}".encode()
            )
            for kind in ("plain", "captured"):
                connection.execute(f"CREATE TABLE {kind}_{number} (LIKE source_{number}, PRIMARY KEY (id))".encode())
            connection.execute(
                "SELECT pgsim.create_collection(%s::regclass, text_columns => %s)",
                [f"captured_{number}", [corpus.text_column]],
            )
            connection.execute("SELECT pgsim.create_version(%s, 'model')", [f"captured_{number}"])
            times = [
                (
                    _insert(connection, f"plain_{number}", f"source_{number}"),
                    _insert(connection, f"captured_{number}", f"source_{number}"),
                )
                for _ in range(arguments.rounds)
            ]
            plain, captured = np.median(np.array(times[1:] or times), axis=0)
            ratios[shape] = float(captured / plain)
            rows.append((shape, f"{plain * 1e3:.1f}", f"{captured * 1e3:.1f}", f"{captured / plain:.2f}"))
    kept = publish(
        "capture",
        f"Bulk insert of {ROWS} rows of {corpus.name}",
        ["table", "#without pgsim ms", "#captured ms", "#ratio"],
        rows,
        {
            f"capture adds no more than 30% to {shape} ({ratio - 1:+.0%})": ratio <= 1.3
            for shape, ratio in ratios.items()
        },
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
