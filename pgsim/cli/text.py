"""``pgsim text``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pgsim.cli.connection import Dsn, opened
from pgsim.cli.screen import output
from pgsim.cli.weights import parse_weights
from pgsim.indexes import enable_text_concurrently

if TYPE_CHECKING:
    from pgsim.calls import TextStatistics

app = typer.Typer(help="Text indexes, by which rows are ranked for their words.", no_args_is_help=True)


@app.command()
def enable(
    collection: str,
    dsn: Dsn = None,
    config: Annotated[
        str | None, typer.Option(help="A text search configuration; by default the collection's.")
    ] = None,
    weight: Annotated[list[str] | None, typer.Option(help="How often a column's words count: title=3.")] = None,
    k1: float = 1.2,
    b: float = 0.75,
    backend: Annotated[
        str, typer.Option(help="Who keeps it: pgsim, or pg_textsearch or pg_search where installed.")
    ] = "pgsim",
) -> None:
    """Make a text index, while the table is read and written."""
    weights = parse_weights(weight)
    with opened(dsn) as database:
        with output.status(f"Reading the texts of {escape(collection)} ..."), database.connection() as connection:
            enable_text_concurrently(
                connection, collection, text_config=config, weights=weights, k1=k1, b=b, backend=backend
            )
        told = database.text_statistics(collection)
    counted = "" if told.rows is None else f"{told.rows} rows, {told.words} words, "
    output.print(f"{counted}{_megabytes(told)}.", highlight=False)


@app.command()
def disable(collection: str, dsn: Dsn = None) -> None:
    """Drop a text index."""
    with opened(dsn) as database:
        database.disable_text(collection)
    output.print(f"{escape(collection)} has no text index any more.", highlight=False)


@app.command()
def show(collection: str, dsn: Dsn = None) -> None:
    """Tell what a text index holds."""
    with opened(dsn) as database:
        told = database.text_statistics(collection)
    if told.rows is None:
        output.print(f"{_megabytes(told)}; another extension keeps it, and tells no more.", highlight=False)
        return
    length = "none" if told.mean_length is None else f"{told.mean_length:.1f} words"
    output.print(
        f"{told.rows} rows of {length} on average, {told.words} different words, {_megabytes(told)}; "
        f"{told.pending} changes of counts to be added up.",
        highlight=False,
    )


def _megabytes(told: TextStatistics) -> str:
    return f"{(told.bytes or 0) / 2**20:.1f} MB"
