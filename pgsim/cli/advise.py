"""``pgsim advise``: what would make searches faster, and making it."""

from __future__ import annotations

import re
import time
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated, cast

import psycopg
import typer
from rich.markup import escape

from pgsim.cli.connection import Dsn, opened
from pgsim.cli.quality import Queries, read_vectors
from pgsim.cli.screen import errors, output, table
from pgsim.cli.sizes import read_bytes, show_bytes
from pgsim.cli.tune import show_trials, trial_bar
from pgsim.database import translated
from pgsim.errors import InvalidArgument, PgsimError
from pgsim.indexes import create_index_concurrently

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgsim.calls import Advice
    from pgsim.steps import Row

_LEFT = """
SELECT x.indexrelid::pg_catalog.regclass::text FROM pg_catalog.pg_index AS x
WHERE x.indexrelid = pg_catalog.to_regclass(%s) AND NOT x.indisvalid
"""


def advise(
    collection: str,
    budget: Annotated[str | None, typer.Option(help="Bytes that it may take: 500MB, 2GB.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Build what is advised.")] = False,
    memory: Annotated[
        str | None, typer.Option(help="Say which vector index finds most in so many bytes: 200MB.", show_default=False)
    ] = None,
    recall: Annotated[
        float | None, typer.Option(help="With --memory: the recall it has to reach, 0.5 to 1; by default 0.99.")
    ] = None,
    queries: Queries = None,
    model: Annotated[str | None, typer.Option(help="By default the active version's.")] = None,
    embedding: str = "default",
    dsn: Dsn = None,
) -> None:
    """Say which indexes and statistics would make the recorded searches faster, by how much, for how many bytes.

    With --memory: which kind of vector index is best in a budget, of those built and searched on a copy of some rows.
    """
    if memory is not None:
        if budget is not None or apply:
            raise InvalidArgument(
                "--memory is given with --budget or --apply",
                hint="`pgsim tune COLLECTION --budget SIZE --apply` builds the best index that fits.",
            )
        _compress(
            dsn, collection, read_bytes("--memory", memory), recall or 0.99, queries, model=model, embedding=embedding
        )
        return
    if queries is not None or recall is not None:
        raise InvalidArgument(
            "--queries or --recall is given without --memory",
            hint="Advice goes by the searches recorded: pgsim.record_searches.",
        )
    size = None if budget is None else read_bytes("--budget", budget)
    with opened(dsn) as database, database.connection() as connection:
        with output.status(f"Planning the searches of {escape(collection)} ..."):
            advice = database.advise(collection, budget=size, model=model, embedding=embedding)
        if not advice:
            output.print("Nothing is advised: what there is serves the searches, or nothing better fits the budget.")
            return
        output.print(
            table(
                ["#rank", "kind", "of", "#searches", "#ms now", "#ms then", "#seconds saved", "#size", "#build"],
                (_line(each) for each in advice),
            )
        )
        for each in advice:
            output.print(f"\n[bold]{each.rank}[/] {escape(_readable(each.reason))}.", highlight=False)
            if each.statement:
                output.print(f"  {escape(_readable(each.statement))};", highlight=False, soft_wrap=True)
        if apply and not _applied(connection, collection, [each for each in advice if each.statement]):
            raise typer.Exit(1)


def _compress(
    dsn: str | None,
    collection: str,
    memory: int,
    recall: float,
    queries: Path | None,
    *,
    model: str | None,
    embedding: str,
) -> None:
    vectors = read_vectors(queries)
    with opened(dsn) as database, trial_bar(collection) as show:
        report = database.tune_index(
            collection,
            vectors,
            recall=recall,
            model=model,
            embedding=embedding,
            rotated=None,
            sample=10_000,
            progress=show,
        )
    show_trials(report)
    fitting = [each for each in report.settings if each.total_bytes <= memory]
    reaching = [each for each in fitting if each.reaches(recall)]
    if not fitting:
        output.print(f"None fits {show_bytes(memory)}.")
        return
    best = (
        min(reaching, key=lambda each: each.seconds) if reaching else max(fitting, key=lambda each: each.recall.value)
    )
    output.print(
        f"Best in {show_bytes(memory)}: {best.name}, {show_bytes(best.total_bytes)}, recall {best.recall.value:.4f}, "
        f"{1e3 * best.seconds:.2f} ms, {best.keep} rows kept.",
        highlight=False,
    )


def _applied(connection: psycopg.Connection[Row], collection: str, advice: list[Advice]) -> bool:
    done = 0
    output.print()
    for number, each in enumerate(advice, 1):
        what = f"{each.kind} {escape(_readable(each.target))}"
        started = time.monotonic()
        try:
            with output.status(f"{number} of {len(advice)}: {what} ..."):
                _build(connection, collection, each)
        except (PgsimError, psycopg.Error) as error:
            told = error.message if isinstance(error, PgsimError) else str(error).strip()
            told = "\n".join([told, *getattr(error, "__notes__", [])])
            errors.print(f"[bold red]failed:[/] {what}: {escape(_readable(told))}", highlight=False)
            if connection.closed:
                break
        else:
            done += 1
            took = _duration(time.monotonic() - started)
            output.print(f"{number} of {len(advice)}: {what}, {took}", highlight=False)
    output.print(f"{done} of {len(advice)} done.", highlight=False)
    return done == len(advice)


def _build(connection: psycopg.Connection[Row], collection: str, advice: Advice) -> None:
    if advice.kind in {"hnsw", "codes", "partial_index"}:
        given = advice.arguments
        create_index_concurrently(
            connection,
            collection,
            cast("str", given["model"]),
            embedding=cast("str", given.get("embedding", "default")),
            element=cast("str | None", given.get("element")),
            method=cast("str", given.get("method", "hnsw")),
            where_filter=cast("Mapping[str, object] | None", given.get("where_filter")),
        )
        return
    with translated():
        try:
            connection.execute(str(advice.statement).encode())
        except psycopg.errors.DuplicateTable:
            raise
        except BaseException as error:
            # Every write would go on to keep it up, and no search would read it.
            for (left,) in connection.execute(_LEFT, [advice.arguments.get("name")]).fetchall():
                try:
                    connection.execute(f"DROP INDEX {left}".encode())
                except psycopg.Error:
                    error.add_note(f"It left the index {left}, which is of no use: DROP INDEX {left}")
            raise


def _line(advice: Advice) -> list[object]:
    return [
        advice.rank,
        advice.kind,
        advice.target,
        f"{advice.searches:.3g}" if advice.searches else "",
        _milliseconds(advice.seconds_before),
        _milliseconds(advice.seconds_after),
        f"{advice.gain:.3g}" if advice.gain else "",
        show_bytes(advice.bytes) if advice.bytes else "",
        "" if advice.build_seconds is None else _duration(advice.build_seconds),
    ]


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.2f}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _readable(text: str) -> str:
    """Control characters of a stored value would act on the terminal."""
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", text)
