"""What the terminal shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

output = Console()
errors = Console(stderr=True)


def progress() -> Progress:
    """A progress bar with counts and times."""
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=output,
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """A table of rows; columns that begin with ``#`` are numbers, set to the right."""
    shown = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        shown.add_column(
            column.removeprefix("#"), justify="right" if column.startswith("#") else "left", overflow="fold"
        )
    for row in rows:
        shown.add_row(*(escape(_plain(cell)) for cell in row))
    return shown


def lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table with one line a row: long cells are cut, the last one where the screen ends."""
    cut = [[" ".join(_plain(cell).split()) for cell in row] for row in rows]
    widest = max(16, output.width // max(2, len(columns)))
    for row in cut:
        row[:-1] = [_shortened(cell, widest) for cell in row[:-1]]
    used = sum(max(len(row[i]) for row in [list(columns), *cut]) + 2 for i in range(len(columns) - 1))
    for row in cut:
        row[-1] = _shortened(row[-1], max(16, output.width - used - 1))
    return table(columns, cut)


# A cell holds what somebody stored: control characters would act on the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _plain(cell: object) -> str:
    return "" if cell is None else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(cell))


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
