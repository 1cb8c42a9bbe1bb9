"""Words and vectors in one search: BM25 alone, fused with vectors, and what holds when one of them finds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from formulas import fused
from papers import ROWS, body

from pgsim import Database

if TYPE_CHECKING:
    from formulas import Leg
    from numpy.typing import NDArray
    from papers import Papers

RNG = np.random.default_rng(8)
QUERY: NDArray[np.float32] = RNG.normal(size=8).astype(np.float32)
TITLE: NDArray[np.float32] = RNG.normal(size=4).astype(np.float32)
WORDS = "red boats near the river"
EXACT: dict[str, object] = {"mode": "exact"}


@pytest.fixture
def texts(papers: Papers) -> Papers:
    """The papers, with a text index."""
    papers.connection.execute("SELECT pgsim.enable_text('paper')")
    return papers


def text_leg(papers: Papers, words: str = WORDS, depth: int = 200, **options: object) -> Leg:
    """The leg of the words, as a search by them alone gives it."""
    return {row[0]: row[1] for row in papers.search(text_query=words, k=depth, **options)}


def bm25(words: list[str]) -> Leg:
    """BM25 by its formula over the papers' words."""
    bodies = {str(i): body(i).split() for i in range(1, ROWS + 1)}
    average = sum(map(len, bodies.values())) / ROWS
    scores: Leg = {}
    for word in words:
        having = {key: text.count(word) for key, text in bodies.items() if word in text}
        idf = np.log(1 + (ROWS - len(having) + 0.5) / (len(having) + 0.5))
        for key, times in having.items():
            length = 1.2 * (0.25 + 0.75 * len(bodies[key]) / average)
            scores[key] = scores.get(key, 0.0) + float(idf) * times * 2.2 / (times + length)
    return dict(sorted(scores.items(), key=lambda row: (-row[1], int(row[0]))))


def test_words_alone_are_ranked_by_bm25(texts: Papers) -> None:
    found = texts.search(text_query="red boats", k=20)
    expected = bm25(["red", "boat"])
    assert [row[1] for row in found] == pytest.approx(list(expected.values())[:20], rel=1e-5)
    assert {row[2] for row in found} == {None}
    assert [row[3] for row in found] == list(range(1, 21))
    assert found[0][4] == {"strategy": "text", "legs": {"text": {"rank": 1, "score": found[0][1]}}}


@pytest.mark.parametrize("method", ["minmax", "tmm", "dbsf", "rrf"])
def test_words_and_a_vector_are_fused(texts: Papers, method: str) -> None:
    legs = {"dense": texts.dense(QUERY), "text": text_leg(texts)}
    weights = dict.fromkeys(legs, 1.0 if method == "rrf" else 0.5)
    if method == "tmm":
        highest = {name: max(leg.values()) for name, leg in legs.items()}
        expected = fused(legs, weights, "minmax", {"dense": (-1, highest["dense"]), "text": (0, highest["text"])})
    else:
        expected = fused(legs, weights, method)
    found = texts.search(QUERY, text_query=WORDS, fusion=method, **EXACT)
    assert [row[1] for row in found] == pytest.approx(list(expected.values())[:10], abs=1e-5)
    assert {row[0] for row in found if row[1] > found[-1][1] + 1e-6} <= set(list(expected)[:10])


def test_the_default_is_half_and_half_of_min_max_scores_over_200_candidates(texts: Papers) -> None:
    spelled_out = texts.search(
        QUERY, text_query=WORDS, fusion="minmax", weights={"dense": 0.5, "text": 0.5}, candidates=200, **EXACT
    )
    assert texts.search(QUERY, text_query=WORDS, **EXACT) == spelled_out


def test_two_models_words_and_recency_go_into_one_call(texts: Papers) -> None:
    legs = {
        "title": {"query": TITLE.tolist(), "embedding": "title"},
        "recent": {"column": "published", "half_life": "30 days"},
    }
    weights = {"dense": 0.3, "title": 0.2, "text": 0.4, "recent": 0.1}
    found = texts.search(QUERY, text_query=WORDS, legs=legs, weights=weights, k=5)
    assert len(found) == 5
    assert found[0][4]["legs"].keys() >= {"recent"}
    told = texts.explain(QUERY, text_query=WORDS, legs=legs, weights=weights)
    assert {name: leg["kind"] for name, leg in told["legs"].items()} == {
        "dense": "dense",
        "title": "dense",
        "text": "text",
        "recent": "prior",
    }
    assert told["legs"]["text"]["details"]["words"] == 3


@pytest.mark.parametrize("words", ["", "   ", "the of and", "zzzz qqqq", "!!! (", "\N{GRINNING FACE}"])
def test_words_that_match_nothing_leave_the_vector_to_answer(texts: Papers, words: str) -> None:
    found = texts.search(QUERY, text_query=words, **EXACT)
    assert [row[0] for row in found] == list(texts.dense(QUERY, 10))
    assert texts.search(text_query=words) == []


def test_a_vector_that_finds_nothing_leaves_the_words_to_answer(texts: Papers) -> None:
    nowhere = texts.keys(QUERY, text_query=WORDS, max_distance=-1)
    assert nowhere == list(text_leg(texts, depth=10))
    # A query without a vector or without words is one with a leg less, whatever the fusion says.
    weights = {"dense": 0.9, "text": 0.1}
    assert texts.keys(None, text_query=WORDS, weights=weights) == nowhere
    assert texts.keys(QUERY, text_query=None, weights=weights, **EXACT) == list(texts.dense(QUERY, 10))


def test_text_alone_needs_no_vectors_at_all(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    connection.execute(
        "CREATE TABLE note (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text);"
        "INSERT INTO note (body) VALUES ('a red boat'), ('a red house'), ('a blue boat');"
        "SELECT pgsim.create_collection('note', text_columns => '{body}'); SELECT pgsim.enable_text('note')"
    )
    rows = connection.execute(
        "SELECT n.body FROM pgsim.search('note', text_query => 'red boat', k => 1) AS s "
        "JOIN note AS n ON n.id = s.key::uuid"
    ).fetchall()
    assert rows == [("a red boat",)]


def test_a_filter_and_a_condition_hold_for_words_too(texts: Papers) -> None:
    given: dict[str, object] = {
        "filter": {"lang": "de"},
        "where_sql": "id > ($1->>'id')::int",
        "where_values": {"id": 100},
    }
    allowed = {str(i) for i in range(101, ROWS + 1) if i % 3 == 0}
    for query in (None, QUERY):
        found = texts.keys(query, text_query=WORDS, k=60, **given)
        assert set(found) <= allowed
    by_hand = [key for key in text_leg(texts, depth=300) if key in allowed]
    assert texts.keys(text_query=WORDS, k=30, **given) == by_hand[:30]


def test_a_condition_sees_the_callers_search_path_in_every_leg(texts: Papers) -> None:
    texts.connection.execute(
        "CREATE SCHEMA mine; CREATE FUNCTION mine.even(n int) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN n % 2 = 0;"
        "SET LOCAL search_path = mine, public"
    )
    for query in (None, QUERY):
        found = texts.keys(query, text_query=WORDS, k=50, where_sql="even(id)")
        assert len(found) == 50 or query is None
        assert all(int(key) % 2 == 0 for key in found)


def test_groups_of_words_and_vectors_are_filled(texts: Papers) -> None:
    for query in (None, QUERY):
        found = texts.keys(query, text_query=WORDS, distinct_on="venue", k=23)
        assert len({int(key) % 23 for key in found}) == len(found) == 23
        two = texts.keys(query, text_query=WORDS, distinct_on="venue", per_group=2, k=40)
        assert len(two) == 40
    best = list(text_leg(texts, depth=300))
    seen = dict.fromkeys(int(key) % 23 for key in best)
    assert len(seen) == 23
    expected = [next(key for key in best if int(key) % 23 == venue) for venue in seen]
    assert texts.keys(text_query=WORDS, distinct_on="venue", k=23) == expected


def test_parents_are_ranked_by_words_and_vectors(texts: Papers) -> None:
    for aggregate in ("max", "mean", "sum"):
        rows = texts.connection.execute(
            "SELECT key FROM pgsim.search_parents('paper', 'venue', text_query => %s, aggregate => %s, k => 23)",
            [WORDS, aggregate],
        ).fetchall()
        assert len(set(rows)) == 23
    best = texts.connection.execute(
        "SELECT key, score FROM pgsim.search_parents('paper', 'venue', text_query => %s, aggregate => 'sum', top => 2)",
        [WORDS],
    ).fetchall()
    venues: dict[str, list[float]] = {}
    for key, score in text_leg(texts, depth=300).items():
        venues.setdefault(str(int(key) % 23), []).append(score)
    expected = sorted((sum(scores[:2]) for scores in venues.values()), reverse=True)[:10]
    assert [row[1] for row in best] == pytest.approx(expected)


def test_forms_and_further_texts_are_legs(texts: Papers) -> None:
    every = texts.keys(text_query="red boat", text_form="all", k=300)
    assert set(every) == {str(i) for i in range(1, ROWS + 1) if {"red", "boat"} <= set(body(i).split())}
    legs = {"phrase": {"text_query": "red boat", "text_form": "phrase"}}
    told = texts.explain(QUERY, text_query="red boat", legs=legs)
    assert told["legs"]["phrase"]["rows"] <= len(every)
    found = texts.search(text_query="red boat", legs=legs, weights={"text": 1, "phrase": 1}, k=1)
    assert found[0][4]["legs"].keys() == {"text", "phrase"} or told["legs"]["phrase"]["rows"] == 0


def test_many_texts_are_searched_in_one_call(texts: Papers) -> None:
    db = Database(texts.connection)
    vectors = np.stack([QUERY, -QUERY])
    both = db.search_batch("paper", vectors, text_queries=[WORDS, "stone bridge"], k=4, mode="exact")
    assert [hit.key for hit in both[0]] == texts.keys(QUERY, text_query=WORDS, k=4, **EXACT)
    assert [hit.key for hit in both[1]] == texts.keys(-QUERY, text_query="stone bridge", k=4, **EXACT)
    words = db.search_batch("paper", text_queries=["stone", "zzzz", "garden"], k=4)
    assert [len(hits) for hits in words] == [4, 0, 4]
    some = db.search_batch("paper", vectors, text_queries=[None, WORDS], k=4, mode="exact")
    assert [hit.key for hit in some[0]] == list(texts.dense(QUERY, 4))


def test_rows_that_the_caller_may_not_see_are_found_by_no_leg(texts: Papers) -> None:
    texts.connection.execute(
        "CREATE ROLE odd_reader; GRANT SELECT ON paper TO odd_reader; ALTER TABLE paper ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON paper TO odd_reader USING (id % 2 = 1); SELECT pgsim.sync_privileges('paper');"
        "SET LOCAL ROLE odd_reader"
    )
    legs = {"title": {"query": TITLE.tolist(), "embedding": "title"}, "cited": {"column": "cited"}}
    for arguments in ({"text_query": WORDS}, {"text_query": WORDS, "legs": legs}, {"legs": legs}):
        for query in (None, QUERY):
            found = texts.keys(query, k=300, **arguments)
            assert found
            assert all(int(key) % 2 == 1 for key in found)
    assert all(int(key) % 2 == 1 for key in texts.keys(text_query=WORDS, distinct_on="venue", k=23))


def test_who_may_not_read_the_table_searches_it_by_no_leg(texts: Papers) -> None:
    texts.connection.execute("CREATE ROLE stranger; SET LOCAL ROLE stranger")
    for arguments in ({"text_query": WORDS}, {"legs": {"title": {"query": TITLE.tolist(), "embedding": "title"}}}):
        with pytest.raises(psycopg.Error) as refused, texts.connection.transaction():
            texts.search(**arguments)
        assert refused.value.sqlstate == "PS032"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"recall": 0.9}, "no query vector"),
        ({"mode": "exact"}, "no query vector"),
        ({"dims": "{4}"}, "no query vector"),
        ({"max_distance": 1}, "no query vector"),
        ({"model": "big"}, "no query vector"),
        ({"after": {"distance": 1, "key": "1"}}, "after is given"),
        ({"text_form": "sounds"}, "sounds"),
        ({"k": 0}, "k is 0"),
        ({"where_sql": " "}, "where_sql"),
    ],
)
def test_what_words_alone_cannot_do_is_refused(texts: Papers, arguments: dict[str, object], says: str) -> None:
    with pytest.raises(psycopg.Error, match=says) as refused:
        texts.search(text_query=WORDS, **arguments)
    assert refused.value.sqlstate == "PS010"
    assert refused.value.diag.message_hint


def test_words_need_a_text_index(papers: Papers) -> None:
    with pytest.raises(psycopg.Error, match="no text index") as refused:
        papers.search(QUERY, text_query=WORDS)
    assert refused.value.sqlstate == "PS035"
