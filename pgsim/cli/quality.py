"""``pgsim calibrate``, ``recall`` and ``health``: how well a collection is searched."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
import typer
from rich.markup import escape

from pgsim.cli.connection import Dsn, opened
from pgsim.cli.filters import parse_filter
from pgsim.cli.screen import output, progress, table
from pgsim.errors import InvalidArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray

Model = Annotated[str | None, typer.Option(help="By default the active version's.")]
Queries = Annotated[
    Path | None,
    typer.Option(help="Query vectors as your users send, a .npy file of (n, d); by default rows are sampled."),
]


_COSTS = {
    "scan_row": "a row read for the filter",
    "exact_row": "a row ranked by its vector",
    "code_row": "a row compared by its code",
    "keep_row": "a row of the shortlist of codes",
    "ann_start": "a search of the index, to begin with",
    "ann_candidate": "a candidate of the index",
}


def calibrate(
    collection: str,
    model: Model = None,
    embedding: str = "default",
    sample: Annotated[
        int | None, typer.Option(help="How many rows are queries, when none are given: 200, of large tables fewer.")
    ] = None,
    queries: Queries = None,
    dsn: Dsn = None,
) -> None:
    """Measure what searches cost and find here, so that each takes the cheapest plan at the recall asked for."""
    vectors = read_vectors(queries)
    with opened(dsn) as database, progress() as bars:
        bar = bars.add_task(f"Calibrating {escape(collection)}", total=None)
        told = database.calibrate(
            collection,
            vectors,
            model=model,
            embedding=embedding,
            sample=sample,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    output.print(table(["measured", "#value"], _summary(told), title="What searches cost and find"))


def recall(
    collection: str,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", "-f", help="NAME=VALUE (or != < <= > >= ~), or JSON; all must hold."),
    ] = None,
    recall: Annotated[
        float | None, typer.Option(help="The recall that is asked for, 0.5 to 1; by default 0.95.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many rows.")] = 10,
    model: Model = None,
    embedding: str = "default",
    mode: Annotated[str, typer.Option(help="auto, exact, codes or ann.")] = "auto",
    sample: Annotated[int, typer.Option(help="How many rows are queries, when none are given.")] = 100,
    seed: Annotated[int, typer.Option(help="The same one takes the same rows.")] = 0,
    queries: Queries = None,
    dsn: Dsn = None,
) -> None:
    """Measure the recall that searches get: each is run beside the exact one."""
    vectors, conditions = read_vectors(queries), parse_filter(filter)
    with opened(dsn) as database, output.status(f"Searching {escape(collection)} ..."):
        got = database.recall(
            collection,
            vectors,
            filter=conditions,
            recall=recall,
            k=k,
            model=model,
            embedding=embedding,
            mode=mode,
            sample=sample,
            seed=seed,
        )
    rows: list[tuple[str, object]] = [("searches", got.searches)]
    if got.mean_recall is not None:
        rows += [
            (f"recall at {k}", f"{got.mean_recall:.4f}"),
            ("95% interval", f"{got.low:.4f} to {got.high:.4f}"),
            ("worst", f"{got.worst:.4f}"),
            ("fewer rows than exact", got.short),
            ("median", _milliseconds(got.seconds)),
            ("median of exact", _milliseconds(got.exact_seconds)),
            ("answered by", ", ".join(f"{name} {times}" for name, times in sorted(got.strategies.items()))),
        ]
    output.print(table(["measured", "#value"], rows))


def health(
    collection: str,
    model: Model = None,
    embedding: str = "default",
    sample: Annotated[int, typer.Option(help="Rows to look at, 1 to 5000.")] = 1000,
    dsn: Dsn = None,
) -> None:
    """Measure what decides how well a collection can be searched, and say what to do about it."""
    with opened(dsn) as database, output.status(f"Looking at {escape(collection)} ..."):
        measures = database.health(collection, model=model, embedding=embedding, sample=sample)
    output.print(
        table(
            ["measure", "#value", "verdict", "explanation", "do"],
            ([each.measure, _number(each.value), each.verdict, each.explanation, each.hint] for each in measures),
        )
    )


def read_vectors(path: Path | None) -> NDArray[np.float32] | None:
    """The array of a .npy file.

    Raises:
        InvalidArgument: it cannot be read as one.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return cast("NDArray[np.float32]", np.lib.format.read_array(file, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise InvalidArgument(
            f"--queries {str(path)!r} cannot be read as vectors: {error}",
            hint="Save them with numpy.save(path, vectors), an array of shape (n, d).",
        ) from None


def _milliseconds(seconds: object) -> str:
    return f"{1000 * _as_number(seconds):.2f} ms"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _summary(told: dict[str, object]) -> list[tuple[str, object]]:
    """The costs, and how far codes look; what was not measured is left out."""
    rows: list[tuple[str, object]] = [(name, f"{_as_number(told[name]):.0f}") for name in ("rows", "queries")]
    rows += [
        (text, f"{1e6 * _as_number(told[name]):.3g} us") for name, text in _COSTS.items() if told.get(name) is not None
    ]
    margins, levels = told.get("margins"), told.get("recall_levels")
    if isinstance(margins, list) and isinstance(levels, list):
        rows += [
            (f"how much farther than expected codes may lie, at recall {level:g}", _margin(_as_number(margin)))
            for level, margin in zip(levels, margins, strict=True)
            if level in {0.95, 0.99}
        ]
    return rows


def _margin(margin: float) -> str:
    return f"{margin:.3g}" if math.isfinite(margin) else "any: not used"


def _as_number(value: object) -> float:
    return float(cast("float | str", value))
