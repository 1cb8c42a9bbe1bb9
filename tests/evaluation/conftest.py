from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from shelf import Shelf, fill_shelf

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import psycopg
    from numpy.typing import NDArray

    MakeShelf = Callable[..., Shelf]


@pytest.fixture
def normal_vectors() -> NDArray[np.float32]:
    """``(300, 16)``."""
    return np.random.default_rng(11).normal(size=(300, 16)).astype(np.float32)


@pytest.fixture
def make_shelf(connection: psycopg.Connection[Any], normal_vectors: NDArray[np.float32]) -> MakeShelf:
    def make(vectors: NDArray[np.float32] | None = None, **how: Any) -> Shelf:
        return fill_shelf(connection, normal_vectors if vectors is None else vectors, **how)

    return make


@pytest.fixture
def shelf(make_shelf: MakeShelf) -> Shelf:
    return make_shelf()
