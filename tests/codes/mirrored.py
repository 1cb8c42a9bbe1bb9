"""A table with codes, and how they differ from what they should hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

DIM = 8
# A vector of DIM signs and sizes that a number decides.
VECTOR = "(SELECT array_agg(sin(({number}) * 7.3 + j * 1.9))::real[]::vector(8) FROM generate_series(1, 8) AS j)"


def vector(number: str) -> str:
    """The SQL of a vector, different for each value of the SQL expression."""
    return VECTOR.format(number=number)


@dataclass(frozen=True)
class Layout:
    """Where the vectors are and what the key is; the key's columns are computed from a number ``n``."""

    adopted: bool = True
    key: dict[str, tuple[str, str]] = field(default_factory=lambda: {"id": ("int", "{n}")})
    element: str = "vector"
    metric: str = "cosine"
    persistence: str = ""
    code: tuple[int, str] = (8, "bit")

    @property
    def key_columns(self) -> str:
        return ", ".join(f'"{name}"' for name in self.key)

    def key_of(self, number: str) -> str:
        """The key of a number as a list of SQL expressions."""
        return ", ".join(f"({expression.format(n=number)})" for _, expression in self.key.values())

    def key_text(self, number: str) -> str:
        """The key of a number as pgsim writes it."""
        if len(self.key) == 1:
            return f"{self.key_of(number)}::text"
        pairs = ", ".join(f"'{name}', {expression.format(n=number)}" for name, (_, expression) in self.key.items())
        return f"jsonb_build_object({pairs})::text"

    def create(self, connection: Connection, rows: int = 60, *, codes: bool = True) -> Mirror:
        """The table ``"The Items"`` with that many rows, registered as the collection ``items``."""
        definitions = ", ".join(f'"{name}" {type_}' for name, (type_, _) in self.key.items())
        connection.execute(f"""
            CREATE {self.persistence} TABLE "The Items" (
                n int UNIQUE, {definitions}, section text, "Size" int, tags text[], note text,
                {f"embedding {self.element}(8)," if self.adopted else ""} PRIMARY KEY ({self.key_columns}));
            SELECT pgsim.create_collection('"The Items"', 'items', text_columns => '{{note}}',
                                           filter_columns => '{{section,Size,tags}}');
            SELECT pgsim.create_model('m', 8, metric => '{self.metric}', element => '{self.element}');
            SELECT pgsim.create_version('items', 'm', column_name => {"'embedding'" if self.adopted else "NULL"});
        """)
        mirror = Mirror(connection, self)
        mirror.add(f"generate_series(1, {rows})")
        if codes:
            dims, element = self.code
            connection.execute(
                "SELECT pgsim.create_index('items', 'm', method => 'codes', dims => %s, element => %s)", [dims, element]
            )
        return mirror


@dataclass(frozen=True)
class Mirror:
    """The table of a `Layout` and its codes."""

    connection: Connection
    layout: Layout

    def insert(self, numbers: str) -> str:
        """An INSERT of rows for numbers, a set that SQL returns; with vectors where these are a column."""
        return f"""
            INSERT INTO "The Items" (n, {self.layout.key_columns}, section, "Size", tags{
            ", embedding" if self.layout.adopted else ""
        })
            SELECT i, {self.layout.key_of("i")}, 's' || mod(i, 5), i, ARRAY['t' || mod(i, 3)]{
            f", {vector('i')}" if self.layout.adopted else ""
        } FROM {numbers} AS i
        """

    def store(self, numbers: str, seed: str = "0") -> str:
        """Vectors for the rows of numbers."""
        return (
            f"SELECT pgsim.upsert('items', 'm', array_agg({self.layout.key_text('i')}), "
            f"array_agg({vector(f'i + {seed}')}), skip_absent => true) FROM {numbers} AS i"
        )

    def add(self, numbers: str) -> None:
        self.connection.execute(self.insert(numbers))
        if not self.layout.adopted:
            self.connection.execute(self.store(numbers))

    def codes(self) -> str:
        """The table of codes, quoted."""
        rows = self.connection.execute(
            "SELECT i.relation::text FROM pgsim._index AS i WHERE i.method = 'codes' AND i.place = 'serving'"
        ).fetchall()
        return str(rows[0][0])

    def differing(self) -> list[tuple[Any, ...]]:
        """Live rows whose codes are not what a fresh build gives: the row, and what stands in its place."""
        return differing(self.connection, '"The Items"', list(self.layout.key), ["section", "Size", "tags"])


def differing(connection: Connection, base: str, key: list[str], filter_columns: list[str]) -> list[tuple[Any, ...]]:
    """Rows of a table, as a fresh build of codes gives them, that its codes hold otherwise or not at all."""
    codes, version, adopted, column, dims, element = connection.execute(
        "SELECT i.relation::text, v.relation::text, v.adopted, v.column_name, i.dims, i.element "
        "FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id "
        "WHERE i.method = 'codes' AND i.place = 'serving'"
    ).fetchall()[0]
    own = ["key"] if len(key) == 1 else [f"key_{i}" for i in range(1, len(key) + 1)]
    join = " AND ".join(f'v.{mine} = b."{name}"' for mine, name in zip(own, key, strict=True))
    mirrored = ", ".join(f'b."{name}"' for name in [*key, *filter_columns])
    on = " AND ".join(f'k."{name}" = b."{name}"' for name in key)
    prefix = f'subvector({"b" if adopted else "v"}."{column}", 1, {dims})'
    code = f"binary_quantize({prefix})" if element == "bit" else f"l2_normalize({prefix})::halfvec({dims})"
    query = f"""
        SELECT ROW({mirrored})::text, k::text
        FROM {base} AS b {"" if adopted else f"LEFT JOIN {version} AS v ON {join}"}
        LEFT JOIN {codes} AS k ON {on}
        WHERE k.code IS DISTINCT FROM {code}
           OR k.ctid IS NULL OR record_image_ne(ROW({mirrored}, k.code)::{codes}, k)
    """
    return connection.execute(sql.SQL(query)).fetchall()  # type: ignore[arg-type]
