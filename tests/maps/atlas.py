"""A collection with vectors, and models derived from its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pgsim import Database
from pgsim.maps import Map, fit_pca

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    from pgsim.steps import Row

DIM = 12


def vectors(rows: int, seed: int = 0, dim: int = DIM) -> NDArray[np.float32]:
    """``(rows, dim)``, of some directions much more than of others, as embeddings are."""
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(dim, dim)))[0]
    given: NDArray[np.float32] = ((random.normal(size=(rows, dim)) * np.geomspace(3, 0.1, dim)) @ turn).astype(
        np.float32
    )
    return given


@dataclass
class Atlas:
    """The table ``place`` (keys 1, 2, ...), registered under model ``base``; ``turned`` is a PCA of its space."""

    connection: psycopg.Connection[Row]
    database: Database
    fitted: Map
    adopted: bool

    def derive(self, name: str = "rotated", fitted: Map | None = None, **how: Any) -> str:
        """A model derived by a map of that name, and a version under it, not filled; the version's table."""
        self.database.create_map(name, "base", fitted or self.fitted)
        self.database.derive_model(name, name, **how)
        self.database.create_version("place", name)
        return self.table(name)

    def table(self, model: str) -> str:
        """Where a version's vectors are, quoted for SQL."""
        return str(
            self.one("SELECT relation::text FROM pgsim.versions WHERE collection = 'place' AND model = %s", model)
        )

    def one(self, statement: str, *parameters: object) -> Any:
        row = self.connection.execute(statement.encode(), parameters).fetchone()
        return row and row[0]

    def far(self, model: str = "rotated") -> float | None:
        """By how much a derived version's vectors differ from their base's, mapped; None: it has others than that."""
        base, derived = self.table("base"), self.table(model)
        key, column = ("id", "embedding") if self.adopted else ("key", "embedding")
        return self.one(
            f"SELECT CASE WHEN bool_and(b.{column} IS NOT NULL AND d.key IS NOT NULL) "
            f"THEN coalesce(max(d.embedding::vector <-> pgsim.apply_map(m.map, b.{column}::vector)), 0) END "
            f"FROM (SELECT * FROM {base} WHERE {column} IS NOT NULL) AS b FULL JOIN {derived} AS d ON d.key = b.{key} "
            "CROSS JOIN (SELECT map FROM pgsim.models WHERE name = %s) AS m",
            model,
        )


def open_atlas(
    connection: psycopg.Connection[Row],
    *,
    adopted: bool = False,
    rows: int = 60,
    metric: str = "cosine",
    element: str = "vector",
    more: str = "",
) -> Atlas:
    """Make the table and the versions in it; ``more``: columns and constraints besides."""
    column = f", embedding {element}({DIM})" if adopted else ""
    connection.execute(f"CREATE TABLE place (id int PRIMARY KEY, name text{column}{more})".encode())
    given = vectors(rows)
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO place (id, name) VALUES (%s, %s)", [(i + 1, f"place {i}") for i in range(rows)])
    database = Database(connection)
    database.create_collection("place", text_columns=["name"])
    database.create_model("base", DIM, metric=metric, element=element)
    database.create_version("place", "base", column_name="embedding" if adopted else None)
    database.upsert("place", "base", range(1, rows + 1), given)
    fitted = fit_pca(vectors(60), unit_length=metric == "cosine")
    database.create_map("turned", "base", fitted)
    return Atlas(connection, database, fitted, adopted)


def text(vector: NDArray[np.float32]) -> str:
    return "[" + ",".join(map(repr, vector.tolist())) + "]"
