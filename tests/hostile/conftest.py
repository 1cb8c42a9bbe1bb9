from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from fortress import ATTACK, SETTING_UP, SHARED, Fortress
from strings import hostile_strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server


@pytest.fixture(
    params=[slice(0, None, 4), pytest.param(slice(None), marks=pytest.mark.slow)], ids=["every fourth", "all"]
)
def share(request: pytest.FixtureRequest) -> slice:
    """Which of the strings a test takes, of those that are tried in all."""
    taken: slice = request.param
    return taken


@pytest.fixture(scope="session")
def built_fortress(server: Server, template: str) -> Iterator[Fortress]:
    """The database of all attacks: each leaves it as it was, or fails."""
    with (
        server.database("fortress", template) as name,
        psycopg.connect(server.dsn(name), autocommit=True) as connection,
    ):
        # Queries of vectors name pgvector's types, wherever it lives.
        connection.execute("SELECT set_config('search_path', 'public, ' || pgsim._vector_schema(), false)")
        connection.execute(SETTING_UP)
        connection.execute(ATTACK)
        names = hostile_strings(300, seed=1)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO victims (id, name, size, tags, meta) VALUES (%s, %s, %s, %s, %s::jsonb)",
                [(i, name, i, [name], json.dumps({"k": name, name: name})) for i, name in enumerate(names)],
            )
        built = Fortress(connection, names)
        built.known = built.snapshot()
        yield built


@pytest.fixture
def fortress(built_fortress: Fortress) -> Iterator[Fortress]:
    """A database that the test attacks; afterwards it must be what it was."""
    before = built_fortress.known | built_fortress.checksums(SHARED)
    yield built_fortress
    built_fortress.known = built_fortress.snapshot()
    assert built_fortress.known == before
