"""What somebody stored is shown as it is, and acts neither on the terminal nor as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from pgsim.cli.screen import lines, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table


@pytest.mark.parametrize("kind", [table, lines])
def test_a_cell_is_shown_as_it_is(kind: Callable[[Sequence[str], Sequence[Sequence[object]]], Table]) -> None:
    console = Console(width=100, color_system=None)
    with console.capture() as shown:
        console.print(kind(["a", "b"], [["gmtime([seconds])", "[bold]\x1b[31m x"], [None, 3]]))
    rows = [line.split() for line in shown.get().splitlines()]
    assert rows[1] == ["gmtime([seconds])", "[bold]\N{REPLACEMENT CHARACTER}[31m", "x"]
    assert rows[2] == ["3"]
