from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from atlas import Atlas, open_atlas

if TYPE_CHECKING:
    import psycopg

    from pgsim.steps import Row


@pytest.fixture
def atlas(connection: psycopg.Connection[Row]) -> Atlas:
    """A collection whose vectors are in a version table, with a map of them stored as ``turned``."""
    return open_atlas(connection)
