"""Weights as they are written on a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgsim.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_weights(given: Sequence[str] | None) -> dict[str, float] | None:
    """Weights by name: ``dense=0.7`` of a leg, ``title=3`` of a column; None where none is given.

    Raises:
        InvalidArgument: one is not of this form.
    """
    weights: dict[str, float] = {}
    for each in given or ():
        name, _, number = each.rpartition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise InvalidArgument(
                f"--weight {each!r} is not of the form NAME=NUMBER",
                hint="For instance --weight dense=0.7 of a leg, --weight title=3 of a column.",
            )
    return weights or None
