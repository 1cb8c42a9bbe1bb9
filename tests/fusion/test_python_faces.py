"""Fused searches, and what is done with hits, from Python."""

from __future__ import annotations

import datetime
import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from papers import AGE, NOW

import pgsim
from pgsim.errors import EmbedderError, InvalidArgument, MissingExtra, UnknownCollection, UnknownFusion
from pgsim.rerankers import CrossEncoderScorer, MemoryCache, Scorer, cached_scores, score_key

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from papers import Papers

RNG = np.random.default_rng(21)
QUERY: NDArray[np.float32] = RNG.normal(size=8).astype(np.float32)
TITLE: NDArray[np.float32] = RNG.normal(size=4).astype(np.float32)


@pytest.fixture
def db(papers: Papers) -> pgsim.Database:
    return pgsim.Database(papers.connection)


def test_legs_take_arrays_and_times(db: pgsim.Database, papers: Papers) -> None:
    legs: dict[str, dict[str, object]] = {
        "title": {"query": TITLE, "embedding": "title"},
        "recent": {"column": "published", "half_life": datetime.timedelta(days=30), "origin": NOW},
    }
    weights = {"dense": 0.5, "title": 0.3, "recent": 0.2}
    hits = db.search("paper", QUERY, legs=legs, weights=weights, mode="exact", k=5)
    spelled = {
        "title": {"query": TITLE.tolist(), "embedding": "title"},
        "recent": {"column": "published", "half_life": "30 days", "origin": NOW.isoformat()},
    }
    assert [hit.key for hit in hits] == papers.keys(QUERY, legs=spelled, weights=weights, mode="exact", k=5)
    told = hits[0].details["legs"]
    assert isinstance(told, dict)
    assert told["recent"]["score"] == pytest.approx(0.5 ** (AGE[hits[0].key] / 30))
    assert db.explain_search("paper", QUERY, legs=legs, weights=weights)["strategy"] == "fusion"
    assert len(db.search_batch("paper", np.stack([QUERY, -QUERY]), legs=legs, weights=weights, k=3)[1]) == 3


def test_a_row_that_the_vector_did_not_find_has_no_distance(db: pgsim.Database) -> None:
    hits = db.search("paper", legs={"title": {"query": TITLE, "embedding": "title"}, "age": {"column": "published"}})
    assert {hit.distance for hit in hits} == {None}
    with pytest.raises(InvalidArgument, match="distance of after"):
        db.search("paper", QUERY, after=hits[0])


def test_a_fusion_is_kept_used_and_dropped(db: pgsim.Database) -> None:
    assert db.create_fusion("paper", "ours", method="rrf", weights={"dense": 1, "title": 2}, rank_constant=10) == "ours"
    legs = {"title": {"query": TITLE, "embedding": "title"}}
    by_name = db.search("paper", QUERY, legs=legs, fusion="ours", mode="exact")
    spelled_out = db.search(
        "paper", QUERY, legs=legs, fusion="rrf", weights={"dense": 1, "title": 2}, rank_constant=10, mode="exact"
    )
    assert [(hit.key, hit.score) for hit in by_name] == [(hit.key, hit.score) for hit in spelled_out]
    db.create_fusion("paper", "ours", replace=True, report={"why": "tried"})
    db.drop_fusion("paper", "ours")
    with pytest.raises(UnknownFusion), db.connection() as connection, connection.transaction():
        db.search("paper", QUERY, fusion="ours")


def test_lists_from_anywhere_are_fused(db: pgsim.Database) -> None:
    ours = [(hit.key, hit.score) for hit in db.search("paper", QUERY, k=3, mode="exact")]
    fused = db.fuse({"ours": ours, "theirs": [(int(ours[2][0]), 9.5), ("x y", 1.0)]}, k=None)
    assert {hit.key for hit in fused} == {key for key, _ in ours} | {"x y"}
    of = {hit.key: hit.details for hit in fused}
    assert of[ours[0][0]] == {"ours": {"rank": 1, "score": ours[0][1], "share": 0.5}}
    assert [hit.key for hit in db.fuse({"a": [("1", None), ("2", None)]}, method="rrf", rank_constant=2)] == ["1", "2"]
    assert db.fuse({"a": [("1", 3.0)]}, method="tmm", minima={"a": 0})[0].score == 1
    assert db.fuse({}) == []
    with pytest.raises(InvalidArgument, match="a score"):
        db.fuse({"a": [("1", float("nan"))]})


def test_hits_are_made_unlike_one_another(db: pgsim.Database) -> None:
    hits = db.search("paper", QUERY, k=50, mode="exact")
    few = db.mmr("paper", hits, k=5, diversity=0.6)
    assert few[0].key == hits[0].key
    assert [hit.rank for hit in few] == [1, 2, 3, 4, 5]
    distances = {hit.key: hit.distance for hit in hits}
    assert all(hit.distance == distances[hit.key] for hit in few)
    assert [hit.key for hit in db.mmr("paper", hits, k=5, diversity=0)] == [hit.key for hit in hits[:5]]
    assert db.mmr("paper", []) == []


def test_parents_are_searched(db: pgsim.Database) -> None:
    found = db.search_parents("paper", "venue", QUERY, k=4, aggregate="sum", top=2, filter={"lang": "de"})
    assert len(found) == 4
    assert all(len(hit.details["chunks"]) == 2 for hit in found)  # type: ignore[arg-type]


class Length:
    """Prefers long texts, and counts what it is asked."""

    name = "length"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def score(self, query: str, texts: list[str]) -> NDArray[np.float32]:
        self.asked.append(texts)
        return np.array([len(text) for text in texts], np.float32)


def test_hits_are_ranked_anew_by_a_scorer_that_reads_them(db: pgsim.Database, papers: Papers) -> None:
    hits = db.search("paper", QUERY, k=12, mode="exact")
    scorer: Scorer = Length()
    again = db.rerank("paper", "boat", hits, scorer, top=8)
    texts = dict(papers.connection.execute("SELECT id::text, body FROM paper").fetchall())
    expected = sorted(hits[:8], key=lambda hit: -len(texts[hit.key]))
    assert [hit.key for hit in again] == [hit.key for hit in expected] + [hit.key for hit in hits[8:]]
    assert [hit.rank for hit in again] == list(range(1, 13))
    assert again[0].score == len(texts[again[0].key])
    assert again[0].details["reranked_by"] == "length"
    assert again[0].details["before"] == {"score": expected[0].score, "rank": expected[0].rank}
    both = Length()
    db.rerank("paper", "boat", hits[:1], both, columns=["title", "body"])
    assert both.asked == [[f"paper {hits[0].key}\n{texts[hits[0].key]}"]]


def test_a_text_is_scored_once_for_a_query(db: pgsim.Database) -> None:
    hits = db.search("paper", QUERY, k=10, mode="exact")
    scorer, cache = Length(), MemoryCache()
    first = db.rerank("paper", "boat", hits, scorer, batch_size=3, cache=cache)
    asked = [text for batch in scorer.asked for text in batch]
    assert len(asked) == len(set(asked)) == len(cache)
    assert max(map(len, scorer.asked)) == 3
    scorer.asked.clear()
    assert db.rerank("paper", "boat", hits, scorer, cache=cache) == first
    assert scorer.asked == []
    db.rerank("paper", "house", hits, scorer, cache=cache)
    assert len(scorer.asked) == 1


def test_a_cache_knows_scorer_query_and_text_apart() -> None:
    keys = {score_key(*parts) for parts in [("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("b", "a", "c")]}
    assert len(keys) == 4
    kept: dict[str, float] = {score_key("length", "q", "text"): 7.5}
    assert cached_scores(Length(), "q", ["text", "long text", "text"], cache=kept) == [7.5, 9, 7.5]
    assert len(kept) == 2


def test_a_cache_forgets_what_was_used_longest_ago() -> None:
    cache = MemoryCache(size=2)
    cache["a"], cache["b"] = 1.0, 2.0
    assert cache.get("a") == 1.0
    cache["c"] = 3.0
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1.0, None, 3.0)


@pytest.mark.parametrize("answer", [np.zeros(3), np.zeros((2, 1)), np.array([1, np.nan]), "scores", None])
def test_a_scorer_that_answers_something_else_is_named(answer: object) -> None:
    class Odd:
        name = "odd"

        def score(self, query: str, texts: list[str]) -> Any:
            return answer

    with pytest.raises(EmbedderError, match=r"Odd\.score"):
        cached_scores(Odd(), "q", ["a", "b"])
    with pytest.raises(InvalidArgument, match="batch_size is 0"):
        cached_scores(Odd(), "q", ["a"], batch_size=0)


def test_a_row_that_is_gone_is_left_out_and_a_collection_must_be_known(db: pgsim.Database, papers: Papers) -> None:
    hits = db.search("paper", QUERY, k=4)
    papers.connection.execute("DELETE FROM paper WHERE id = %s", [hits[0].key])
    assert {hit.key for hit in db.rerank("paper", "q", hits, Length())} == {hit.key for hit in hits[1:]}
    with pytest.raises(UnknownCollection), papers.connection.transaction():
        db.rerank("papers", "q", hits, Length())


def test_a_cross_encoder_scores_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    class CrossEncoder:
        """Stands in for the library's class, whose models are hundreds of megabytes."""

        def __init__(self, name: str) -> None:
            self.name = name

        def predict(self, pairs: list[tuple[str, str]], *, batch_size: int, show_progress_bar: bool) -> list[float]:
            assert (batch_size, show_progress_bar) == (len(pairs), False)
            return [float(len(query) * len(text)) for query, text in pairs]

    library = ModuleType("sentence_transformers")
    library.CrossEncoder = CrossEncoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)
    scorer = CrossEncoderScorer("some/model")
    assert scorer.name == "some/model"
    assert cached_scores(scorer, "ab", ["x", "xyz"]) == [2, 6]
    assert CrossEncoderScorer(CrossEncoder("m"), name="mine").name == "mine"
    with pytest.raises(InvalidArgument, match="has no name"):
        CrossEncoderScorer(CrossEncoder("m"))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match="sentence-transformers"):
        CrossEncoderScorer("some/model")


async def test_the_same_holds_for_async(database_dsn: str) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE note (id int PRIMARY KEY, body text, embedding vector(2));"
            "INSERT INTO note VALUES (1, 'a', '[1,0]'), (2, 'bbb', '[1,1]');"
            "SELECT pgsim.create_collection('note', text_columns => '{body}'); SELECT pgsim.create_model('m', 2);"
            "SELECT pgsim.create_version('note', 'm', column_name => 'embedding')"
        )
    async with pgsim.AsyncDatabase(database_dsn) as db:
        hits = await db.search("note", [1.0, 0.0], legs={"id": {"column": "id"}}, weights={"dense": 1, "id": 0.1})
        assert [hit.key for hit in hits] == ["1", "2"]
        assert [hit.key for hit in await db.rerank("note", "q", hits, Length())] == ["2", "1"]
        assert [hit.key for hit in await db.mmr("note", hits)] == ["1", "2"]
    assert json.dumps(hits[0].details)
