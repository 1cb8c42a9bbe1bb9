from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

import pgsim

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
