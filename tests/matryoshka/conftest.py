"""Vectors whose first dimensions tell most, as those of a Matryoshka model do, in a table with indexes on prefixes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from matryoshka.books import DIM, ROWS, Shelf, drawn

from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from fixtures.server import Server
    from numpy.typing import NDArray


@pytest.fixture(scope="package")
def vectors() -> NDArray[np.float32]:
    return drawn(ROWS, seed=3)


@pytest.fixture(scope="package")
def shelf_database(server: Server, template: str, vectors: NDArray[np.float32]) -> Iterator[str]:
    with server.database("ladder", template) as name:
        with psycopg.connect(server.dsn(name)) as connection:
            connection.execute(
                f"CREATE TABLE book (id int PRIMARY KEY, shelf int, lent bool, e vector({DIM}))".encode()
            )
            connection.execute(
                "INSERT INTO book SELECT o, mod(o, 20), mod(o, 2) = 0, v "
                "FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)",
                [vectors_text(vectors)],
            )
            connection.execute("CREATE INDEX ON book (shelf); ANALYZE book")
            connection.execute("SELECT pgsim.create_collection('book')")
            connection.execute("SELECT pgsim.create_model('m', %s)", [DIM])
            connection.execute("SELECT pgsim.create_version('book', 'm', column_name => 'e')")
            connection.execute("SELECT pgsim.create_index('book', 'm', dims => 16, element => 'halfvec')")
            connection.execute("SELECT pgsim.create_index('book', 'm', element => 'bit')")
        yield name


@pytest.fixture
def shelf(server: Server, shelf_database: str, vectors: NDArray[np.float32]) -> Iterator[Shelf]:
    """2,500 books on 20 shelves, every other one lent, with an index on 16 of 64 dimensions and one on bits."""
    with server.rolled_back(shelf_database) as connection:
        yield Shelf(connection, vectors)
