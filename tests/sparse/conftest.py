from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from cookbook import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from cookbook import Connection, Recipes


@pytest.fixture
def recipes(connection: Connection) -> Recipes:
    return make(connection)


@pytest.fixture
def refused(connection: Connection) -> Callable[..., str]:
    """Runs a statement that must fail with that SQLSTATE and say what to do; its message."""

    def check(sqlstate: str, statement: str, *values: object) -> str:
        with pytest.raises(psycopg.Error) as raised, connection.transaction():
            connection.execute(statement.encode(), values or None)
        assert raised.value.sqlstate == sqlstate, str(raised.value)
        assert raised.value.diag.message_hint
        return str(raised.value.diag.message_primary)

    return check
