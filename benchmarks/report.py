"""Where a benchmark runs, and what it prints and keeps."""

from __future__ import annotations

import json
import os
import platform
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pgsim import embedded, install
from pgsim.cli.screen import output, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pgsim.steps import Row

RESULTS = Path(__file__).parent / "results"


@contextmanager
def database(name: str, *, postgres: int = 18, keep: bool = False) -> Iterator[psycopg.Connection[Row]]:
    """An autocommit connection to a fresh database of this name with pgsim, which is dropped afterwards.

    It is made on the server of ``PGSIM_BENCH_DSN``, else on an embedded one. ``keep``: it stays, and where it was there
    already its tables are as they were; pgsim in it is always new, and knows none of them.
    """
    with _server(postgres) as dsn:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        with psycopg.connect(dsn, autocommit=True) as admin:
            if not keep:
                admin.execute(drop)
            known = admin.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", [name])
            if known.rowcount == 0:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                with psycopg.connect(make_conninfo(dsn, dbname=name), autocommit=True) as connection:
                    connection.execute("DROP SCHEMA IF EXISTS pgsim, pgsim_data CASCADE")
                    install.install(connection)
                    yield connection
            finally:
                if not keep:
                    admin.execute(drop)


@contextmanager
def _server(postgres: int) -> Iterator[str]:
    dsn = os.environ.get("PGSIM_BENCH_DSN")
    if dsn:
        yield dsn
        return
    settings = {"shared_buffers": "2GB", "maintenance_work_mem": "1GB", "max_wal_size": "8GB"}
    with embedded.start(
        embedded.default_data_dir() / f"bench{postgres}", postgres=postgres, settings=settings
    ) as server:
        yield server.dsn()


def at_most(promise: str, figures: Mapping[str, float], limit: float) -> dict[str, bool | None]:
    """A promise kept by every one of the figures, told with the worst; not measured where there is none."""
    if not figures:
        return {promise: None}
    worst = max(figures, key=figures.__getitem__)
    return {f"{promise} (worst {figures[worst]:.4g}, {worst})": figures[worst] <= limit}


def at_least(promise: str, figures: Mapping[str, float], limit: float) -> dict[str, bool | None]:
    """The same, of figures of which the least is the worst."""
    if not figures:
        return {promise: None}
    worst = min(figures, key=figures.__getitem__)
    return {f"{promise} (worst {figures[worst]:.4g}, {worst})": figures[worst] >= limit}


def publish(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    verdicts: Mapping[str, bool | None],
    *,
    figures: object = None,
) -> bool:
    """Print a table and what of it was promised; keep both as JSON. True when no promise is broken.

    A verdict of None: it was not measured. ``figures``: what the table was made from, for the JSON alone.
    """
    output.print(table(columns, rows, title=title))
    for promise, kept in verdicts.items():
        shown = {True: "[green]kept[/]        ", False: "[red]broken[/]      ", None: "[yellow]not measured[/]"}[kept]
        output.print(f"{shown} {promise}", highlight=False)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(
        json.dumps(
            {
                "title": title,
                "python": platform.python_version(),
                "rows": [dict(zip(columns, map(str, row), strict=True)) for row in rows],
                "promises": verdicts,
                "figures": figures,
            },
            indent=1,
        )
    )
    return all(kept is not False for kept in verdicts.values())
