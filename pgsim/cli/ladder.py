"""``pgsim ladder``: prefixes that are worth something, for a model that was not trained for them."""

from __future__ import annotations

import warnings
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.markup import escape

from pgsim.cli.connection import Dsn, opened
from pgsim.cli.screen import errors, output, progress, table
from pgsim.errors import InvalidArgument
from pgsim.indexes import create_index_concurrently
from pgsim.ladders import WITHIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pgsim.database import Database
    from pgsim.evaluation.trials import Trial, TuningReport
    from pgsim.ladders import LadderReport

_LADDER = """
SELECT FROM pgsim.maps AS p JOIN pgsim.models AS m ON m.map = p.name
WHERE p.name = %(map)s AND p.from_model = %(model)s AND p.kind = 'pca' AND p.properties ? 'ladder'
  AND %(dims)s = ANY (m.matryoshka)
"""

app = typer.Typer(help="Prefixes that can be searched, for any model.", no_args_is_help=True)


class Method(StrEnum):
    """How the map is fitted."""

    PCA = "pca"
    LEANVEC = "leanvec"
    WHITENING = "whitening"


@app.callback()
def _ladder() -> None:
    """Prefixes that can be searched, for any model."""


@app.command()
def fit(
    collection: str,
    method: Annotated[
        Method, typer.Option(help="pca and leanvec keep all scores at full width; whitening makes a space of its own.")
    ] = Method.PCA,
    model: Annotated[str | None, typer.Option(help="The one to be mapped; by default the active version's.")] = None,
    embedding: str = "default",
    dims: Annotated[str | None, typer.Option(help="Prefix lengths: 64,128,256. By default powers of two.")] = None,
    sample: Annotated[int, typer.Option(help="How many rows to fit on.")] = 20000,
    queries: Annotated[
        Path | None, typer.Option(help="Vectors of queries, an .npy of shape (m, d): half fit leanvec, half measure.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the map and the model that it makes.")] = None,
    index: Annotated[str | None, typer.Option(help="Index these prefixes too, as halfvec: 128 or 64,128.")] = None,
    seed: Annotated[int, typer.Option(help="The same one takes the same rows.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, and keep nothing.")] = False,
    dsn: Dsn = None,
) -> None:
    """Fit a map whose prefixes find more, and map all rows while the table is used. After a stop, run it again."""
    lengths, indexed = _lengths("--dims", dims), _lengths("--index", index)
    asked = _read(queries) if queries else None
    with opened(dsn) as database, progress() as bars, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        bar = bars.add_task(f"Mapping {escape(collection)}", total=None, visible=False)

        def measured(report: LadderReport) -> None:
            for each in said:
                errors.print(f"[bold yellow]warning:[/] {escape(str(each.message))}", highlight=False)
            _show(report)
            wrong = set(indexed or ()) - set(report.dims)
            if wrong:
                raise InvalidArgument(
                    f"--index names {sorted(wrong)}, and the ladder has {list(report.dims)}",
                    hint="Name some of these; what was fitted is kept, and taken up by the next run.",
                )
            bars.update(bar, visible=not dry_run)

        report = database.fit_ladder(
            collection,
            method=method.value,
            model=model,
            embedding=embedding,
            dims=lengths,
            sample=sample,
            queries=asked,
            name=name,
            seed=seed,
            dry_run=dry_run,
            measured=measured,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
        for length in [] if dry_run else indexed or []:
            name, built = _index(database, collection, report.name, embedding, length, "halfvec")
            if built:
                output.print(f"Built {escape(name)}.", highlight=False)
    if dry_run:
        output.print("Nothing is kept (dry run).", highlight=False)
        return
    say_what_is_next(collection, embedding, report.name, report.base_model, (report.dims[0], report.dims[-1]))


def index_rotated(database: Database, tuned: TuningReport, best: Trial) -> tuple[str, str, bool]:
    """Make what `Database.tune_index` chose of the rotated prefixes: its model, its index, and whether that is new.

    A ladder that there is already and has that length is taken up, else one is fitted and filled.
    """
    collection, model, embedding = tuned.collection, tuned.model, tuned.embedding
    with database.connection() as connection:
        left = connection.execute(_LADDER, {"map": f"{model}-pca", "model": model, "dims": best.dims}).fetchall()
    name = f"{model}-pca" if left else f"{model}-pca-{best.dims}"
    with progress() as bars:
        bar = bars.add_task(f"Rotating {escape(collection)}", total=None)
        database.fit_ladder(
            collection,
            model=model,
            embedding=embedding,
            dims=None if left else [best.dims],
            name=name,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
        return name, *_index(database, collection, name, embedding, best.dims, best.element)


def _show(report: LadderReport) -> None:
    rows = [(prefix.dims, *_cells(prefix.raw), *_cells(prefix.mapped)) for prefix in report.prefixes]
    columns = ["#dims", *(f"#raw, in {depth}" for depth in WITHIN), *(f"#mapped, in {depth}" for depth in WITHIN)]
    what = "rows held back" if report.asked == "rows" else "of your queries"
    title = f"Recall of the true 10 among the best by a prefix: {report.queries} {what}, {report.rows} rows"
    output.print(table(columns, rows, title=title))
    worse = [each.dims for each in report.prefixes if each.raw and each.mapped and each.mapped[1] < each.raw[1] - 0.01]
    if worse:
        output.print(
            f"Mapped, {', '.join(map(str, worse))} dimensions find less than as they are: these vectors have no few "
            "directions that tell most. Leave them as they are.",
            highlight=False,
        )
    if not report.new:
        output.print(f"{report.name!r} was fitted before; this is what was measured then.", highlight=False)
    if report.keeps_scores:
        output.print("Scores at full width stay as they are.", highlight=False)
    else:
        full = report.prefixes[-1].mapped
        kept = "" if full is None else f": of {report.base_model!r}'s best 10 its own best 10 hold {full[0]:.0%}"
        output.print(f"Scores change: this is a space of its own{kept}. Judge it by your own queries.", highlight=False)


def say_what_is_next(collection: str, embedding: str, model: str, base_model: str, ends: tuple[int, int]) -> None:
    """How a ladder's version is searched, and how it becomes the one that answers."""
    place = "" if embedding == "default" else f", embedding => {_literal(embedding)}"
    of, name = _literal(collection), _literal(model)
    rungs = f"{{{ends[0]},{ends[1]}}}"
    output.print(
        f"{model!r} has all rows, and follows {base_model!r}, whose queries it takes. "
        f"Try it:\n  SELECT * FROM pgsim.search({of}, query, model => {name}, dims => '{rungs}'{place});\n"
        f"and when you are content, let it answer:\n  SELECT pgsim.activate({of}, {name}{place});",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _index(
    database: Database, collection: str, name: str, embedding: str, length: int, element: str
) -> tuple[str, bool]:
    with database.connection() as connection:
        there = connection.execute(
            "SELECT name FROM pgsim.indexes WHERE collection = %s AND model = %s AND embedding = %s "
            "AND dims = %s AND element = %s AND method = 'hnsw' AND where_filter IS NULL AND valid",
            [collection, name, embedding, length, element],
        ).fetchall()
        if there:
            return str(there[0][0]), False
        with output.status(f"Indexing {length} dimensions ..."):
            return create_index_concurrently(
                connection, collection, name, embedding=embedding, dims=length, element=element
            ), True


def _cells(shares: Sequence[float] | None) -> list[str]:
    return ["" for _ in WITHIN] if shares is None else [f"{share:.3f}" for share in shares]


def _lengths(option: str, text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = text.strip("{}").split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise InvalidArgument(f"{option} is {text!r}; it is a list of whole numbers", hint=f"{option} 64,128,256")
    return [int(part) for part in parts]


def _read(path: Path) -> NDArray[np.float32]:
    try:
        given = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InvalidArgument(
            f"--queries {str(path)!r} cannot be read: {error}", hint="Save vectors with numpy.save: shape (m, d)."
        ) from None
    if not isinstance(given, np.ndarray):
        raise InvalidArgument(f"--queries {str(path)!r} holds several arrays", hint="Save one with numpy.save.")
    return given


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
