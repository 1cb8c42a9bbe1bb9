"""A table whose first dimensions tell most: vectors with a falling spectrum, as embeddings have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    from typing import Any

    import psycopg
    from numpy.typing import NDArray

ROWS, DIM = 600, 24
NAME = 'it\'s 100% "steep"'


def falling(rows: int = ROWS, dim: int = DIM, seed: int = 5) -> NDArray[np.float32]:
    """``(rows, dim)``, every dimension a tenth narrower than the one before."""
    return (np.random.default_rng(seed).normal(size=(rows, dim)) * 0.9 ** np.arange(dim)).astype(np.float32)


def fill(
    connection: psycopg.Connection[Any],
    vectors: NDArray[np.float32],
    *,
    name: str = NAME,
    metric: str = "cosine",
    element: str = "vector",
    adopted: bool = True,
    matryoshka: str | None = None,
) -> None:
    """The table ``terrace``, whose key i stands for row i - 1; every third belongs to tenant b, the others to a."""
    connection.execute(
        f'CREATE TABLE terrace ("the %" int PRIMARY KEY, tenant text, "e ""%" {element}({vectors.shape[1]}))'.encode()
    )
    connection.execute(
        "INSERT INTO terrace SELECT i, CASE WHEN mod(i, 3) = 0 THEN 'b' ELSE 'a' END, CASE WHEN %s THEN v END "
        "FROM unnest(%s::vector[]) WITH ORDINALITY AS g (v, i)",
        [adopted, vectors_text(vectors)],
    )
    connection.execute("SELECT pgsim.create_collection('terrace', name => %s)", [name])
    connection.execute(
        "SELECT pgsim.create_model(%s, %s, metric => %s, element => %s, matryoshka => %s::int[])",
        [name, vectors.shape[1], metric, element, matryoshka],
    )
    connection.execute(
        "SELECT pgsim.create_version(%s, %s, column_name => %s)", [name, name, 'e "%' if adopted else None]
    )
    if not adopted:
        keys = [str(i + 1) for i in range(len(vectors))]
        connection.execute("SELECT pgsim.upsert(%s, %s, %s, %s)", [name, name, keys, vectors_text(vectors)])
    connection.execute("ANALYZE terrace")


def temporary_tables(connection: psycopg.Connection[Any]) -> list[str]:
    """What stands in the session's temporary schema."""
    rows = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() ORDER BY 1")
    return [row[0] for row in rows]
