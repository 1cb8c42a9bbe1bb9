"""``pgsim tune``: what is fitted to a collection and its queries."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pgsim.calls import Query
from pgsim.cli.connection import Dsn, opened
from pgsim.cli.screen import output, progress, table
from pgsim.cli.work import EmbedderSpec, embedder_of
from pgsim.errors import InvalidArgument

if TYPE_CHECKING:
    from pgsim.evaluation.fusion import FusionReport, Mean

app = typer.Typer(help="Fit searches to your rows and queries.", no_args_is_help=True)


@app.callback()
def _tune() -> None:
    """Fit searches to your rows and queries."""


@app.command()
def fusion(
    collection: str,
    queries: Annotated[
        Path | None,
        typer.Option(help='Queries with their answers, a JSON object a line: {"query": "red boat", "relevant": [17]}.'),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(help="Or a column whose texts are the queries, a title: each is answered by its own row."),
    ] = None,
    name: Annotated[str, typer.Option(help="What searches will call it: fusion => NAME.")] = "tuned",
    sample: Annotated[int, typer.Option(help="How many texts of the column.")] = 1000,
    k: Annotated[int, typer.Option("-k", help="The first relevant row counts when it is among so many.")] = 10,
    candidates: Annotated[int, typer.Option(help="Rows that each leg gives.")] = 200,
    text_form: Annotated[str, typer.Option(help="How the words are read.")] = "any",
    seed: Annotated[int, typer.Option(help="The same one takes the same queries.")] = 0,
    model: Annotated[str | None, typer.Option(help="By default the active version's.")] = None,
    embedding: str = "default",
    embedder: EmbedderSpec = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, and keep nothing.")] = False,
    dsn: Dsn = None,
) -> None:
    """Fit how vectors and words are put together; where that is no better than one of them alone, keep that one."""
    if (queries is None) == (column is None):
        raise InvalidArgument(
            "neither --queries nor --column is given, or both are",
            hint="Give a file of queries with their answers, or a column whose texts are queries of their own rows.",
        )
    with opened(dsn) as database, progress() as bars:
        of = database.active_model(collection, model=model, embedding=embedding)
        chosen = embedder_of(database, embedder, of.name)
        asked = (
            _read(queries) if queries else database.sample_queries(collection, str(column), sample=sample, seed=seed)
        )
        bar = bars.add_task(f"Searching {escape(collection)}", total=len(asked))
        report = database.tune_fusion(
            collection,
            asked,
            chosen,
            name=None if dry_run else name,
            model=of.name,
            embedding=embedding,
            text_form=text_form,
            k=k,
            candidates=candidates,
            seed=seed,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    _show(report, None if dry_run else name)
    if column is not None:
        output.print(
            f"Queries were texts of the column {escape(column)}. Where a leg reads that very column, it finds them too "
            "easily: trust queries of your users more.",
            highlight=False,
        )


def _show(report: FusionReport, name: str | None) -> None:
    fitted = ", ".join(f"{leg} {weight:g}" for leg, weight in report.fitted.weights.items())
    constant = "" if report.fitted.rank_constant is None else f", constant {report.fitted.rank_constant:g}"
    rows: list[tuple[str, str, str]] = [(f"{leg} alone", *_cells(mean)) for leg, mean in report.legs.items()]
    rows += [
        ("fused, by default", *_cells(report.default)),
        (f"fused by {report.fitted.method} ({fitted}{constant})", *_cells(report.tuned)),
        (f"what that gains over {report.best_leg} alone", *_cells(report.gain)),
    ]
    title = f"{report.held_out} of {report.queries} queries, which nothing was fitted on"
    output.print(table(["", f"#MRR@{report.k}", "95% interval"], rows, title=title))
    if report.helps:
        kept = f"fused by {report.kept.method}"
    else:
        kept = f"{report.best_leg} alone, since fusion is not better beyond doubt"
    output.print(f"Kept as {name!r}: {kept}." if name else f"Not kept (dry run): {kept}.", highlight=False)


def _cells(mean: Mean) -> tuple[str, str]:
    return f"{mean.value:.4f}", f"{mean.low:.4f} to {mean.high:.4f}"


def _read(path: Path) -> list[Query]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"--queries {str(path)!r} cannot be read: {error}") from None
    return [_query(line, f"line {number} of {path.name}") for number, line in enumerate(lines, 1) if line.strip()]


def _query(line: str, where: str) -> Query:
    hint = 'A line is {"query": "red boat", "relevant": [17, 23]}; keys of several columns are objects.'
    try:
        given = json.loads(line)
        text, keys = given["query"], given["relevant"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(f"{where} has no query and relevant keys: {error!r}", hint=hint) from None
    if not isinstance(text, str) or not isinstance(keys, list) or not keys:
        raise InvalidArgument(f"{where}: query is a text, and relevant a list of one key or more", hint=hint)
    # PostgreSQL writes a JSON object's keys by length, then by bytes.
    return Query(
        text,
        frozenset(
            json.dumps(
                dict(sorted(key.items(), key=lambda part: (len(part[0].encode()), part[0].encode()))),
                ensure_ascii=False,
            )
            if isinstance(key, dict)
            else str(key)
            for key in keys
        ),
    )
