"""Kinds of codes that were tried on a user's own rows and filters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pgsim.evaluation.mean import Mean


@dataclass(frozen=True, slots=True)
class CodeKind:
    """Codes of ``dims`` numbers as ``element`` (bit or halfvec), of the vectors as they are or ``rotated``.

    ``seconds``: the median of a filtered search. ``bytes`` and ``build_seconds`` are scaled to all rows. ``refusal``:
    why they cannot answer; then recall and seconds are None.
    """

    dims: int
    element: str
    rotated: bool
    recall: Mean | None
    seconds: float | None
    bytes: int
    build_seconds: float
    refusal: str | None

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.dims} {self.element}{', rotated' if self.rotated else ''}"


@dataclass(frozen=True, slots=True)
class CodesReport:
    """What each kind of codes found and took, on ``rows`` of ``total`` rows: ``queries`` by each of ``filters``.

    ``exact_seconds``: the median of ranking every match. ``best``: the fastest that finds what was asked; None where
    none does. ``current``: the table of the codes that the version has, ``is_best`` whether they are of that kind.
    """

    collection: str
    model: str
    embedding: str
    asked: float
    k: int
    rows: int
    total: int
    queries: int
    filters: Sequence[Mapping[str, object]]
    exact_seconds: float
    kinds: tuple[CodeKind, ...]
    best: CodeKind | None
    current: str | None
    is_best: bool

    def as_json(self) -> dict[str, object]:
        """All of it, for `json.dumps`."""
        return asdict(self)
