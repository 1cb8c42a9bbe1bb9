from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from terraces import falling, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server


@pytest.fixture(scope="module")
def terrace_dsn(server: Server, template: str) -> Iterator[str]:
    """A database with the table ``terrace``, for tests that leave it as it is."""
    with server.database("terrace", template) as name:
        with psycopg.connect(server.dsn(name), autocommit=True) as connection:
            fill(connection, falling())
        yield server.dsn(name)
