"""pgsim.fuse: the formulas, on the documented examples of other engines, and what holds for all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import psycopg
import pytest
from formulas import fused as fused_by_hand
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    Connection = psycopg.Connection[tuple[Any, ...]]

Leg: TypeAlias = dict[str, float]
METHODS = ["minmax", "relative_score", "tmm", "dbsf", "rrf"]


def fuse(
    connection: Connection,
    legs: dict[str, Leg],
    *,
    weights: dict[str, float] | None = None,
    minimum: float | None = None,
    **options: object,
) -> dict[str, float]:
    """Key and fused score, best first. A leg is given as its rows with their scores, best first."""
    made = ", ".join(["pgsim.leg(%s, %s::text[], %s::float8[], %s)"] * len(legs))
    values = [part for name, leg in legs.items() for part in (name, list(leg), list(leg.values()), minimum)]
    named = "".join(f", {name} => %s" for name in options)
    rows = connection.execute(
        f"SELECT key, score FROM pgsim.fuse(ARRAY[{made}]::pgsim.leg[], weights => %s{named}) ORDER BY rank".encode(),
        [*values, json.dumps(weights) if weights else None, *options.values()],
    ).fetchall()
    return dict(rows)


def lists(*scores: list[float]) -> dict[str, Leg]:
    """Legs a, b, ... of rows 0, 1, ..., in the order of their scores."""
    return {
        chr(97 + number): {str(row): float(each[row]) for row in sorted(range(len(each)), key=lambda row: -each[row])}
        for number, each in enumerate(scores)
    }


def test_reciprocal_rank_fusion_as_elasticsearch_documents_it(connection: Connection) -> None:
    # https://www.elastic.co/docs/reference/elasticsearch/rest-apis/reciprocal-rank-fusion, "full example"
    query = {"4": 0.16152832, "3": 0.15876243, "2": 0.15350538, "1": 0.13963442}
    knn = {"3": 1.0, "2": 0.5, "1": 0.2, "5": 0.1}
    assert fuse(connection, {"query": query, "knn": knn}, method="rrf", rank_constant=1) == pytest.approx(
        {"3": 0.8333, "2": 0.5833, "4": 0.5, "1": 0.45, "5": 0.2}, abs=1e-4
    )


def test_a_weighted_sum_of_min_max_scores_as_elasticsearch_tests_it(connection: Connection) -> None:
    # elastic/elasticsearch, 10_linear_retriever.yml, "should normalize initial scores"; a list of one row counts fully.
    legs = {"standard": {"1": 10.0, "2": 9.0, "3": 5.0}, "knn": {"4": 1.0}}
    assert fuse(connection, legs, weights={"standard": 10, "knn": 2}) == {"1": 10, "2": 8, "4": 2, "3": 0}


def test_reciprocal_rank_fusion_as_qdrant_tests_it(connection: Connection) -> None:
    # qdrant/qdrant, reciprocal_rank_fusion.rs: its k of 2 counts ranks from 0, so the constant is 1.
    legs = {"a": {"2": 0.9, "1": 0.8}, "b": {"1": 0.7, "2": 0.6, "3": 0.5}, "c": {"5": 0.9, "3": 0.5, "1": 0.4}}
    assert fuse(connection, legs, method="rrf", rank_constant=1) == pytest.approx(
        {"1": 1.0833334, "2": 0.8333334, "3": 0.5833334, "5": 0.5}, abs=1e-6
    )


def test_distribution_based_fusion_is_qdrants_formula(connection: Connection) -> None:
    # qdrant/qdrant, score_fusion.rs: sample deviation, not clamped, .5 for one row and for rows that are all alike.
    scores = np.array([7.1, 4.4, 4.3, 1.0])
    expected = (scores - (scores.mean() - 3 * scores.std(ddof=1))) / (6 * scores.std(ddof=1))
    legs = {"a": {str(i): float(each) for i, each in enumerate(scores)}, "b": {"9": 3.0}, "c": {"7": 2.0, "8": 2.0}}
    fused = fuse(connection, legs, method="dbsf", weights={"a": 1, "b": 1, "c": 1})
    assert fused == pytest.approx(
        {"0": expected[0], "7": 0.5, "8": 0.5, "9": 0.5, **dict(zip("123", expected[1:], strict=True))}
    )
    assert list(fused) == ["0", "1", "2", "7", "8", "9", "3"]


@pytest.mark.parametrize(
    ("weights", "scores", "expected"),
    [
        ([0.5, 0.5], [[1, 2, 3], [0, 1, 2]], {"2": 1, "1": 0.5, "0": 0}),
        ([0.5, 0.5], [[0, 2, 0.1], [0, 0.2, 2]], {"1": 0.55, "2": 0.525, "0": 0}),
        ([0.75, 0.25], [[0.5, 0.5, 0], [0, 0.01, 0.001]], {"1": 1, "0": 0.75, "2": 0.025}),
        ([0.75, 0.25], [[], []], {}),
        ([0.75, 0.25], [[1], []], {"0": 0.75}),
        ([0.75, 0.25], [[], [1]], {"0": 0.25}),
        ([0.75, 0.25], [[1, 2], []], {"1": 0.75, "0": 0}),
        ([0.75, 0.25], [[1, 1], [1, 2]], {"1": 1, "0": 0.75}),
    ],
)
def test_relative_score_fusion_as_weaviate_tests_it(
    connection: Connection, weights: list[float], scores: list[list[float]], expected: dict[str, float]
) -> None:
    # weaviate/weaviate, usecases/traverser/hybrid/fusion_test.go, TestFusionRelativeScore
    given = dict(zip("ab", weights, strict=True))
    for method in ("relative_score", "minmax"):
        fused = fuse(connection, lists(*scores), weights=given, method=method)
        assert fused == pytest.approx(expected)
        assert list(fused) == list(expected)


def test_relative_score_fusion_as_weaviate_explains_it(connection: Connection) -> None:
    # https://weaviate.io/blog/hybrid-search-fusion-algorithms: rows 0 to 4; ranked fusion counts from 0.
    keyword, vector = [2.6, 5, 2.3, 0.09, 0.2], [0.596, 0.594, 0.6, 0.009, 0.598]
    fused = fuse(connection, lists(keyword, vector), method="relative_score")
    assert fused == pytest.approx({"1": 0.995, "0": 0.752, "2": 0.725, "4": 0.509, "3": 0.0}, abs=1e-3)
    ranked = fuse(connection, lists(keyword, vector), method="rrf", rank_constant=59)
    assert list(ranked) == ["2", "1", "0", "4", "3"]
    assert ranked["2"] == pytest.approx(1 / 62 + 1 / 60)


def test_the_theoretical_minimum_keeps_the_worst_row_of_a_leg_above_one_that_is_not_in_it(
    connection: Connection,
) -> None:
    legs = {"text": {"1": 8.0, "2": 6.0}}
    assert fuse(connection, legs) == {"1": 1, "2": 0}
    assert fuse(connection, legs, method="tmm", minimum=0) == {"1": 1, "2": 0.75}
    assert fuse(connection, legs, method="tmm", minimum=-8) == {"1": 1, "2": 0.875}


def test_details_say_what_each_leg_said_and_the_shares_are_the_score(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT key, score, details FROM pgsim.fuse(ARRAY[pgsim.leg('dense', '{a,b}', '{.9,.5}'), "
        "pgsim.leg('recent', '{b,c}', '{3,1}')], weights => '{\"dense\": 0.8, \"recent\": 0.2}')"
    ).fetchall()
    assert rows[0] == ("a", 0.8, {"dense": {"rank": 1, "score": 0.9, "share": 0.8}})
    assert rows[1][2] == {
        "dense": {"rank": 2, "score": 0.5, "share": 0},
        "recent": {"rank": 1, "score": 3, "share": 0.2},
    }


def test_lists_without_scores_are_fused_by_their_ranks(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT key, score FROM pgsim.fuse(ARRAY[pgsim.leg('ours', '{a,b}'), pgsim.leg('theirs', '{b,c}')], 'rrf')"
    ).fetchall()
    assert rows == [("b", pytest.approx(1 / 62 + 1 / 61)), ("a", pytest.approx(1 / 61)), ("c", pytest.approx(1 / 62))]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_fuse_and_nothing_found_are_no_errors(connection: Connection, method: str) -> None:
    assert fuse(connection, {}, method=method) == {}
    assert fuse(connection, {"a": {}, "b": {}}, method=method, minimum=0) == {}
    assert list(fuse(connection, {"a": {}, "b": {"1": 2.0}}, method=method, minimum=0)) == ["1"]
    empty = "SELECT key FROM pgsim.fuse(ARRAY[pgsim.leg('a', NULL, NULL, 0), pgsim.leg('b', '{x}', '{1}', 0)], %s)"
    assert connection.execute(empty, [method]).fetchall() == [("x",)]


def test_ties_go_by_key_and_whole_numbers_as_numbers(connection: Connection) -> None:
    assert list(fuse(connection, {"a": {"10": 1.0, "9": 1.0, "-2": 1.0}})) == ["-2", "9", "10"]
    assert list(fuse(connection, {"a": {"b": 1.0, "10": 1.0, "9": 1.0, "B": 1.0}})) == ["10", "9", "B", "b"]


@st.composite
def _legs(draw: st.DrawFn) -> dict[str, Leg]:
    drawn = draw(
        st.lists(
            st.dictionaries(st.integers(1, 12).map(str), st.integers(0, 40).map(lambda n: n / 8), max_size=8),
            min_size=1,
            max_size=4,
        )
    )
    return {
        f"leg {number}": dict(sorted(leg.items(), key=lambda row: (-row[1], int(row[0]))))
        for number, leg in enumerate(drawn)
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(legs=_legs(), method=st.sampled_from(METHODS), data=st.data())
def test_every_method_is_its_formula(connection: Connection, legs: dict[str, Leg], method: str, data: Any) -> None:
    weights = {name: data.draw(st.sampled_from([0.25, 0.5, 1, 3])) for name in legs}
    expected = fused_by_hand(legs, weights, method)
    fused = fuse(connection, legs, method=method, weights=weights, minimum=0, k=None)
    assert fused == pytest.approx(expected, abs=1e-9)
    assert list(fused.values()) == sorted(fused.values(), reverse=True)
    some = fuse(connection, legs, method=method, weights=weights, minimum=0, k=3)
    assert some == dict(list(fused.items())[:3])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(legs=_legs(), method=st.sampled_from(METHODS))
@example(legs={"leg 0": {"2": 1.0, "1": 0.0}}, method="minmax")
def test_one_list_keeps_its_order(connection: Connection, legs: dict[str, Leg], method: str) -> None:
    only = dict(list(legs.items())[:1])
    assert list(fuse(connection, only, method=method, minimum=0, k=None)) == list(only["leg 0"])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(legs=_legs(), method=st.sampled_from(METHODS))
def test_a_leg_of_weight_0_is_as_if_it_were_not_there(
    connection: Connection, legs: dict[str, Leg], method: str
) -> None:
    weights = dict.fromkeys(legs, 1.0)
    more = {**legs, "more": {"99": 5.0, "1": 1.0}}
    assert fuse(connection, more, method=method, weights={**weights, "more": 0}, minimum=0, k=None) == fuse(
        connection, legs, method=method, weights=weights, minimum=0, k=None
    )


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "says"),
    [
        ("NULL", "PS010", "legs is NULL"),
        (
            "ARRAY[pgsim.leg('a', '{1}', '{1}')], 'borda'",
            "PS010",
            "'borda'; known are minmax, relative_score, tmm, dbsf",
        ),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], NULL", "PS010", "NULL; known are"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], rank_constant => 3", "PS010", "only rrf has a constant"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], 'rrf', rank_constant => -1", "PS010", "from 0 to 1000000"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], 'rrf', rank_constant => 'NaN'", "PS010", "from 0 to 1000000"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], k => 0", "PS010", "k is 0"),
        ("ARRAY[pgsim.leg('a', '{1,2}', '{1}')]", "PS010", "2 keys and 1 scores"),
        ("ARRAY[pgsim.leg('a', '{1,2}')]", "PS010", "2 keys and 0 scores"),
        ("ARRAY[pgsim.leg('a', '{1,1}', '{1,1}')]", "PS016", "a key twice"),
        ("ARRAY[pgsim.leg('a', '{1,NULL}', '{1,1}')]", "PS016", "or NULL"),
        ("ARRAY[pgsim.leg('a', '{1}', '{NaN}')]", "PS010", "NaN"),
        ("ARRAY[pgsim.leg('a', '{1,2}', '{1e308,-1e308}')]", "PS010", "beyond 1e100"),
        ("ARRAY[pgsim.leg('a', '{1,2}', '{1,2}', -1e308, 1.7e308)]", "PS010", "the scale -1e+308 to 1.7e+308"),
        ("ARRAY[pgsim.leg('a', '{{1,2}}', '{1,2}')]", "PS010", "arrays of arrays"),
        ("ARRAY[pgsim.leg('a', '{1}', '{NULL}')]", "PS010", "NULL"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}'), pgsim.leg('a', '{1}', '{1}')]", "PS010", "two legs are called 'a'"),
        ("ARRAY[pgsim.leg('', '{1}', '{1}')]", "PS011", "leg name ''"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], 'tmm'", "PS010", "not known"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}', 2)], 'tmm'", "PS010", "is 2, and its least score 1"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], weights => '[1]'", "PS010", "not an object"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], weights => '{\"b\": 1}'", "PS010", "names 'b', which is no leg"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], weights => '{}'", "PS010", "does not name the leg a"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], weights => '{\"a\": -1}'", "PS010", "the weight of a is -1"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], weights => '{\"a\": 1e-400}'", "PS010", "0, or a number from 1e-100"),
        ("ARRAY[pgsim.leg('a', '{1}', '{1}')], weights => '{\"a\": \"1\"}'", "PS010", 'the weight of a is "1"'),
    ],
)
def test_what_cannot_be_fused_is_refused_in_a_sentence(
    connection: Connection, arguments: str, sqlstate: str, says: str
) -> None:
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(f"SELECT * FROM pgsim.fuse({arguments})".encode())
    assert refused.value.sqlstate == sqlstate
    assert says in str(refused.value)
    assert refused.value.diag.message_hint


def test_a_search_and_a_column_are_fused_by_hand(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE paper (id int PRIMARY KEY, cited int, embedding vector(2));"
        "INSERT INTO paper VALUES (1, 10, '[1,0]'), (2, 0, '[0.9,0.1]'), (3, 400, '[0.8,0.2]');"
        "SELECT pgsim.create_collection('paper'); SELECT pgsim.create_model('m', 2);"
        "SELECT pgsim.create_version('paper', 'm', column_name => 'embedding')"
    )
    rows = connection.execute(
        "SELECT f.key FROM (SELECT array_agg(key ORDER BY rank) AS keys, array_agg(score ORDER BY rank) AS scores "
        "      FROM pgsim.search('paper', '[1,0]', k => 200)) AS dense, "
        "(SELECT array_agg(id::text ORDER BY cited DESC) AS keys, array_agg(cited ORDER BY cited DESC) AS scores "
        " FROM paper) AS cited, "
        "pgsim.fuse(ARRAY[pgsim.leg('dense', dense.keys, dense.scores), pgsim.leg('cited', cited.keys, cited.scores)]"
        ', weights => \'{"dense": 0.4, "cited": 0.6}\') AS f ORDER BY f.rank'
    ).fetchall()
    assert rows == [("3",), ("1",), ("2",)]
