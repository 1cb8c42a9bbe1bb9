"""``pgsim index``."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.markup import escape

from pgsim.cli.connection import Dsn, only_collection, opened
from pgsim.cli.filters import parse_filter
from pgsim.cli.screen import output, table
from pgsim.errors import InvalidArgument
from pgsim.indexes import create_index_concurrently

app = typer.Typer(help="Vector indexes, built while the table is read and written.", no_args_is_help=True)


@app.command()
def create(
    collection: str,
    dsn: Dsn = None,
    model: Annotated[str | None, typer.Option(help="By default the active version's.")] = None,
    embedding: str = "default",
    dims: Annotated[int | None, typer.Option(help="Index a prefix, of so many dimensions.")] = None,
    element: Annotated[
        str | None, typer.Option(help="vector, halfvec or bit; by default the model's, of codes bit.")
    ] = None,
    method: Annotated[str, typer.Option(help="hnsw, ivfflat, codes, or inverted of sparse vectors.")] = "hnsw",
    where: Annotated[list[str] | None, typer.Option(help="Index only rows that match: NAME=VALUE or JSON.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="m=16, ef_construction=64; lists=100; map=NAME of codes; top_weights=200 of sparse vectors."),
    ] = None,
) -> None:
    """Build a vector index CONCURRENTLY."""
    with opened(dsn) as database, database.connection() as connection:
        with output.status(f"Building an index for {escape(collection)} ..."):
            name = create_index_concurrently(
                connection,
                collection,
                model,
                embedding=embedding,
                dims=dims,
                element=element,
                method=method,
                where_filter=parse_filter(where),
                options=dict(_option(each) for each in option or []),
            )
        output.print(f"Built {escape(name)}.", highlight=False)


@app.command("list")
def list_(collection: Annotated[str | None, typer.Argument()] = None, dsn: Dsn = None) -> None:
    """List the vector indexes that pgsim made."""
    with opened(dsn) as database, database.connection() as connection:
        rows = connection.execute(
            "SELECT name, collection, model, method, dims, element, where_filter, pg_size_pretty(bytes), valid "
            "FROM pgsim.indexes WHERE collection = %(name)s OR %(name)s::text IS NULL ORDER BY 2, 1",
            {"name": collection and only_collection(database, collection)},
        ).fetchall()
    columns = ["index", "collection", "model", "method", "#dims", "element", "where", "#size", "valid"]
    output.print(table(columns, rows) if rows else "There is none.")


@app.command()
def drop(index: Annotated[str, typer.Argument(help="As in SQL: schema.name.")], dsn: Dsn = None) -> None:
    """Drop an index that pgsim made."""
    with opened(dsn) as database:
        database.drop_index(index)
    output.print(f"Dropped {escape(index)}.", highlight=False)


def _option(text: str) -> tuple[str, object]:
    name, given, value = text.partition("=")
    if not given:
        raise InvalidArgument(
            f"--option {text!r} is not NAME=VALUE", hint="For instance: --option m=32 --option ef_construction=128."
        )
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
