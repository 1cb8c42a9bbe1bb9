"""What pgsim asks of a model that ranks hits anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Scorer(Protocol):
    """Says how well texts answer a query. Any object with this name and method is one."""

    @property
    def name(self) -> str:
        """What tells its scores from another's, in a cache."""
        ...

    def score(self, query: str, texts: list[str]) -> NDArray[np.float32]:
        """A score for each text, higher is better: ``(n,)``, row i for ``texts[i]``."""
        ...
