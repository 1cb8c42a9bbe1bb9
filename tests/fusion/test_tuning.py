"""Tuning finds the fusion that finds most, says honestly what it gains, and keeps one leg where that is better."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import psycopg
import pytest
from formulas import fused
from pgvector import SparseVector

import pgsim
from pgsim.cli.app import run
from pgsim.cli.screen import output
from pgsim.errors import InvalidArgument, WrongState
from pgsim.evaluation.fusion import Judged, tune

if TYPE_CHECKING:
    from pathlib import Path


MINIMA: dict[str, float | None] = {"dense": -1.0, "text": 0.0}


def judged(rng: np.random.Generator, dense: float, text: float, queries: int = 200, **more: float) -> list[Judged]:
    """Queries whose relevant row stands out by so many standard deviations in each leg, of 50 rows."""
    made = []
    for _ in range(queries):
        legs = {}
        relevant = int(rng.integers(50))
        for name, signal in {"dense": dense, "text": text, **more}.items():
            scores = rng.normal(size=50)
            scores[relevant] += signal
            order = np.argsort(-scores)[:30]
            legs[name] = ([str(i) for i in order], [float(scores[i]) for i in order])
        made.append(Judged(legs, frozenset({str(relevant)})))
    return made


def test_two_legs_that_know_different_things_are_fused() -> None:
    report = tune(judged(np.random.default_rng(1), 2, 2), {"dense": None, "text": None})
    assert report.helps
    assert report.kept == report.fitted
    assert report.gain.low > 0
    assert report.tuned.value > max(leg.value for leg in report.legs.values())
    assert report.tuned.low < report.tuned.value < report.tuned.high
    assert all(0.3 <= weight <= 0.7 for weight in report.fitted.weights.values())


def test_a_leg_that_only_disturbs_is_left_out() -> None:
    report = tune(judged(np.random.default_rng(2), 3, 0), {"dense": None, "text": None})
    assert not report.helps
    assert report.best_leg == "dense"
    assert report.kept.weights == {"dense": 1, "text": 0}
    assert report.default.value < report.legs["dense"].value


def test_of_many_legs_those_that_help_are_fused_and_the_others_left_out() -> None:
    legs = dict.fromkeys(["dense", "text", "title", "noise"])
    report = tune(judged(np.random.default_rng(8), 1.5, 1.5, queries=120, title=1.5, noise=0), legs)
    assert report.helps
    assert list(report.legs) == list(legs)
    assert report.kept.weights["noise"] <= 0.125
    assert all(report.kept.weights[name] > 0 for name in ("dense", "text", "title"))
    assert sum(report.kept.weights.values()) == pytest.approx(1)


def test_what_is_reported_was_not_fitted_on() -> None:
    rng = np.random.default_rng(3)
    report = tune(judged(rng, 0, 0, queries=60), {"dense": None, "text": None}, held_out=0.5)
    assert (report.queries, report.held_out) == (60, 30)
    assert not report.helps
    assert tune(judged(np.random.default_rng(4), 2, 1), MINIMA, seed=7) == tune(
        judged(np.random.default_rng(4), 2, 1), MINIMA, seed=7
    )


def test_reciprocal_ranks_are_those_of_the_formulas() -> None:
    queries = judged(np.random.default_rng(5), 1.5, 1, queries=40)
    report = tune(queries, {"dense": None, "text": None}, held_out=0.5, k=10)
    order = np.random.default_rng(0).permutation(40)[:20]
    found = []
    for number in order:
        legs = {name: dict(zip(*leg, strict=True)) for name, leg in queries[number].legs.items()}
        best = list(fused(legs, {"dense": 0.5, "text": 0.5}))[:10]
        found.append(next((1 / rank for rank, key in enumerate(best, 1) if key in queries[number].relevant), 0))
    assert report.default.value == pytest.approx(np.mean(found))


def test_too_few_queries_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="there are 19 queries"):
        tune(judged(np.random.default_rng(6), 1, 1, queries=19), MINIMA)
    with pytest.raises(InvalidArgument, match="held_out is 1"):
        tune(judged(np.random.default_rng(6), 1, 1, queries=30), MINIMA, held_out=1)


LETTERS = '''
import numpy as np

class Letters:
    """Counts letters."""
    def embed_documents(self, texts):
        return np.stack([self.embed_query(text) for text in texts])
    def embed_query(self, text):
        return np.array([1 + text.lower().count(chr(97 + i)) for i in range(26)], np.float32)
'''
FRUIT = ["apple", "pear", "plum", "fig", "cherry", "grape", "lemon", "melon", "quince", "date"]


@pytest.fixture
def fruit_dsn(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A collection ``note`` of 60 notes with titles; ``fruits:Letters`` is its embedder."""
    (tmp_path / "fruits.py").write_text(LETTERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    monkeypatch.delenv("PGSIM_EMBEDDER", raising=False)
    monkeypatch.setattr(output, "width", 160)
    import fruits  # type: ignore[import-not-found]  # noqa: PLC0415

    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE note (id int PRIMARY KEY, title text, body text)")
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO note VALUES (%s, %s, %s)",
                [(i, f"{FRUIT[i % 10]} {i}", f"{FRUIT[i % 10]} and {FRUIT[i // 10]} number n{i}") for i in range(60)],
            )
        connection.execute(
            "SELECT pgsim.create_collection('note', text_columns => '{body}');"
            "SELECT pgsim.create_model('letters', 26);"
            "SELECT pgsim.create_version('note', 'letters'); SELECT pgsim.enable_text('note')"
        )
    with pgsim.Database(database_dsn) as db:
        db.embed("note", fruits.Letters())
    return database_dsn


class Pgsim(Protocol):
    def __call__(self, *arguments: str, status: int = 0) -> str: ...


@pytest.fixture
def command(fruit_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pgsim:
    """``pgsim`` on the fruit, in this process; what it printed."""

    def call(*arguments: str, status: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["pgsim", *arguments])
        left: Any = 0
        try:
            run()
        except SystemExit as exit_:
            left = exit_.code or 0
        printed = capsys.readouterr()
        assert left == status, printed.err
        return printed.out + printed.err

    return call


EMBEDDER = ("--embedder", "fruits:Letters")


def test_a_fusion_is_tuned_on_labelled_queries_and_searches_use_it(
    fruit_dsn: str, tmp_path: Path, command: Pgsim
) -> None:
    (tmp_path / "queries.jsonl").write_text(
        "\n".join(json.dumps({"query": f"number n{i} {FRUIT[i // 10]}", "relevant": [i]}) for i in range(60))
    )
    printed = command("tune", "fusion", "note", "--queries", "queries.jsonl", "--name", "ours", *EMBEDDER)
    assert "30 of 60 queries, which nothing was fitted on" in printed
    assert "dense alone" in printed
    assert "text alone" in printed
    assert "Kept as 'ours': text alone, since fusion is not better beyond doubt." in printed
    with psycopg.connect(fruit_dsn) as connection:
        kept = connection.execute("SELECT name, weights, report FROM pgsim.fusions").fetchall()
        assert kept[0][:2] == ("ours", {"dense": 0, "text": 1})
        assert kept[0][2]["best_leg"] == "text"
        assert kept[0][2]["legs"]["text"]["value"] == 1
    found = command("search", "number n17", "--by", "both", "--fusion", "ours", "--json", "-k", "1", *EMBEDDER)
    assert json.loads(found)["key"] == "17"


def test_the_shell_searches_by_words_or_by_both(command: Pgsim) -> None:
    assert "number n23" in command("search", "n23", "--by", "words", "-k", "1")
    weights = ("--weight", "dense=0.2", "--weight", "text=0.8")
    told = command("search", "n23 fig", "--by", "both", "--explain", *weights, *EMBEDDER)
    assert json.loads(told)["legs"]["text"]["weight"] == 0.8
    assert "not of the form NAME=NUMBER" in command("search", "x", "--by", "words", "--weight", "text", status=1)


def test_without_labels_a_column_gives_the_queries(fruit_dsn: str, command: Pgsim) -> None:
    printed = command("tune", "fusion", "note", "--column", "title", "--dry-run", "--sample", "40", *EMBEDDER)
    assert "20 of 40 queries" in printed
    assert "Not kept (dry run)" in printed
    assert "trust queries of your users more" in printed
    with pgsim.Database(fruit_dsn) as db:
        queries = db.sample_queries("note", "title", sample=1000)
        assert len(queries) == 60
        assert pgsim.Query("fig 13", frozenset({"13"})) in queries
        assert db.sample_queries("note", "title", sample=5) == db.sample_queries("note", "title", sample=5)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "there are 0 queries"),
        ("{", "line 1 of queries.jsonl has no query"),
        ('{"query": "x"}', "line 1 of queries.jsonl has no query"),
        ('{"query": "x", "relevant": []}', "relevant a list of one key"),
        ('{"query": 3, "relevant": [1]}', "query is a text"),
        ("[]", "line 1 of queries.jsonl has no query"),
    ],
)
def test_a_file_that_is_not_one_of_queries_is_refused(tmp_path: Path, command: Pgsim, content: str, says: str) -> None:
    (tmp_path / "queries.jsonl").write_text(content)
    assert says in command("tune", "fusion", "note", "--queries", "queries.jsonl", *EMBEDDER, status=1)


def test_one_source_of_queries_is_named(command: Pgsim) -> None:
    assert "neither --queries nor --column" in command("tune", "fusion", "note", status=1)


def test_tuning_needs_a_text_index(fruit_dsn: str) -> None:
    import fruits  # type: ignore[import-not-found]  # noqa: PLC0415

    with pgsim.Database(fruit_dsn) as db:
        with db.connection() as connection:
            connection.execute("SELECT pgsim.disable_text('note')")
        queries = db.sample_queries("note", "title")
        with pytest.raises(WrongState, match="no text index"):
            db.tune_fusion("note", queries, fruits.Letters())


SPARSE = '''
class SparseLetters:
    """Counts letters, and says nothing of those that are not there."""
    def embed_query(self, text):
        return {i: 1.0 * text.lower().count(chr(97 + i)) for i in range(26) if chr(97 + i) in text.lower()}
    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]
'''


@pytest.fixture
def more_legs(fruit_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The collection ``note`` with vectors of its titles too, ``title``, and sparse ones, ``sparse``, of ``counts``."""
    (tmp_path / "sparse_fruits.py").write_text(SPARSE)
    monkeypatch.delitem(sys.modules, "sparse_fruits", raising=False)
    import fruits  # type: ignore[import-not-found]  # noqa: PLC0415
    import sparse_fruits  # type: ignore[import-not-found]  # noqa: PLC0415

    with pgsim.Database(fruit_dsn) as db:
        with db.connection() as connection:
            connection.execute("SELECT pgsim.create_embedding('note', 'title', '{title}')")
            connection.execute("SELECT pgsim.create_version('note', 'letters', embedding => 'title')")
            connection.execute("SELECT pgsim.create_model('counts', 26, metric => 'ip', element => 'sparsevec')")
            connection.execute("SELECT pgsim.create_embedding('note', 'sparse', '{body}')")
            connection.execute("SELECT pgsim.create_version('note', 'counts', embedding => 'sparse')")
            texts = connection.execute("SELECT id::text, body FROM note ORDER BY id").fetchall()
        db.embed("note", fruits.Letters(), embedding="title")
        keys, bodies = [str(row[0]) for row in texts], [str(row[1]) for row in texts]
        vectors = sparse_fruits.SparseLetters().embed_documents(bodies)
        db.upsert("note", "counts", keys, sparse_vectors=vectors, embedding="sparse")
    return fruit_dsn


def test_any_legs_are_fitted_together_and_searches_use_what_is_kept(more_legs: str) -> None:
    import fruits  # type: ignore[import-not-found]  # noqa: PLC0415
    import sparse_fruits  # type: ignore[import-not-found]  # noqa: PLC0415

    legs: dict[str, dict[str, object]] = {
        "dense": {},
        "title": {},
        "text": {},
        "phrase": {"text_form": "phrase"},
        "sparse": {},
    }
    with pgsim.Database(more_legs) as db:
        queries = db.sample_queries("note", "title", sample=24)
        report = db.tune_fusion(
            "note",
            queries,
            fruits.Letters(),
            name="all",
            legs=legs,
            embedders={"counts": sparse_fruits.SparseLetters()},
        )
        assert list(report.legs) == list(legs)
        assert all(leg.low <= leg.value <= leg.high for leg in report.legs.values())
        best = max(report.legs[name].value for name in legs)
        assert report.legs[report.best_leg].value == pytest.approx(best, abs=0.2)
        weights = report.kept.weights
        assert set(weights) == set(legs)
        assert report.helps or sorted(weights.values()) == [0, 0, 0, 0, 1]
        # A search gives those legs by their names, and what weighs nothing is not searched.
        vector = fruits.Letters().embed_query("fig 13")
        told = db.explain_search(
            "note",
            vector,
            text_query="fig 13",
            sparse_query=sparse_fruits.SparseLetters().embed_query("fig 13"),
            legs={
                "title": {"query": vector, "embedding": "title"},
                "phrase": {"text_query": "fig 13", "text_form": "phrase"},
            },
            fusion="all",
        )
        assert set(told["legs"]) == {name for name, weight in weights.items() if weight}  # type: ignore[call-overload]


def test_a_query_may_bring_its_vectors(more_legs: str) -> None:
    import fruits  # type: ignore[import-not-found]  # noqa: PLC0415
    import sparse_fruits  # type: ignore[import-not-found]  # noqa: PLC0415

    with pgsim.Database(more_legs) as db:
        queries = db.sample_queries("note", "title", sample=24)
        dense, sparse = fruits.Letters(), sparse_fruits.SparseLetters()
        legs: dict[str, dict[str, object]] = {"dense": {}, "sparse": {}}
        made = db.tune_fusion("note", queries, dense, legs=legs, embedders={"counts": sparse})
        brought = [
            replace(
                query,
                legs={
                    "dense": {"query": dense.embed_query(query.text)},
                    "sparse": {"sparse_query": SparseVector(sparse.embed_query(query.text), 26)},
                },
            )
            for query in queries
        ]
        assert db.tune_fusion("note", brought, legs=legs) == made


def test_the_shell_fits_the_legs_that_are_named(more_legs: str, tmp_path: Path, command: Pgsim) -> None:
    named = ("--leg", "dense", "--leg", "title", "--leg", 'phrase={"text_form": "phrase"}')
    printed = command("tune", "fusion", "note", "--column", "title", "--sample", "20", "--dry-run", *named, *EMBEDDER)
    for leg in ("dense alone", "title alone", "phrase alone"):
        assert leg in printed
    encoder = ("--embedder-of", "counts=sparse_fruits:SparseLetters")
    printed = command(
        "tune", "fusion", "note", "--column", "title", "--sample", "20", "--leg", "text", "--leg", "sparse", *encoder
    )
    assert "sparse alone" in printed
    (tmp_path / "q.jsonl").write_text(
        "\n".join(
            json.dumps({"query": f"n{i}", "relevant": [i], "legs": {"sparse": {"sparse_query": "{14:1}/26"}}})
            for i in range(20)
        )
    )
    printed = command("tune", "fusion", "note", "--queries", "q.jsonl", "--leg", "text", "--leg", "sparse", "--dry-run")
    assert "text alone, since fusion is not better" in printed
    for wrong, says in (
        ("=", "neither a name nor NAME=JSON"),
        ("x=[", "neither a name nor NAME=JSON"),
        ('recent={"column": "id"}', "ranks by a column"),
        ('far={"query": [1]}', "says what it looks for"),
        ("nowhere", "nowhere"),
    ):
        assert says in command(
            "tune", "fusion", "note", "--column", "title", "--leg", "text", "--leg", wrong, *EMBEDDER, status=1
        )
    assert "not of the form" in command(
        "tune", "fusion", "note", "--column", "title", "--embedder-of", "fruits:Letters", *EMBEDDER, status=1
    )


def test_a_leg_whose_vectors_nothing_makes_is_told(more_legs: str) -> None:
    with pgsim.Database(more_legs) as db:
        queries = db.sample_queries("note", "title", sample=24)
        with pytest.raises(InvalidArgument, match="leg 'sparse' searches vectors of model 'counts'") as raised:
            db.tune_fusion("note", queries, legs={"text": {}, "sparse": {}})
        assert "sparse_query" in str(raised.value.hint)
        with pytest.raises(InvalidArgument, match="there are 7 legs"):
            db.tune_fusion("note", queries, legs={f"text{i}": {"text_form": "any"} for i in range(7)})


def test_keys_of_several_columns_are_known_as_searches_write_them(tmp_path: Path) -> None:
    from pgsim.cli.tune import _read  # noqa: PLC0415

    (tmp_path / "q.jsonl").write_text('{"query": "x", "relevant": [{"page": 3, "id": "a"}, "b"]}\n\n')
    assert _read(tmp_path / "q.jsonl") == [pgsim.Query("x", frozenset({'{"id": "a", "page": 3}', "b"}))]
