"""What is measured on: a table with vectors, a related table, queries, and filters of every shape.

``PGSIM_CORPUS`` names a folder with the Debian corpus (docs.jsonl.gz, minilm.docs.f16.npy, minilm.queries.f16.npy);
without it the corpus is the standard library's documentation, as in the demo: smaller, and there on every machine.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pgvector.psycopg import register_vector

from pgsim.demo.corpus import read_standard_library
from pgsim.demo.model import LsaEmbedder, document_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg
    from numpy.typing import NDArray

    from pgsim.steps import Row


Condition = tuple[dict[str, object], str, str]


@dataclass(frozen=True)
class Shape:
    """A filter for pgsim, the same as SQL over the table, and over one wide table without joins where that differs."""

    name: str
    filter: dict[str, object] | None
    predicate: str
    wide: str | None = None


@dataclass(frozen=True)
class Corpus:
    """``vectors`` and ``queries``: ``(n, d) float32``, unit length; row i of ``vectors`` has the key i + 1.

    ``group_column``: rows that share it are alike; rows for a larger table are mixed within it.
    ``partial``: the name of the shape that a partial index is made for; ``scaled``: of those for a larger table.
    """

    name: str
    columns: str
    rows: Sequence[tuple[object, ...]]
    maintainers: Sequence[tuple[int, str, str, bool]]
    text_column: str
    filter_columns: tuple[str, ...]
    group_column: str
    shapes: tuple[Shape, ...]
    partial: str
    scaled: tuple[str, ...]
    vectors: NDArray[np.float32]
    queries: NDArray[np.float32]

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.vectors.shape[1])

    @cached_property
    def types(self) -> dict[str, str]:
        """The columns' types; the key and the vector are not among them."""
        return {each.split()[0]: each.split()[1] for each in self.columns.split(", ")}

    def values(self, column: str) -> list[object]:
        """One column of all rows."""
        place = list(self.types).index(column)
        return [row[place] for row in self.rows]

    def choose(self, names: Sequence[str] | None) -> list[Shape]:
        """The shapes of these names, or all.

        Raises:
            SystemExit: there is none of such a name.
        """
        known = {shape.name: shape for shape in self.shapes}
        unknown = [name for name in names or () if name not in known]
        if unknown:
            raise SystemExit(f"no shape is called {', '.join(unknown)}; there are: {', '.join(known)}")
        return [known[name] for name in names or known]

    def create(self, connection: psycopg.Connection[Row], table: str = "item") -> None:
        """Make the table, empty, and the table ``maintainer`` that it refers to."""
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS maintainer (id integer PRIMARY KEY, name text, country text, team boolean); "
            f"DROP TABLE IF EXISTS {table} CASCADE; "
            f"CREATE TABLE {table} (id integer PRIMARY KEY, {self.columns}, embedding vector({self.dim}))".encode()
        )
        register_vector(connection)
        if connection.execute("SELECT FROM maintainer LIMIT 1").fetchone() is None:
            with connection.cursor().copy("COPY maintainer FROM STDIN") as copy:
                for maintainer in self.maintainers:
                    copy.write_row(maintainer)
            connection.execute("CREATE INDEX ON maintainer (country)")
            connection.execute("VACUUM ANALYZE maintainer")

    def fill(
        self,
        connection: psycopg.Connection[Row],
        table: str,
        rows: Iterable[tuple[object, ...]],
        vectors: NDArray[np.float32],
        *,
        first_key: int = 1,
    ) -> None:
        """Copy rows and their vectors into a table that `create` made."""
        with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy:
            copy.set_types(["integer", *self.types.values(), "vector"])
            for key, row, vector in zip(count(first_key), rows, vectors, strict=False):
                copy.write_row([key, *row, vector])

    def index_filters(self, connection: psycopg.Connection[Row], table: str = "item") -> None:
        """An index on each filter column, and statistics."""
        for column in self.filter_columns:
            method = "gin" if self.types[column].endswith("[]") else "btree"
            connection.execute(f"CREATE INDEX ON {table} USING {method} ({column})".encode())
        connection.execute(f"VACUUM ANALYZE {table}".encode())

    def load(self, connection: psycopg.Connection[Row], table: str = "item") -> None:
        """Make the table with its column ``embedding``, an index on each filter column, statistics."""
        self.create(connection, table)
        self.fill(connection, table, self.rows, self.vectors)
        self.index_filters(connection, table)

    def register(
        self, connection: psycopg.Connection[Row], table: str = "item", *, filter_columns: Sequence[str] | None = None
    ) -> None:
        """Register the table under its name and adopt its column."""
        columns = self.filter_columns if filter_columns is None else filter_columns
        connection.execute(
            "SELECT pgsim.create_collection(%s::regclass, text_columns => %s, filter_columns => %s)",
            [table, [self.text_column], list(columns)],
        )
        if connection.execute("SELECT FROM pgsim.models WHERE name = 'model'").fetchone() is None:
            connection.execute("SELECT pgsim.create_model('model', dim => %s)", [self.dim])
        connection.execute("SELECT pgsim.create_version(%s, 'model', column_name => 'embedding')", [table])


def load_corpus() -> Corpus:
    """The corpus to measure on."""
    folder = os.environ.get("PGSIM_CORPUS")
    return _debian(Path(folder)) if folder else _standard_library()


# Made up, of a hundred: no corpus says where its maintainers live.
_COUNTRIES = {
    "US": 24,
    "DE": 16,
    "FR": 12,
    "GB": 10,
    "ES": 8,
    "IT": 7,
    "JP": 6,
    "BR": 5,
    "IN": 4,
    "CA": 3,
    "SE": 2,
    "NZ": 2,
    "IS": 1,
}


@dataclass
class _Maintainers:
    rows: list[tuple[int, str, str, bool]] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)

    def id(self, name: str, *, team: bool) -> int:
        if name not in self.ids:
            self.ids[name] = len(self.ids) + 1
            countries = [country for country, share in _COUNTRIES.items() for _ in range(share)]
            self.rows.append((self.ids[name], name, countries[zlib.crc32(name.encode()) % len(countries)], team))
        return self.ids[name]


def _debian(folder: Path) -> Corpus:
    maintainers = _Maintainers()
    rows = []
    with gzip.open(folder / "docs.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            package = json.loads(line)
            name = package["maintainer"]
            team = any(word in name for word in ("Team", "Group", "Maintainers"))
            copied = ("package", "section", "arch", "installed_size", "tags", "summary", "body")
            rows.append((*(package[column] for column in copied), maintainers.id(name, team=team)))
    return Corpus(
        name="Debian packages",
        columns="package text, section text, arch text, installed_size integer, tags text[], summary text, body text, "
        "maintainer_id integer REFERENCES maintainer",
        rows=rows,
        maintainers=maintainers.rows,
        text_column="body",
        filter_columns=("section", "arch", "installed_size", "tags", "maintainer_id"),
        group_column="section",
        shapes=_DEBIAN_SHAPES,
        partial="python",
        scaled=(
            *("none", "shells", "size range", "games and playing", "games", "games or audio", "python"),
            *("amd64, size range", "libs and shared", "role::program", "country", "not libs"),
        ),
        vectors=_unit(np.load(folder / "minilm.docs.f16.npy")),
        queries=_unit(np.load(folder / "minilm.queries.f16.npy")),
    )


def _has_tag(tag: str) -> Condition:
    return {"tags": {"$contains": [tag]}}, f"tags @> '{{{tag}}}'", f"array_has_all(tags, ['{tag}'])"


def _from_country(country: str) -> Condition:
    return (
        {"maintainer.country": country},
        f"maintainer_id IN (SELECT m.id FROM maintainer AS m WHERE m.country = '{country}')",
        f"country = '{country}'",
    )


def _all_of(name: str, *conditions: Condition) -> Shape:
    filters, predicates, wides = zip(*conditions, strict=True)
    return Shape(name, {"$and": list(filters)}, " AND ".join(predicates), " AND ".join(wides))


def _plain(filter: dict[str, object], predicate: str) -> Condition:
    return filter, predicate, predicate


_PROGRAM = _has_tag("role::program")
_AUDIO = _has_tag("works-with::audio")
_SHARED = _has_tag("role::shared-lib")

_DEBIAN_SHAPES = (
    Shape("none", None, "true"),
    Shape("shells", {"section": "shells"}, "section = 'shells'"),
    Shape("vcs", {"section": "vcs"}, "section = 'vcs'"),
    Shape("size range", {"installed_size": {"$between": [1000, 1050]}}, "installed_size BETWEEN 1000 AND 1050"),
    Shape("audio", *_AUDIO),
    Shape("games", {"section": "games"}, "section = 'games'"),
    Shape("python", {"section": "python"}, "section = 'python'"),
    Shape(
        "libs or python, amd64",
        {"section": {"$in": ["libs", "python"]}, "arch": "amd64"},
        "section IN ('libs', 'python') AND arch = 'amd64'",
    ),
    Shape("role::program", *_PROGRAM),
    # The estimate takes conditions for independent: these hold together seven, fifty, and a seventh times as often.
    _all_of("libs and shared", _plain({"section": "libs"}, "section = 'libs'"), _SHARED),
    _all_of("games and playing", _plain({"section": "games"}, "section = 'games'"), _has_tag("use::gameplaying")),
    _all_of("python and shared", _plain({"section": "python"}, "section = 'python'"), _SHARED),
    Shape(
        "amd64, size range",
        {"arch": "amd64", "installed_size": {"$gte": 100, "$lt": 200}},
        "arch = 'amd64' AND installed_size >= 100 AND installed_size < 200",
    ),
    Shape(
        "games or audio",
        {"$or": [{"section": "games"}, _AUDIO[0]]},
        f"(section = 'games' OR {_AUDIO[1]})",
        f"(section = 'games' OR {_AUDIO[2]})",
    ),
    Shape("country", *_from_country("DE")),
    _all_of("country, all", _from_country("CA"), _plain({"arch": "all"}, "arch = 'all'")),
    Shape("amd64", {"arch": "amd64"}, "arch = 'amd64'"),
    Shape("size from 100", {"installed_size": {"$gte": 100}}, "installed_size >= 100"),
    Shape("not libs", {"$not": {"section": "libs"}}, "NOT section = 'libs'"),
    Shape("nowhere", {"section": "nowhere"}, "section = 'nowhere'"),
)


def _standard_library() -> Corpus:
    entries = read_standard_library()
    texts = [document_text(entry) for entry in entries]
    model = LsaEmbedder.fit(texts)
    maintainers = _Maintainers()
    rows = []
    for entry, text in zip(entries, texts, strict=True):
        maintainer = maintainers.id(entry.module.partition(".")[0], team="." in entry.module)
        rows.append((entry.name, entry.kind, entry.module, len(text), entry.name.split("."), text, maintainer))
    closing: Condition = {"parts": {"$contains": ["close"]}}, "parts @> '{close}'", "array_has_all(parts, ['close'])"
    return Corpus(
        name="Python's standard library",
        columns="name text, kind text, module text, length integer, parts text[], body text, "
        "maintainer_id integer REFERENCES maintainer",
        rows=rows,
        maintainers=maintainers.rows,
        text_column="body",
        filter_columns=("kind", "module", "length", "parts", "maintainer_id"),
        group_column="kind",
        shapes=(
            Shape("none", None, "true"),
            Shape("json", {"module": "json"}, "module = 'json'"),
            Shape("close", *closing),
            Shape("asyncio", {"module": "asyncio"}, "module = 'asyncio'"),
            Shape(
                "methods of two",
                {"module": {"$in": ["tkinter", "socket"]}, "kind": "method"},
                "module IN ('tkinter', 'socket') AND kind = 'method'",
            ),
            Shape("modules", {"kind": "module"}, "kind = 'module'"),
            Shape("function", {"kind": "function"}, "kind = 'function'"),
            Shape("long", {"length": {"$gte": 500}}, "length >= 500"),
            _all_of("short closing", closing, _plain({"length": {"$lt": 200}}, "length < 200")),
            Shape(
                "json or close",
                {"$or": [{"module": "json"}, closing[0]]},
                f"(module = 'json' OR {closing[1]})",
                f"(module = 'json' OR {closing[2]})",
            ),
            Shape("country", *_from_country("DE")),
            Shape("not method", {"$not": {"kind": "method"}}, "NOT kind = 'method'"),
            Shape("nowhere", {"module": "nowhere"}, "module = 'nowhere'"),
        ),
        partial="function",
        scaled=("none", "json", "modules", "function", "country"),
        vectors=model.embed_documents(texts),
        queries=model.embed_documents([entry.doc.partition("\n")[0] for entry in entries[::13]]),
    )


def _unit(stored: NDArray[np.float16]) -> NDArray[np.float32]:
    vectors = stored.astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)
