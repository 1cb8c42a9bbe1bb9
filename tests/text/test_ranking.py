"""The rows that a text search finds are those that BM25 ranks best, and no others."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import bm25s
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from texts import agrees, best, bm25, counts, create, insert, search

if TYPE_CHECKING:
    import psycopg

WORDS = [f"w{i}" for i in range(60)]


def _text(rng: random.Random, longest: int = 30) -> str:
    # Some words are in most rows, most words in few.
    return " ".join(WORDS[min(int(rng.expovariate(0.12)), 59)] for _ in range(rng.randint(0, longest)))


def _rows(rng: random.Random, n: int, first: int = 1, longest: int = 30) -> list[tuple[int, str, str, str]]:
    return [(i, rng.choice("abcde"), _text(rng, longest // 6), _text(rng, longest)) for i in range(first, first + n)]


def test_rows_rank_as_bm25s_ranks_them(connection: psycopg.Connection) -> None:
    rng = random.Random(5)
    create(connection, _rows(rng, 2000), "'book', weights => '{\"title\": 0}'")
    documents = counts(connection, columns=(("body", 1),))
    keys = list(documents)
    model = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    tokens = [[word for word, times in documents[key].items() for _ in range(int(times))] for key in keys]
    model.index(tokens, show_progress=False)
    for _ in range(40):
        query = sorted({rng.choice(WORDS) for _ in range(rng.randint(1, 8))})
        scores = model.get_scores(query)
        # bm25s leaves the constant factor k1 + 1 out, and computes in single precision.
        expected = {key: float(score) * 2.2 for key, score in zip(keys, scores, strict=True) if score > 0}
        answer = search(connection, " ".join(query), 20)
        ranked = best(expected, 20)
        assert np.allclose(answer.scores, [score for _, score in ranked], rtol=1e-5)
        assert all(
            key == wanted or expected[key] == pytest.approx(score, rel=1e-5)
            for key, (wanted, score) in zip(answer.keys, ranked, strict=True)
        )


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_the_best_are_the_same_as_when_every_row_is_scored(
    connection: psycopg.Connection, seed: int, data: st.DataObject
) -> None:
    rng = random.Random(seed)
    k1 = data.draw(st.sampled_from([0.0, 0.5, 1.2, 2.0]))
    b = data.draw(st.sampled_from([0.0, 0.4, 0.75, 1.0]))
    title = data.draw(st.sampled_from([1.0, 3.0, 0.25]))
    with connection.transaction(force_rollback=True):
        # Rows that come, change and go later move the mean length that impacts were stored for.
        create(
            connection,
            _rows(rng, data.draw(st.integers(0, 120))),
            f"'book', weights => '{{\"title\": {title}}}', k1 => {k1}, b => {b}",
        )
        insert(connection, _rows(rng, data.draw(st.integers(0, 300)), 1000, data.draw(st.sampled_from([5, 30, 200]))))
        connection.execute("UPDATE book SET body = body || ' w1 w1 w50' WHERE id % 7 = 0")
        connection.execute("DELETE FROM book WHERE id % 5 = 0")
        documents = counts(connection, columns=(("title", title), ("body", 1)))
        shelves = dict(connection.execute("SELECT id::text, shelf FROM book").fetchall())
        for _ in range(4):
            words = data.draw(st.lists(st.sampled_from([*WORDS, "unknown"]), min_size=1, max_size=9))
            k = data.draw(st.sampled_from([1, 3, 10, 50]))
            shelf = data.draw(st.sampled_from([None, "a", "z"]))
            form = data.draw(st.sampled_from(["any", "all", "websearch"]))
            scores = bm25(documents, words, k1=k1, b=b)
            expected = {
                key: score
                for key, score in scores.items()
                if shelf in {None, shelves[key]} and (form == "any" or set(words) <= set(documents[key]))
            }
            answer = search(
                connection,
                " ".join(words),
                k,
                form=form,
                predicate=None if shelf is None else "shelf = ($1 ->> 'shelf')",
                values={"shelf": shelf},
            )
            assert agrees(answer, best(expected, k)), (answer, best(expected, k))


@pytest.mark.parametrize("longer", [0, 400])
def test_what_is_found_by_rare_words_and_without_them_ranks_together(
    connection: psycopg.Connection, longer: int
) -> None:
    """With ``longer`` rows coming later, the mean length is not what most rows were stored for."""
    rng = random.Random(longer)
    words = [f"w{i}" for i in range(400)]

    def text(longest: int) -> str:
        return " ".join(words[min(int(rng.paretovariate(0.6)), 400) - 1] for _ in range(rng.randint(1, longest)))

    create(connection, [(i, "", "", text(12)) for i in range(2500)])
    insert(connection, [(i, "", "", text(60)) for i in range(2500, 2500 + longer)])
    documents = counts(connection)
    for _ in range(25):
        query = sorted({words[min(int(rng.paretovariate(0.5)), 400) - 1] for _ in range(rng.randint(2, 7))})
        k = rng.choice([1, 10, 30])
        assert agrees(search(connection, " ".join(query), k), best(bm25(documents, query), k))


@pytest.mark.parametrize("shelf", ["rare", "common", "absent"])
def test_filters_apply_inside(connection: psycopg.Connection, shelf: str) -> None:
    rng = random.Random(3)
    rows = [(i, "rare" if i % 200 == 0 else "common", "", body) for i, _, _, body in _rows(rng, 3000, longest=12)]
    create(connection, rows)
    connection.execute("CREATE INDEX ON book (shelf); ANALYZE book")
    scores = bm25(counts(connection), ["w0", "w1", "w2", "w20"])
    inside = {str(i) for i, *_ in connection.execute("SELECT id FROM book WHERE shelf = %s", [shelf])}
    answer = search(connection, "w0 w1 w2 w20", 20, predicate="shelf = ($1 ->> 's')", values={"s": shelf})
    assert agrees(answer, best({key: score for key, score in scores.items() if key in inside}, 20))
    assert answer.details["strategy"] == {"rare": "filter", "common": "words", "absent": "filter"}[shelf]


def test_a_filter_that_admits_more_than_was_estimated_is_still_answered_right(connection: psycopg.Connection) -> None:
    create(connection, _rows(random.Random(4), 3000, longest=12))
    connection.execute("ANALYZE book; UPDATE book SET shelf = 'one'")
    answer = search(connection, "w0 w1 w2", 15, predicate="shelf = ($1 ->> 's')", values={"s": "one"})
    assert agrees(answer, best(bm25(counts(connection), ["w0", "w1", "w2"]), 15))


def test_a_word_in_a_heavier_column_counts_more(connection: psycopg.Connection) -> None:
    rows = [(1, "", "fox", "dog dog cat"), (2, "", "dog", "fox cat cat"), (3, "", "cat", "bird bird bird")]
    create(connection, rows, "'book', weights => '{\"title\": 3}'")
    assert search(connection, "fox").keys == ["1", "2"]
    connection.execute("SELECT pgsim.disable_text('book'), pgsim.enable_text('book', weights => '{\"body\": 3}')")
    assert search(connection, "fox").keys == ["2", "1"]


def test_few_candidates_are_scored_where_bounds_allow(connection: psycopg.Connection) -> None:
    rng = random.Random(8)
    create(connection, [(i, "", "", " ".join(["common"] * rng.randint(1, 3))) for i in range(3000)])
    insert(connection, [(3000 + i, "", "", "rare common") for i in range(60)])
    answer = search(connection, "rare common", 10, explained=True)
    assert answer.keys == [str(3000 + i) for i in range(10)]
    assert answer.details["candidates"] < 200


@pytest.mark.parametrize(
    "query",
    [
        *("", "   ", "the of and", "'", "\\", "a & | ! ( :* <->", "\U0001f600 \U0001f680", "%s {0} $1", "x" * 5000),
        *('"', "\x01", "<a href='x", "http://a.b/c?d=e&f=g", "NULL", "[1]", "{1}"),
        "fox " + " ".join(f"word{i}" for i in range(13000)),
    ],
    ids=lambda query: repr(query[:12]),
)
@pytest.mark.parametrize("form", ["any", "all", "phrase", "websearch", "prefix", "fuzzy"])
def test_any_input_is_a_query(connection: psycopg.Connection, query: str, form: str) -> None:
    create(connection, [(1, "", "", "the quick fox"), (2, "", "", "lazy \U0001f600 dog")], "'book', 'english'")
    answer = search(connection, query, form=form)
    assert set(answer.keys) <= {"1", "2"}
    assert ("1" in answer.keys) or not (query.startswith("fox") and form in {"any", "prefix", "fuzzy"})


@pytest.mark.slow
def test_texts_beyond_what_a_tsvector_holds_are_indexed(connection: psycopg.Connection) -> None:
    huge = " ".join(f"word{i}" for i in range(200_000))
    create(connection, [(1, "", "", huge), (2, "", "", "needle " * 30_000), (3, "", "", "needle thread")])
    insert(connection, [(4, "", "needle", huge)])
    assert search(connection, "word1 word199999").keys
    assert set(search(connection, "needle").keys) == {"2", "3", "4"}
    assert search(connection, "thread needle", form="phrase").keys == []
    connection.execute("DELETE FROM book WHERE id IN (1, 4)")
    assert search(connection, "word1").keys == []


def test_ties_come_in_the_order_of_their_keys(connection: psycopg.Connection) -> None:
    create(connection, [(i, "", "", "same words") for i in (30, 4, 200, 1)])
    insert(connection, [(7, "", "", "a much longer text that moves the mean"), (2, "", "", "same words")])
    assert search(connection, "same").keys == ["1", "2", "4", "30", "200"]
    assert search(connection, "same", 2).keys == ["1", "2"]
