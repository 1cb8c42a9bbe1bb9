from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from pgsim import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from fixtures.server import Server

    ActingAs = Callable[[str], AbstractContextManager[psycopg.Connection]]


@pytest.fixture(scope="session")
def librarian(server: Server) -> Iterator[str]:
    """A role that owns pgsim, and is no superuser."""
    name = server.unique_name("librarian")
    with server.admin() as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        yield name
        admin.execute(f"DROP ROLE {name}")


@pytest.fixture(scope="session")
def librarian_database(server: Server, bare_template: str, built_sql: Path, librarian: str) -> Iterator[str]:
    with server.database("librarian", bare_template, owner=librarian) as name:
        with psycopg.connect(server.dsn(name, user=librarian, password=librarian)) as connection:
            install.install(connection, root=built_sql)
        yield name


@pytest.fixture
def connection(server: Server, librarian_database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a database whose pgsim belongs to `librarian`; what the test does is rolled back."""
    with server.rolled_back(librarian_database) as connection:
        yield connection


@pytest.fixture
def acting_as(connection: psycopg.Connection) -> ActingAs:
    """`with acting_as("reader")`: what follows is done with the rights of that role."""

    @contextmanager
    def switch(role: str) -> Iterator[psycopg.Connection]:
        connection.execute(f"SET LOCAL ROLE {role}")
        try:
            with connection.transaction():
                yield connection
        finally:
            connection.execute("RESET ROLE")

    return switch


@pytest.fixture
def library(connection: psycopg.Connection, librarian: str) -> psycopg.Connection:
    """Documents of two tenants, two each, as an own-table version (`toy`) and an adopted one (`own`), indexed.

    Roles: `owner` owns the table and is a member of pgsim's owner; `reader` and `writer` have no grant yet.
    """
    connection.execute(f"""
        CREATE ROLE owner; CREATE ROLE reader; CREATE ROLE writer;
        GRANT {librarian} TO owner; GRANT CREATE ON SCHEMA public TO owner;
    """)
    connection.execute("""
        SET LOCAL ROLE owner;
        CREATE TABLE documents (id int PRIMARY KEY, tenant text NOT NULL, title text, embedding vector(3));
        INSERT INTO documents VALUES
            (1, 'a', 'x', '[1,0,0]'), (2, 'a', 'y', '[1,1,0]'), (3, 'b', 'x', '[1,2,0]'), (4, 'b', 'y', '[1,3,0]');
        SELECT pgsim.create_collection('documents', text_columns => '{title}');
        SELECT pgsim.create_model('toy', 3), pgsim.create_model('own', 3);
        SELECT pgsim.create_version('documents', 'toy');
        SELECT pgsim.create_version('documents', 'own', column_name => 'embedding');
        SELECT pgsim.upsert('documents', 'toy', array_agg(id::text), array_agg(embedding)) FROM documents;
        SELECT pgsim.create_index('documents', 'toy'), pgsim.create_index('documents', 'own');
        RESET ROLE;
    """)
    return connection
