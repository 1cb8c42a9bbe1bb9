"""A small table with vectors, and what is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    import psycopg
    from numpy.typing import NDArray

AS_A_TENANT = """
CREATE ROLE a_reader;
GRANT SELECT ON book TO a_reader;
ALTER TABLE book ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON book USING (tenant = current_setting('app.tenant'));
SELECT pgsim.sync_privileges('book');
SET LOCAL app.tenant = 'umbrella';
SET LOCAL ROLE a_reader;
"""


class Shelf:
    """A table ``book`` and its collection, with vectors ``(n, d)`` in the order of the keys 1 to n."""

    def __init__(self, connection: psycopg.Connection[Any], vectors: NDArray[np.float32]) -> None:
        self.connection = connection
        self.vectors = vectors

    def recall(self, **arguments: object) -> dict[str, Any]:
        """The row of pgsim.recall."""
        cursor = self._call("recall", arguments)
        names = [column.name for column in cursor.description or ()]
        return dict(zip(names, cursor.fetchall()[0], strict=True))

    def health(self, **arguments: object) -> dict[str, tuple[Any, ...]]:
        """value, verdict, explanation and hint by measure."""
        return {row[0]: row[1:] for row in self._call("health", arguments)}

    def _call(self, function: str, arguments: dict[str, object]) -> psycopg.Cursor[Any]:
        named = "".join(f", {name} => %({name})s" for name in arguments)
        statement = f"SELECT * FROM pgsim.{function}('book'{named})"
        return self.connection.execute(statement.encode(), arguments)


def _array(vectors: NDArray[np.float32]) -> str:
    return vectors_text(vectors) if len(vectors) else "{}"


def fill_shelf(
    connection: psycopg.Connection[Any],
    vectors: NDArray[np.float32],
    *,
    adopted: bool = True,
    metric: str = "cosine",
    element: str = "vector",
    table: str = "id int PRIMARY KEY, tenant text, embedding {}",
    partitions: bytes = b"",
) -> Shelf:
    """Makes the table with `vectors`; every fifth book belongs to tenant umbrella, the others to acme."""
    dim = vectors.shape[1]
    connection.execute(f"CREATE TABLE book ({table.format(f'{element}({dim})')})".encode())
    if partitions:
        connection.execute(partitions)
    connection.execute(
        "INSERT INTO book SELECT i, CASE WHEN mod(i, 5) = 0 THEN 'umbrella' ELSE 'acme' END, CASE WHEN %s THEN v END "
        "FROM unnest(%s::vector[]) WITH ORDINALITY AS g (v, i)",
        [adopted, _array(vectors)],
    )
    connection.execute("SELECT pgsim.create_collection('book')")
    connection.execute("SELECT pgsim.create_model('model', %s, metric => %s, element => %s)", [dim, metric, element])
    column = "embedding" if adopted else None
    connection.execute("SELECT pgsim.create_version('book', 'model', column_name => %s)", [column])
    if not adopted:
        keys = [str(i + 1) for i in range(len(vectors))]
        connection.execute("SELECT pgsim.upsert('book', 'model', %s, %s)", [keys, _array(vectors)])
    connection.execute("ANALYZE book")
    return Shelf(connection, vectors)
