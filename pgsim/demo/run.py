"""The demo: the standard library's documentation in a table, embedded, indexed and searched.

A scene is a function of the stage that shows one thing; a new one is written and put into `SCENES`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from psycopg import sql
from rich.markup import escape
from rich.rule import Rule

from pgsim import embedded
from pgsim import install as _install
from pgsim.cli.screen import lines, output, progress
from pgsim.demo.corpus import read_standard_library
from pgsim.demo.model import EntryEmbedder, LsaEmbedder, document_text
from pgsim.errors import EmbedderError, NotReady, UnknownCollection, UnknownMap, UnknownModel, WrongState
from pgsim.indexes import create_index_concurrently
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg
    from numpy.typing import NDArray
    from rich.progress import Progress

    from pgsim.calls import Hit
    from pgsim.database import Database
    from pgsim.demo.corpus import Entry
    from pgsim.steps import Row

COLLECTION = "python"
MODEL = "python-lsa"
DIMS = 256
NARROW_MODEL = "python-lsa-narrow"
NARROW_DIMS = 128
PREFIXES = (32, 64, 128, 256)
TURNED_MODEL = "python-lsa-turned"
LADDER = f"{TURNED_MODEL}-pca"

_QUESTIONS = (
    "read a file line by line",
    "run a command and capture its output",
    "measure elapsed time",
    "parse text",
    "compare two sequences",
    "send a message over the network",
    "sort a list by a key",
    "wait until a task is done",
    "convert a number to a string",
    "compress data",
)

# What an application would write, and no more: the index is there, and the planner takes it.
_BY_HAND = """
SELECT b.name FROM python_library AS b JOIN {table} AS v ON v.key = b.name
WHERE b.module = %(module)s ORDER BY v.embedding {operator} %(query)s::{vector} LIMIT 10
"""

_TABLE = """
DROP TABLE IF EXISTS python_library;
CREATE TABLE python_library (
    name text PRIMARY KEY, kind text NOT NULL, module text NOT NULL, signature text NOT NULL, doc text NOT NULL
);
COMMENT ON TABLE python_library IS 'Made by pgsim demo.';
CREATE INDEX ON python_library (module);
CREATE INDEX ON python_library (kind)
"""


def embedder() -> EntryEmbedder:
    """The model that the demo fitted last, as ``pgsim search`` uses it.

    Raises:
        EmbedderError: The demo has not run for this user.
    """
    path = _model_path()
    if not path.is_file():
        raise EmbedderError(f"the demo's model is not in {path}", hint="Run `pgsim demo` first.")
    return EntryEmbedder(LsaEmbedder.load(path))


def _model_path() -> Path:
    return embedded.default_data_dir() / "demo-model.npz"


@dataclass(frozen=True)
class Stage:
    """What a scene plays on."""

    database: Database
    embedder: EntryEmbedder
    rows: int

    def title(self, text: str, remark: str = "") -> None:
        """Begin a scene."""
        output.print()
        output.print(Rule(f"[bold]{escape(text)}[/]", align="left", style="dim"))
        if remark:
            output.print(remark)

    def search(self, text: str, *, filter: dict[str, object] | None = None, dims: list[int] | None = None) -> None:
        """Search as a person would, and show the hits and the SQL of it."""
        named = "".join(
            f", {name} => '{value}'"
            for name, value in (
                ("filter", json.dumps(filter) if filter else None),
                ("dims", "{" + ",".join(map(str, dims)) + "}" if dims else None),
            )
            if value
        )
        shown = f"SELECT key, score FROM pgsim.search('{COLLECTION}', query => $1, k => 5{named});"
        hits = self.database.search_text(COLLECTION, text, self.embedder, k=5, filter=filter, dims=dims)
        output.print(f"[italic]“{escape(text)}”[/]   [dim]{escape(shown)}[/]", soft_wrap=True)
        output.print(self._shown(hits))

    def side_by_side(self, text: str) -> object:
        """The names found by the vector, by the words, and by both, as a table."""
        vector = self.embedder.embed_query(text)
        answers = [
            self.database.search(COLLECTION, vector, k=5),
            self.database.search(COLLECTION, text_query=text, k=5),
            self.database.search(COLLECTION, vector, text_query=text, k=5),
        ]
        return lines(
            ["query => $1", "text_query => $2", "both"],
            [[hit.key if hit else "" for hit in row] for row in zip_longest(*answers)],
        )

    def rare_module(self) -> tuple[str, int]:
        """The module whose share of the rows is nearest to 1.7%, and how many rows it has."""
        with self.database.connection() as connection:
            found = connection.execute(
                "SELECT module, count(*) FROM python_library GROUP BY module ORDER BY abs(count(*) - %s), 1 LIMIT 1",
                [0.017 * self.rows],
            ).fetchall()
        return str(found[0][0]), int(str(found[0][1]))

    def compared(self, module: str) -> Iterator[tuple[str, float, float, float]]:
        """Name, rows a question, share of the true ten and milliseconds: of the index alone, and of pgsim."""
        queries = [self.embedder.embed_query(text) for text in _QUESTIONS]
        true = [
            {hit.key for hit in self.database.search(COLLECTION, query, filter={"module": module}, mode="exact")}
            for query in queries
        ]
        with self.database.connection() as connection, connection.transaction():
            by_hand = self._by_hand(connection)
            ways: list[tuple[str, Callable[[NDArray[np.float32]], set[str]]]] = [
                ("pgvector as it comes", lambda query: self._ask(connection, by_hand, module, query, "off")),
                ("with iterative scan", lambda query: self._ask(connection, by_hand, module, query, "relaxed_order")),
                (
                    "pgsim.search",
                    lambda query: {
                        hit.key for hit in self.database.search(COLLECTION, query, filter={"module": module})
                    },
                ),
            ]
            for name, ask in ways:
                ask(queries[0])
                started = time.perf_counter()
                answers = [ask(query) for query in queries]
                seconds = time.perf_counter() - started
                found = sum(len(answer) for answer in answers) / len(queries)
                right = sum(len(answer & best) for answer, best in zip(answers, true, strict=True))
                yield name, found, right / sum(map(len, true)), 1e3 * seconds / len(queries)

    def recall_of(self, dims: list[int] | None) -> float:
        """The share of the true ten of the questions that are found by these prefixes, or by the index on all."""
        shares = []
        for text in _QUESTIONS:
            query = self.embedder.embed_query(text)
            true = {hit.key for hit in self.database.search(COLLECTION, query, mode="exact")}
            found = {hit.key for hit in self.database.search(COLLECTION, query, dims=dims, mode="ann")}
            shares.append(len(found & true) / len(true))
        return sum(shares) / len(shares)

    def index_bytes(self, dims: int) -> int:
        """What the index on so many dimensions takes."""
        with self.database.connection() as connection:
            ((size,),) = connection.execute(
                "SELECT bytes FROM pgsim.indexes WHERE collection = %s AND dims = %s AND method = 'hnsw'",
                [COLLECTION, dims],
            ).fetchall()
        return int(str(size))

    def turn(self) -> int:
        """Give each function the vector that it has, the last dimension first, under `TURNED_MODEL`; how many rows."""
        with self.database.connection() as connection:
            ((table,),) = connection.execute(
                "SELECT relation::text FROM pgsim.versions WHERE collection = %s AND model = %s", [COLLECTION, MODEL]
            ).fetchall()
            # The name is quoted by PostgreSQL.
            rows = connection.execute(
                f"SELECT key, embedding::text FROM {table} AS v JOIN python_library AS b ON b.name = v.key "
                "WHERE b.kind = 'function' ORDER BY key".encode()
            ).fetchall()
        vectors = np.array([np.fromstring(str(text)[1:-1], np.float32, sep=",")[::-1] for _, text in rows])
        self.database.upsert(COLLECTION, TURNED_MODEL, [key for key, _ in rows], vectors)
        return len(rows)

    def states(self, step: str) -> list[object]:
        """What is done, the state of each version, and who answers a search."""
        with self.database.connection() as connection:
            rows = connection.execute(
                "SELECT v.model, v.state FROM pgsim.versions AS v WHERE v.collection = %s ORDER BY v.id", [COLLECTION]
            ).fetchall()
        (answers,) = self.database.search(COLLECTION, self._either("parse text"), k=1)
        return [step, *(str(state) for _, state in rows), answers.details["model"]]

    def _either(self, text: str) -> NDArray[np.float32]:
        active = self.database.active_model(COLLECTION).name
        model = self.embedder if active == MODEL else self.embedder.narrowed(NARROW_DIMS)
        return model.embed_query(text)

    def _by_hand(self, connection: psycopg.Connection[Row]) -> sql.Composed:
        table, schema = connection.execute(
            "SELECT v.relation::text, pgsim._vector_schema() FROM pgsim.versions AS v WHERE v.collection = %s",
            [COLLECTION],
        ).fetchall()[0]
        return sql.SQL(_BY_HAND).format(
            table=sql.SQL(str(table)),  # quoted by PostgreSQL
            operator=sql.SQL("OPERATOR({}.<=>)").format(sql.SQL(str(schema))),
            vector=sql.SQL("{}.vector").format(sql.SQL(str(schema))),
        )

    def _ask(
        self,
        connection: psycopg.Connection[Row],
        statement: sql.Composed,
        module: str,
        query: NDArray[np.float32],
        iterative: str,
    ) -> set[str]:
        connection.execute(
            "SELECT set_config('hnsw.iterative_scan', %s, true), set_config('enable_sort', 'off', true)", [iterative]
        )
        rows = connection.execute(statement, {"module": module, "query": vector_text(query)}).fetchall()
        return {str(row[0]) for row in rows}

    def _shown(self, hits: list[Hit]) -> object:
        rows = self.database.fetch(COLLECTION, [hit.key for hit in hits])
        return lines(
            ["#score", "name", "kind", "what it says"],
            [
                [f"{hit.score:.2f}", hit.key, rows[hit.key]["kind"], _first_line(str(rows[hit.key]["doc"]))]
                for hit in hits
            ],
        )


def plain(stage: Stage) -> None:
    """Search by meaning."""
    stage.title("Search", f"{stage.rows} rows, one vector each; a query is a vector of the same model.")
    stage.search("read a file line by line")
    stage.search("run a command and capture its output")


def filtered(stage: Stage) -> None:
    """Search among rows that a filter admits."""
    stage.title("Filtered search", "k rows come back whenever k rows match, however rare the filter is.")
    stage.search("read a file line by line", filter={"kind": "method"})
    stage.search("parse text", filter={"module": {"$in": ["csv", "json", "tomllib"]}, "kind": {"$ne": "module"}})


def kept(stage: Stage) -> None:
    """A rare filter, with an index alone and with pgsim."""
    module, rows = stage.rare_module()
    stage.title(
        "A filter and an index",
        f"{rows} of {stage.rows} rows are of module {escape(module)}: {rows / stage.rows:.1%}. "
        f"{len(_QUESTIONS)} questions, ten rows asked for each.",
    )
    output.print("[dim]PostgreSQL is held to the vector index here; in larger tables it takes it by itself.[/]")
    output.print(
        lines(
            ["", "#rows a question", "#of the true ten", "#milliseconds"],
            [
                [name, f"{found:.1f}", f"{recall:.0%}", f"{milliseconds:.1f}"]
                for name, found, recall, milliseconds in stage.compared(module)
            ],
        )
    )


def hybrid(stage: Stage) -> None:
    """Search for words, by meaning, and both at once."""
    stage.title(
        "Words and vectors",
        "text_query ranks by BM25, for the words themselves. With a query vector beside it both are fused.",
    )
    for text in ("csv dialect", "wait until a task is done"):
        output.print(f"[italic]“{escape(text)}”[/]")
        output.print(stage.side_by_side(text))


def prefix(stage: Stage) -> None:
    """Search on a prefix of the vectors."""
    stage.title("Prefixes", "The model's dimensions are ordered: the first 64 of 256 are an embedding by themselves.")
    stage.search("measure elapsed time", dims=[64])
    output.print("[dim]Candidates by 64 dimensions, ranked by all 256:[/]")
    stage.search("measure elapsed time", dims=[64, DIMS])


def ladder(stage: Stage) -> None:
    """What prefixes are worth, in numbers, and a rotation that makes them so."""
    stage.title("A ladder", f"The true ten of {len(_QUESTIONS)} questions, by all {DIMS} dimensions and by fewer.")
    database = stage.database
    told = [
        (f"all {DIMS}", DIMS, stage.recall_of(None)),
        ("the first 64 alone", 64, stage.recall_of([64])),
        (f"candidates by 64, ranked by {DIMS}", 64, stage.recall_of([64, DIMS])),
    ]
    database.calibrate(COLLECTION, sample=40)
    told.append(("as many as pgsim.calibrate found to be needed", 64, stage.recall_of([64, DIMS])))
    rows = [[name, f"{stage.index_bytes(dims) / 1e6:.1f} MB", f"{recall:.0%}"] for name, dims, recall in told]
    output.print(lines(["", "#index", "#of the true ten"], rows))
    database.create_model(TURNED_MODEL, DIMS)
    database.create_version(COLLECTION, TURNED_MODEL)
    output.print(
        f"Few models have such an order. {stage.turn()} vectors, of the functions, are stored with what tells most at "
        "the end. pgsim ladder fit turns them by a map, which changes no whole score:"
    )
    report = database.fit_ladder(COLLECTION, model=TURNED_MODEL, dims=[32, 64, 128])
    short = [prefix for prefix in report.prefixes if prefix.dims < DIMS]
    within = short[0].within.index(50)
    output.print(
        lines(
            ["of the true ten, among 50 by", *(f"#{prefix.dims}" for prefix in short)],
            [
                ["as they are", *(f"{prefix.raw[within]:.0%}" if prefix.raw else "" for prefix in short)],
                ["turned", *(f"{prefix.mapped[within]:.0%}" if prefix.mapped else "" for prefix in short)],
            ],
        )
    )
    with database.connection() as connection:
        create_index_concurrently(connection, COLLECTION, LADDER, dims=64, element="halfvec")
    query = stage.embedder.embed_query("measure elapsed time")[::-1]
    only = {"kind": "function"}
    hits = database.search(COLLECTION, query, k=3, model=LADDER, dims=[64, DIMS], filter=only, mode="ann")
    output.print(
        f"[dim]“measure elapsed time”, by model => '{LADDER}', dims => '{{64,{DIMS}}}':[/] "
        f"{escape(', '.join(f'{hit.key} {hit.score:.2f}' for hit in hits))}",
        soft_wrap=True,
    )
    database.drop_version(COLLECTION, LADDER)
    database.drop_version(COLLECTION, TURNED_MODEL)
    for forget, name in (
        (database.drop_model, LADDER),
        (database.drop_map, LADDER),
        (database.drop_model, TURNED_MODEL),
    ):
        forget(name)


def upgraded(stage: Stage) -> None:
    """Change the model while searches go on, and go back."""
    stage.title(
        "Another model",
        f"A model of {NARROW_DIMS} dimensions, as a version beside the one that answers. Searches move by one pointer.",
    )
    database, narrow = stage.database, stage.embedder.narrowed(NARROW_DIMS)
    database.create_model(NARROW_MODEL, NARROW_DIMS)
    database.create_version(COLLECTION, NARROW_MODEL)
    rows = [stage.states("create_version")]
    try:
        database.activate(COLLECTION, NARROW_MODEL)
    except NotReady as error:
        reasons = "; ".join((error.detail or "").splitlines())
        output.print(f"[dim]activate, too early: {escape(error.message)}: {escape(reasons)}[/]")
    database.embed(COLLECTION, narrow, model=NARROW_MODEL, batch_size=512)
    with database.connection() as connection:
        create_index_concurrently(connection, COLLECTION, NARROW_MODEL)
    rows.append(stage.states("embed, create_index"))
    database.activate(COLLECTION, NARROW_MODEL, reason="the demo tries it")
    rows.append(stage.states("activate"))
    database.rollback(COLLECTION, reason="the demo shows the way back")
    rows.append(stage.states("rollback"))
    output.print(lines(["step", MODEL, NARROW_MODEL, "who answers"], rows))
    told = [f"{step.action} {step.model}" for step in database.history(COLLECTION)]
    output.print(f"[dim]pgsim.history: {escape(', '.join(told))}[/]")
    database.drop_version(COLLECTION, NARROW_MODEL)
    database.drop_model(NARROW_MODEL)


def explained(stage: Stage) -> None:
    """See what a search did."""
    stage.title("Why", "pgsim.explain_search takes the same arguments and tells what was done.")
    vector = stage.embedder.embed_query("read a file line by line")
    for name, filter in (("everything", None), ("module = csv", {"module": "csv"})):
        told = stage.database.explain_search(COLLECTION, vector, k=5, filter=filter)
        output.print(
            f"{name}: [bold]{told['strategy']}[/], since {told['reason']}; "
            f"{told['matches']} match, index {told['index']}",
            highlight=False,
        )


SCENES: tuple[Callable[[Stage], None], ...] = (plain, filtered, kept, hybrid, prefix, ladder, upgraded, explained)


def run(database: Database) -> None:
    """Set the stage in a database, and play every scene."""
    output.print(Rule("[bold]pgsim demo[/]: the documentation of this Python, searchable in PostgreSQL", align="left"))
    with progress() as bars:
        stage = _set(database, bars)
    for scene in SCENES:
        scene(stage)
    output.print()
    output.print(Rule("Go on", align="left", style="dim"))
    output.print(
        f'{_command()} search "read a file line by line" --filter kind=function', highlight=False, soft_wrap=True
    )


def _set(database: Database, bars: Progress) -> Stage:
    reading = bars.add_task("Reading the library", total=None)
    entries = read_standard_library(lambda done, total, _: bars.update(reading, completed=done, total=total))
    fitting = bars.add_task("Fitting TF-IDF and SVD", total=None)
    model = LsaEmbedder.fit([document_text(entry) for entry in entries], dims=DIMS)
    model.save(_made(_model_path()))
    bars.update(fitting, completed=len(entries), total=len(entries))

    with database.connection() as connection:
        _install.install(connection)
        _refuse_to_replace(connection)
    for forget, name, unknown in (
        (database.drop_collection, COLLECTION, UnknownCollection),
        (database.drop_model, MODEL, UnknownModel),
        (database.drop_model, NARROW_MODEL, UnknownModel),
        (database.drop_model, LADDER, UnknownModel),
        (database.drop_map, LADDER, UnknownMap),
        (database.drop_model, TURNED_MODEL, UnknownModel),
    ):
        try:
            forget(name)
        except unknown:
            continue
    loading = bars.add_task("Loading the table", total=len(entries))
    _load(database, entries)
    bars.update(loading, completed=len(entries))

    database.create_collection(
        "python_library", name=COLLECTION, text_columns=["name", "kind", "doc"], filter_columns=["kind", "module"]
    )
    database.create_model(MODEL, DIMS, matryoshka=PREFIXES, properties={"embedder": f"{__name__}:{embedder.__name__}"})
    database.create_version(COLLECTION, MODEL)
    embeds = EntryEmbedder(model)
    embedding = bars.add_task("Embedding", total=len(entries))
    database.embed(
        COLLECTION,
        embeds,
        batch_size=512,
        progress=lambda done, total: bars.update(embedding, completed=done, total=total),
    )
    indexing = bars.add_task("Indexing", total=2)
    database.enable_text(COLLECTION, weights={"name": 3, "doc": 1})
    with database.connection() as connection:
        for dims in (DIMS, 64):
            create_index_concurrently(connection, COLLECTION, dims=dims)
            bars.advance(indexing)
        connection.execute("ANALYZE python_library")
    return Stage(database, embeds, len(entries))


def _refuse_to_replace(connection: psycopg.Connection[Row]) -> None:
    foreign = connection.execute(
        "SELECT format('table %%s', r.oid::regclass) FROM pg_class AS r WHERE r.oid = to_regclass('python_library') "
        "AND obj_description(r.oid, 'pg_class') IS DISTINCT FROM 'Made by pgsim demo.' "
        "UNION ALL SELECT format('collection %%L', c.name) FROM pgsim.collections AS c "
        "WHERE c.name = %s AND c.relation IS DISTINCT FROM to_regclass('python_library')",
        [COLLECTION],
    ).fetchall()
    if foreign:
        raise WrongState(
            f"{foreign[0][0]} is there already, and is not the demo's",
            hint="Run the demo in another database: --dsn, or PGSIM_DSN.",
        )


def _load(database: Database, entries: list[Entry]) -> None:
    with database.connection() as connection, connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_TABLE.encode())
        with cursor.copy("COPY python_library (name, kind, module, signature, doc) FROM STDIN") as copy:
            for entry in entries:
                copy.write_row([entry.name, entry.kind, entry.module, entry.signature, entry.doc])


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _command() -> str:
    beside = Path(sys.executable).with_name("pgsim")
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return "pgsim"


def _first_line(doc: str) -> str:
    return doc.strip().partition("\n")[0]
