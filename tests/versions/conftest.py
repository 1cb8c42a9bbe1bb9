from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pgsim import errors

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTS = """
CREATE TABLE documents (id int PRIMARY KEY, title text, body text, size int);
INSERT INTO documents SELECT i, 'title ' || i, 'body ' || i, i FROM generate_series(1, 6) AS i;
SELECT pgsim.create_collection('documents', text_columns => '{title,body}', filter_columns => '{size}');
SELECT pgsim.create_model('old', 2), pgsim.create_model('new', 3), pgsim.create_model('other', 3);
SELECT pgsim.create_version('documents', 'old'), pgsim.create_version('documents', 'new');
SELECT pgsim.upsert('documents', 'old', array_agg(id::text), array_agg(ARRAY[id, 1]::vector)) FROM documents;
"""
FILL = "SELECT pgsim.upsert('documents', 'new', array_agg(id::text), array_agg(ARRAY[1, id, 1]::vector)) FROM documents"


@pytest.fixture
def documents(connection: psycopg.Connection) -> psycopg.Connection:
    """Six documents, embedded under `old`, which is active; `new` has no vectors yet."""
    connection.execute(DOCUMENTS)
    return connection


@pytest.fixture
def filled(documents: psycopg.Connection) -> psycopg.Connection:
    """The same; `new` has every vector."""
    documents.execute(FILL)
    return documents


@pytest.fixture
def documents_dsn(database_dsn: str) -> str:
    """The URI of a database with the same documents, for tests with several connections; both versions are full."""
    with psycopg.connect(database_dsn) as connection:
        connection.execute(DOCUMENTS)
        connection.execute(FILL)
    return database_dsn


@pytest.fixture
def refused(connection: psycopg.Connection) -> Callable[..., errors.PgsimError]:
    """Runs a statement that must fail with that SQLSTATE and say what to do."""

    def check(sqlstate: str, statement: str, *values: Any) -> errors.PgsimError:
        with pytest.raises(psycopg.Error) as raised, connection.transaction():
            connection.execute(statement, values or None)  # type: ignore[arg-type]
        assert raised.value.sqlstate == sqlstate, str(raised.value)
        diagnostic = raised.value.diag
        assert diagnostic.message_hint
        known = errors.class_for(sqlstate)
        assert known is not None
        return known(diagnostic.message_primary or "", detail=diagnostic.message_detail, hint=diagnostic.message_hint)

    return check
