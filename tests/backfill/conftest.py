from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from fixtures.server import FAST

import pgsim
from pgsim import embedded, install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server

ARTICLES = """
CREATE TABLE articles (id int PRIMARY KEY, body text, views int NOT NULL DEFAULT 0, published date);
INSERT INTO articles SELECT i, 'article ' || repeat(chr(97 + i % 26), i), 0, date '2024-01-01' + i % 7
FROM generate_series(1, 40) AS i;
SELECT pgsim.create_collection('articles', text_columns => '{body}');
SELECT pgsim.create_model('old', 4, properties => '{"probes": false}');
SELECT pgsim.create_model('letters', 26, properties => '{"probes": false}');
SELECT pgsim.create_version('articles', 'old'), pgsim.create_version('articles', 'letters');
"""


@pytest.fixture(scope="session")
def article_template(server: Server, template: str) -> Iterator[str]:
    """The name of a database with forty articles, and an empty version of them under `letters`."""
    with server.database("articles", template) as name:
        with server.admin(name) as connection:
            connection.execute(ARTICLES.encode())
        yield name


@pytest.fixture
def dsn(server: Server, article_template: str) -> Iterator[str]:
    """The URI of a copy of it."""
    with server.database("copy", article_template) as name:
        yield server.dsn(name)


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection]:
    """Somebody else's connection to it, in autocommit."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def db(dsn: str) -> Iterator[pgsim.Database]:
    with pgsim.Database(dsn) as database:
        yield database


@pytest.fixture(scope="module")
def mortal_server(server: Server, built_sql: Path) -> Iterator[embedded.EmbeddedServer]:
    """A server that may be killed, with pgsim. It syncs to disk, as it must to survive."""
    if server.embedded is None:
        pytest.skip("a server that is not this session's own is not to be killed")
    home = Path(tempfile.mkdtemp(prefix="pgsim-mortal-", dir=Path(server.embedded.data_dir).parent.parent))
    settings = {name: value for name, value in FAST.items() if name in {"autovacuum", "shared_buffers"}}
    try:
        with embedded.start(
            home / "data", postgres=server.embedded.postgres, settings=settings, cleanup="delete"
        ) as running:
            with psycopg.connect(running.dsn(), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION vector")
                install.install(connection, root=built_sql)
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)
