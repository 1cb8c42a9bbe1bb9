"""A model is known again by the vectors it gave for a few texts; vectors of another one are noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pgsim import Database, errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg
    from fixtures.command_line import CommandLine
    from numpy.typing import NDArray

    Refused = Callable[..., errors.PgsimError]

HASHED = '''
import zlib
import numpy as np

class Hashed:
    """Each word has a direction of its own; noise is what differs between two runs."""

    def __init__(self, salt="", prefix="", noise=0.0):
        self.salt, self.prefix, self.noise = salt, prefix, noise

    def embed_documents(self, texts):
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text):
        vector = np.zeros(16)
        for word in (self.prefix + text).split():
            vector += np.random.default_rng(zlib.crc32((self.salt + word).encode())).normal(size=16)
        return (vector + self.noise).astype(np.float32)

same = Hashed()
another = Hashed(salt="v2")
'''
namespace: dict[str, type] = {}
exec(HASHED, namespace)
Hashed = namespace["Hashed"]


@pytest.fixture
def notes(connection: psycopg.Connection) -> Database:
    connection.execute("""
        CREATE TABLE notes (id int PRIMARY KEY, body text);
        INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 5) AS i;
        SELECT pgsim.create_collection('notes', text_columns => '{body}');
        SELECT pgsim.create_model('hashed', 16, document_prefix => 'passage: ');
        SELECT pgsim.create_version('notes', 'hashed');
    """)
    return Database(connection)


def test_the_first_embedding_keeps_probes_and_the_same_model_is_let_in(notes: Database) -> None:
    assert notes.embed("notes", Hashed()) == 5
    assert notes.check_embedder(Hashed(), "hashed") == pytest.approx(0, abs=1e-6)
    assert notes.embed("notes", Hashed(noise=0.001)) == 0, "what lies between two runs of one model"


@pytest.mark.parametrize(
    "changed", [Hashed(salt="v2"), Hashed(prefix="query: "), Hashed(noise=0.5)], ids=["model", "prefix", "drift"]
)
def test_a_model_that_changed_without_a_word_is_refused(
    notes: Database, connection: psycopg.Connection, changed: object
) -> None:
    notes.embed("notes", Hashed())
    connection.execute("UPDATE notes SET body = 'other'")
    with pytest.raises(errors.ModelChanged, match="not model 'hashed' as it was") as raised, connection.transaction():
        notes.embed("notes", changed)  # type: ignore[arg-type]
    assert raised.value.detail is not None
    assert "of its length" in raised.value.detail
    assert notes.pending("notes", "hashed") == 5, "no row was taken"
    notes.set_probes("hashed", ["one text"], changed.embed_documents(["passage: one text"]))  # type: ignore[attr-defined]
    with pytest.raises(errors.ModelChanged), connection.transaction():
        notes.check_embedder(changed, "hashed")  # type: ignore[arg-type]


def test_the_same_width_does_not_make_the_same_model(notes: Database, refused: Refused) -> None:
    told = refused("PS035", "SELECT pgsim.check_probes('hashed', '{a}', ARRAY[array_fill(1, '{16}')::vector])")
    assert "has no document probes" in told.message
    notes.set_probes("hashed", ["a"], np.eye(1, 16))
    told = refused("PS044", "SELECT pgsim.check_probes('hashed', '{a}', ARRAY[array_fill(1, '{16}')::vector])")
    assert told.detail == "'a': 3.873 of its length"


@pytest.mark.parametrize(
    ("sqlstate", "call"),
    [
        ("PS002", "set_probes('none', '{a}', ARRAY['[1]']::vector[])"),
        ("PS010", "set_probes('hashed', '{a,b}', ARRAY['[1]']::vector[])"),
        ("PS010", "set_probes('hashed', '{a,a}', ARRAY['[1]', '[2]']::vector[])"),
        ("PS010", "set_probes('hashed', '{}', '{}')"),
        ("PS010", "set_probes('hashed', '{a}', ARRAY['[1]']::vector[], kind => 'text')"),
        ("PS012", "set_probes('hashed', '{a}', ARRAY['[1]']::vector[])"),
        ("PS013", "set_probes('hashed', '{a}', ARRAY[array_fill(0, '{16}')::vector])"),
        ("PS010", "check_probes('hashed', '{a}', ARRAY[array_fill(1, '{16}')::vector], tolerance => 'NaN')"),
    ],
)
def test_what_cannot_be_a_probe_says_why(notes: Database, refused: Refused, sqlstate: str, call: str) -> None:
    refused(sqlstate, f"SELECT pgsim.{call}")


def test_the_shell_tells_whether_an_embedder_is_the_model(
    database_dsn: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hashed_words.py").write_text(HASHED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    with Database(database_dsn) as database, database.connection() as connection:
        connection.execute(
            "CREATE TABLE notes (id int PRIMARY KEY, body text); INSERT INTO notes VALUES (1, 'one');"
            "SELECT pgsim.create_collection('notes', text_columns => '{body}');"
            "SELECT pgsim.create_model('hashed', 16), pgsim.create_version('notes', 'hashed')"
        )
        database.embed("notes", Hashed())
    same = command_line("check", "--embedder", "hashed_words:same")
    assert same.status == 0, same.err
    assert "is model hashed" in same.out
    another = command_line("check", "notes", "--embedder", "hashed_words:another")
    assert another.status == 1
    assert "not model 'hashed' as it was" in another.err


def stored(connection: psycopg.Connection, start: int, vectors: NDArray[np.float64]) -> None:
    keys = [str(i) for i in range(start, start + len(vectors))]
    connection.execute("INSERT INTO points SELECT k::int FROM unnest(%s::text[]) AS k", [keys])
    connection.execute(
        "SELECT pgsim.upsert('points', 'raw', %s, %s::vector[])", [keys, [str(v.tolist()) for v in vectors]]
    )
    # One transaction has one time.
    connection.execute("UPDATE pgsim_data.points_raw SET embedded_at = embedded_at - interval '1 hour'")


@pytest.fixture
def points(connection: psycopg.Connection) -> Callable[[], list[str]]:
    connection.execute("""
        CREATE TABLE points (id int PRIMARY KEY); SELECT pgsim.create_collection('points');
        SELECT pgsim.create_model('raw', 32, metric => 'ip'), pgsim.create_version('points', 'raw');
    """)
    name = connection.execute("SELECT relation::text FROM pgsim.versions").fetchall()[0][0]
    connection.execute(f"ALTER TABLE {name} RENAME TO points_raw")

    def problems() -> list[str]:
        connection.execute("ANALYZE pgsim_data.points_raw")
        return [row[0] for row in connection.execute("SELECT problem FROM pgsim.check('points')")]

    return problems


def clusters(seed: int, rows: int, space: int = 0) -> NDArray[np.float64]:
    """Unit vectors about twenty centres, which two spaces do not share."""
    centres = np.random.default_rng(space).normal(size=(20, 32))
    source = np.random.default_rng([7, seed])
    found = centres[source.integers(0, 20, rows)] + 0.5 * source.normal(size=(rows, 32))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def test_vectors_of_one_model_are_not_complained_of(
    connection: psycopg.Connection, points: Callable[[], list[str]]
) -> None:
    for start in (0, 300, 500):
        stored(connection, start, clusters(start, 200))
    assert points() == []


@pytest.mark.parametrize("rows", [30, 200])
def test_raw_vectors_of_another_model_are_noticed(
    connection: psycopg.Connection, points: Callable[[], list[str]], rows: int
) -> None:
    stored(connection, 0, clusters(0, 400))
    stored(connection, 500, clusters(1, rows, space=1))
    [problem] = points()
    assert "lie farther from the others than these do from one another" in problem


def test_raw_vectors_of_another_length_are_noticed(
    connection: psycopg.Connection, points: Callable[[], list[str]]
) -> None:
    stored(connection, 0, clusters(0, 400))
    stored(connection, 500, 1.5 * clusters(1, 100))
    assert any("have length 1.5" in problem for problem in points())
