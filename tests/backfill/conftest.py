from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

import pgsim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server
    from numpy.typing import NDArray

ARTICLES = """
CREATE TABLE articles (id int PRIMARY KEY, body text, views int NOT NULL DEFAULT 0, published date);
INSERT INTO articles SELECT i, 'article ' || repeat(chr(97 + i % 26), i), 0, date '2024-01-01' + i % 7
FROM generate_series(1, 40) AS i;
SELECT pgsim.create_collection('articles', text_columns => '{body}');
SELECT pgsim.create_model('old', 4), pgsim.create_version('articles', 'old');
SELECT pgsim.create_model('letters', 26), pgsim.create_version('articles', 'letters');
"""


class Letters:
    """Counts letters: every difference between two texts shows. It remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        self.batches.append(texts)
        return np.stack([counts(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return counts(text)

    @property
    def texts(self) -> list[str]:
        """Every text it was given to embed, in their order."""
        return [text for batch in self.batches for text in batch]


class Gate(Letters):
    """Stops at its first batch until it is told to go on, as a slow model does."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        self.reached.set()
        assert self.go_on.wait(30)
        return super().embed_documents(texts)


def counts(text: str) -> NDArray[np.float32]:
    """What `Letters` makes of a text."""
    return np.array([text.lower().count(chr(97 + i)) for i in range(26)], np.float32)


def wrong(connection: psycopg.Connection, model: str = "letters") -> list[object]:
    """Keys of the articles whose vector is missing, or not that of their text; and of vectors without an article."""
    ((relation,),) = connection.execute(
        "SELECT relation::text FROM pgsim.versions WHERE model = %s", [model]
    ).fetchall()
    rows = connection.execute(
        f"SELECT coalesce(b.id, v.key), btrim(b.body), v.embedding::text FROM articles AS b "
        f"FULL JOIN {relation} AS v ON v.key = b.id".encode()
    )
    return [key for key, body, vector in rows if not _is_right(body, vector)]


def _is_right(body: str | None, vector: str | None) -> bool:
    if not body or vector is None:
        return not body and vector is None
    return np.allclose(counts(body), np.fromstring(vector[1:-1], sep=","))


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
