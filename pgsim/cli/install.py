"""``pgsim install``, ``upgrade``, ``uninstall`` and ``check``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from pgsim import install as _install
from pgsim.cli.connection import Dsn, only_collection, opened
from pgsim.cli.screen import output, table
from pgsim.embedders import load_embedder


def install(dsn: Dsn = None) -> None:
    """Put pgsim into a database; where it is already, do nothing."""
    with opened(dsn) as database, database.connection() as connection:
        _report(_install.install(connection), "is in the database already")


def upgrade(dsn: Dsn = None) -> None:
    """Take a database to this release of pgsim."""
    with opened(dsn) as database, database.connection() as connection:
        _report(_install.upgrade(connection), "is what the database holds")


def uninstall(
    dsn: Dsn = None,
    drop_vectors: Annotated[bool, typer.Option(help="Drop version tables with their vectors, too.")] = False,
) -> None:
    """Take pgsim out of a database. Tables of yours stay, and their vector columns."""
    with opened(dsn) as database, database.connection() as connection:
        _report(_install.uninstall(connection, drop_vectors=drop_vectors), "was not in the database")


def check(
    collection: Annotated[str | None, typer.Argument(help="One collection; by default all.")] = None,
    embedder: Annotated[
        str | None, typer.Option(help="module:object: is it still the model that made the vectors?", show_default=False)
    ] = None,
    model: Annotated[str | None, typer.Option(help="That of --embedder; by default the active version's.")] = None,
    embedding: Annotated[str, typer.Option(help="That of --embedder.")] = "default",
    dsn: Dsn = None,
) -> None:
    """Say what is wrong, and what to do about it. Exit status 1 for an error, 0 for warnings alone."""
    with opened(dsn) as database, database.connection() as connection:
        release = _install.require(connection)
        if embedder is not None:
            of = model or database.active_model(only_collection(database, collection), embedding=embedding).name
            apart = database.check_embedder(load_embedder(embedder), of)
            output.print(f"{escape(embedder)} is model {escape(of)}, within {apart:.1g}.", highlight=False)
        problems = database.check(collection)
    if not problems:
        output.print(f"pgsim {release}: nothing is wrong.")
        return
    output.print(
        table(
            ["severity", "object", "problem", "do"],
            ([each.severity, each.object, each.problem, each.hint] for each in problems),
        )
    )
    raise typer.Exit(1 if any(each.severity == "error" for each in problems) else 0)


def _report(result: _install.InstallResult, unchanged: str) -> None:
    if not result.changed:
        output.print(f"pgsim {result.current or ''} {unchanged}.".replace("  ", " "))
    elif result.current is None:
        output.print(f"pgsim {result.previous} is out of the database.")
    elif result.previous is None:
        output.print(f"pgsim {result.current} is in the database.")
    else:
        output.print(f"pgsim {result.previous} became {result.current}.")
