"""``pgsim search``, ``embed``, ``collections`` and ``demo``: the daily ones."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pgsim.cli.connection import Dsn, only_collection, opened
from pgsim.cli.filters import parse_filter
from pgsim.cli.screen import lines, output, progress, table
from pgsim.cli.weights import parse_weights
from pgsim.embedders import checked_query, load_embedder
from pgsim.errors import EmbedderError

if TYPE_CHECKING:
    from pgsim.database import Database
    from pgsim.embedders import Embedder
    from pgsim.options import CallOptions


class By(StrEnum):
    """What of a text is searched."""

    vector = "vector"
    words = "words"
    both = "both"


EmbedderSpec = Annotated[
    str | None,
    typer.Option("--embedder", envvar="PGSIM_EMBEDDER", help="The embedder, module:object.", show_default=False),
]


def search(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="By default the only one.")] = None,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", "-f", help="NAME=VALUE (or != < <= > >= ~), or JSON; all must hold."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many rows.")] = 10,
    model: Annotated[str | None, typer.Option(help="By default the active version's.")] = None,
    embedding: str = "default",
    recall: Annotated[
        float | None, typer.Option(help="The share of the exact answer to be found, 0.5 to 1; by default 0.95.")
    ] = None,
    mode: Annotated[str, typer.Option(help="auto, exact, codes or ann.")] = "auto",
    max_distance: Annotated[float | None, typer.Option(help="Leave out rows that are farther away.")] = None,
    distinct_on: Annotated[str | None, typer.Option(help="Of each value of this column only the nearest row.")] = None,
    per_group: Annotated[int, typer.Option(help="So many rows of each value of --distinct-on.")] = 1,
    by: Annotated[
        By, typer.Option(help="What is searched: the text's vector, its words (BM25), or both, fused.")
    ] = By.vector,
    fusion: Annotated[str | None, typer.Option(help="How both are fused: a method, or a fusion kept.")] = None,
    weight: Annotated[list[str] | None, typer.Option(help="dense=0.7, text=0.3: both.")] = None,
    rank_constant: Annotated[float | None, typer.Option(help="Of --fusion rrf; by default 60.")] = None,
    text_form: Annotated[str, typer.Option(help="How words are read.")] = "any",
    dims: Annotated[list[int] | None, typer.Option(help="Prefix lengths, shortest first.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--column", help="Columns to show; by default the text and filter columns.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a row.")] = False,
    explain: Annotated[bool, typer.Option(help="Tell what was done and why.")] = False,
    embedder: EmbedderSpec = None,
    dsn: Dsn = None,
) -> None:
    """Find the rows nearest to a text, by its vector, its words or both."""
    with opened(dsn) as database:
        name = only_collection(database, collection)
        wanted: CallOptions = {
            "k": k,
            "filter": parse_filter(filter),
            "model": model,
            "embedding": embedding,
            "recall": recall,
            "mode": mode,
            "dims": dims,
            "max_distance": max_distance,
            "distinct_on": distinct_on,
            "per_group": per_group,
            "fusion": fusion,
            "weights": parse_weights(weight),
            "rank_constant": rank_constant,
            "text_form": text_form,
        }
        if by is not By.vector:
            wanted["text_query"] = text
        vector = None
        if by is not By.words:
            of = database.active_model(name, model=model, embedding=embedding)
            wanted["model"] = of.name
            vector = checked_query(embedder_of(database, embedder, of.name), of.query_prefix + text, of.dim)
        if explain:
            output.print_json(json.dumps(database.explain_search(name, vector, **wanted)))
            return
        found = database.search(name, vector, **wanted)
        shown = columns or _columns(database, name)
        rows = database.fetch(name, [hit.key for hit in found], columns=shown)
    if as_json:
        for hit in found:
            line = {"key": hit.key, "score": hit.score, "distance": hit.distance, "rank": hit.rank}
            typer.echo(json.dumps(line | {"row": rows.get(hit.key)}))
        return
    if not found:
        output.print("Nothing matches.")
        return
    output.print(
        lines(
            ["#rank", "#score", *shown],
            [[hit.rank, f"{hit.score:.3f}", *(rows.get(hit.key, {}).get(column) for column in shown)] for hit in found],
        )
    )


def embed(
    collection: str,
    embedder: EmbedderSpec = None,
    model: Annotated[str | None, typer.Option(help="By default the active version's.")] = None,
    embedding: str = "default",
    batch_size: Annotated[int, typer.Option(help="Rows in one call of the embedder.", min=1, max=10_000)] = 64,
    dsn: Dsn = None,
) -> None:
    """Embed the rows that have no vector, and those whose text has changed."""
    with opened(dsn) as database, progress() as bars:
        of = database.active_model(collection, model=model, embedding=embedding)
        chosen = embedder_of(database, embedder, of.name)
        bar = bars.add_task(f"Embedding {escape(collection)}", total=None)
        stored = database.embed(
            collection,
            chosen,
            model=of.name,
            embedding=embedding,
            batch_size=batch_size,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
        bars.update(bar, completed=stored, total=stored)
    output.print(f"{stored} rows embedded with {escape(of.name)}.", highlight=False)


def collections(dsn: Dsn = None) -> None:
    """List the collections, their models and how many rows wait to be embedded."""
    with opened(dsn) as database, database.connection() as connection:
        rows = connection.execute(
            "SELECT c.name, c.relation::text, p.embedding, p.model, p.state, p.pending FROM pgsim.collections AS c "
            "LEFT JOIN pgsim.backfill_progress AS p ON p.collection = c.name ORDER BY 1, 3, 4"
        ).fetchall()
    columns = ["collection", "table", "embedding", "model", "state", "#pending"]
    output.print(table(columns, rows) if rows else "There is none.")


def demo(dsn: Dsn = None) -> None:
    """Load the documentation of this Python into a table, embed it, and search it."""
    from pgsim.demo.run import run  # noqa: PLC0415 -- needs the extra demo

    with opened(dsn, anew=True) as database:
        run(database)


def embedder_of(database: Database, spec: str | None, model: str) -> Embedder:
    """The embedder named, or the one that the model's properties name when it is pgsim's own."""
    return load_embedder(embedder_spec(database, spec, model))


def embedder_spec(database: Database, spec: str | None, model: str) -> str:
    """How that embedder is named."""
    if spec is None:
        with database.connection() as connection:
            rows = connection.execute(
                "SELECT properties ->> 'embedder' FROM pgsim.models WHERE name = %s", [model]
            ).fetchall()
        spec = str(rows[0][0]) if rows and rows[0][0] else None
        # What a database says is not reason enough to import a module, but for pgsim's own.
        if spec is None or not spec.startswith("pgsim."):
            raise EmbedderError(
                f"no embedder was named for model {model!r}",
                hint="Name the object that makes its vectors: --embedder module:object, or PGSIM_EMBEDDER.",
            )
    return spec


def _columns(database: Database, collection: str) -> list[str]:
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (c.name, u.name) u.name, u.ordinal FROM pgsim.collections AS c "
            "CROSS JOIN unnest(c.key_columns || c.filter_columns || c.text_columns) WITH ORDINALITY AS u "
            "(name, ordinal) "
            "WHERE c.name = %s ORDER BY c.name, u.name, u.ordinal",
            [collection],
        ).fetchall()
    return [str(column) for column, _ in sorted(rows, key=lambda row: int(str(row[1])))]
