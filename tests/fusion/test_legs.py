"""A search by several legs finds the fusion of what each leg finds, and each argument holds for all of them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from formulas import fused
from papers import AGE, CITED, NOW, ROWS

if TYPE_CHECKING:
    from formulas import Leg
    from numpy.typing import NDArray
    from papers import Papers

RNG = np.random.default_rng(5)
QUERY: NDArray[np.float32] = RNG.normal(size=8).astype(np.float32)
TITLE: NDArray[np.float32] = RNG.normal(size=4).astype(np.float32)
TITLE_LEG: dict[str, object] = {"query": [float(each) for each in TITLE], "embedding": "title", "mode": "exact"}
EXACT: dict[str, object] = {"mode": "exact"}


def prior(scores: dict[str, float], among: set[str]) -> Leg:
    """The leg of a column over the rows that other legs found."""
    rows = [(key, float(scores[key])) for key in among if key in scores]
    return dict(sorted(rows, key=lambda row: (-row[1], int(row[0]))))


@pytest.mark.parametrize("method", ["minmax", "relative_score", "tmm", "dbsf", "rrf"])
def test_two_embeddings_of_two_models_are_searched_in_one_call(papers: Papers, method: str) -> None:
    found = papers.search(QUERY, legs={"title": TITLE_LEG}, fusion=method, **EXACT)
    legs = {"dense": papers.dense(QUERY), "title": papers.titles(TITLE)}
    weights = dict.fromkeys(legs, 1.0 if method == "rrf" else 0.5)
    if method == "tmm":  # of a cosine similarity the least is -1, of a score of l2 it is 0
        highest = {name: max(leg.values()) for name, leg in legs.items()}
        scales = {"dense": (-1.0, highest["dense"]), "title": (0.0, highest["title"])}
        expected = fused(legs, weights, "minmax", scales)
    else:
        expected = fused(legs, weights, method)
    assert [(row[0], row[3]) for row in found] == [(key, rank) for rank, key in enumerate(list(expected)[:10], 1)]
    assert [row[1] for row in found] == pytest.approx(list(expected.values())[:10], abs=1e-5)


def test_each_row_tells_what_its_legs_said_and_the_distance_of_the_query(papers: Papers) -> None:
    dense, title = papers.dense(QUERY, 60), papers.titles(TITLE, 60)
    found = papers.search(QUERY, legs={"title": TITLE_LEG}, k=60, candidates=60, **EXACT)
    assert {row[0] for row in found} <= dense.keys() | title.keys()
    for key, score, distance, _, details in found:
        told = details["legs"]
        assert (details["strategy"], details["fusion"]) == ("fusion", "minmax")
        assert told.keys() == {name for name, leg in (("dense", dense), ("title", title)) if key in leg}
        for name, leg in (("dense", dense), ("title", title)):
            if key in leg:
                assert told[name]["rank"] == list(leg).index(key) + 1
                assert told[name]["score"] == pytest.approx(leg[key], abs=1e-6)
        assert sum(leg["share"] for leg in told.values()) == pytest.approx(score)
        assert distance == (pytest.approx(1 - dense[key], abs=1e-6) if key in dense else None)


@pytest.mark.parametrize("leg", [{}, {"half_life": 10}, {"pivot": 3}, {"order": "asc"}])
def test_a_column_of_any_name_is_a_prior(connection: psycopg.Connection, leg: dict[str, object]) -> None:
    connection.execute(
        "CREATE TABLE short (id int PRIMARY KEY, n int, v float8, k int, body text);"
        "INSERT INTO short VALUES (1, 5, 1, 9, 'a fox'), (2, 6, 2, 8, 'a fox')"
    )
    connection.execute("SELECT pgsim.create_collection('short', text_columns => '{body}'), pgsim.enable_text('short')")
    for column in ("n", "v", "k"):
        found = connection.execute(
            "SELECT key FROM pgsim.search('short', text_query => 'fox', legs => %s)",
            [json.dumps({"prior": leg | {"column": column}})],
        )
        assert len(found.fetchall()) == 2


def test_a_time_prior_is_the_same_in_every_time_zone(connection: psycopg.Connection) -> None:
    connection.execute(
        "CREATE TABLE news (id int PRIMARY KEY, at timestamp, body text);"
        "INSERT INTO news VALUES (1, '2024-01-01 03:00', 'a fox'), (2, '2024-01-01 09:00', 'a fox')"
    )
    connection.execute("SELECT pgsim.create_collection('news', text_columns => '{body}'), pgsim.enable_text('news')")
    leg = {"prior": {"column": "at", "half_life": "1 hour", "origin": "2024-01-01 03:00"}}
    shares = []
    for zone in ("UTC", "Asia/Tokyo"):
        connection.execute("SELECT set_config('TimeZone', %s, true)", [zone])
        found = connection.execute(
            "SELECT key, details #>> '{legs,prior,score}' FROM pgsim.search('news', text_query => 'fox', legs => %s)",
            [json.dumps(leg)],
        )
        shares.append(sorted(found.fetchall()))
    assert shares[0] == shares[1]
    assert float(str(shares[0][0][1])) == 1


def test_recent_papers_come_first_among_those_that_are_near(papers: Papers) -> None:
    recent = {"column": "published", "half_life": "30 days", "origin": NOW.isoformat()}
    weights = {"dense": 0.7, "recent": 0.3}
    found = papers.search(QUERY, legs={"recent": recent}, weights=weights, **EXACT)
    dense = papers.dense(QUERY)
    decay = {key: 0.5 ** (age / 30) for key, age in AGE.items()}
    expected = fused({"dense": dense, "recent": prior(decay, set(dense))}, weights, scales={"recent": (0, 1)})
    assert [row[0] for row in found] == list(expected)[:10]
    assert [row[1] for row in found] == pytest.approx(list(expected.values())[:10], abs=1e-5)


@pytest.mark.parametrize(
    ("leg", "score", "scale"),
    [
        ({}, lambda n: n, None),
        ({"order": "asc"}, lambda n: -n, None),
        ({"pivot": 20}, lambda n: n / (n + 20), (0, 1)),
        ({"half_life": 10, "origin": 50}, lambda n: 0.5 ** (abs(n - 50) / 10), (0, 1)),
        ({"half_life": 10}, lambda n: 0.5 ** (n / 10), (0, 1)),
        ({"minimum": 0, "maximum": 50}, lambda n: min(n, 50), (0, 50)),
    ],
)
@pytest.mark.parametrize("method", ["minmax", "rrf", "dbsf"])
def test_a_number_is_a_prior(papers: Papers, leg: dict[str, object], score: Any, scale: Any, method: str) -> None:
    found = papers.search(QUERY, legs={"cited": {"column": "cited", **leg}}, fusion=method, k=50, **EXACT)
    dense = papers.dense(QUERY)
    ranked = prior({key: float(score(number)) for key, number in CITED.items()}, set(dense))
    weights = dict.fromkeys(("dense", "cited"), 1.0 if method == "rrf" else 0.5)
    expected = fused({"dense": dense, "cited": ranked}, weights, method, {"cited": scale} if scale else {})
    assert [row[1] for row in found] == pytest.approx(list(expected.values())[:50], abs=1e-5)
    assert [row[0] for row in found] == list(expected)[:50]


def test_what_has_no_finite_value_gets_nothing_from_a_prior(papers: Papers) -> None:
    papers.connection.execute(
        "ALTER TABLE paper ADD weight float8, ADD big numeric, ADD pinned boolean;"
        "UPDATE paper SET weight = 'NaN', big = 10::numeric ^ 4000, pinned = id = 9, published = 'infinity'"
    )
    for column in ("weight", "big", "published"):
        found = papers.search(QUERY, legs={"prior": {"column": column}}, **EXACT)
        assert all(row[4]["legs"].keys() == {"dense"} for row in found)
    pinned = papers.keys(QUERY, legs={"pinned": {"column": "pinned"}}, weights={"dense": 0.1, "pinned": 5}, k=300)
    if "9" in papers.dense(QUERY):
        assert pinned[0] == "9"


def test_a_filter_and_a_condition_hold_for_every_leg(papers: Papers) -> None:
    given: dict[str, object] = {
        "filter": {"lang": "de"},
        "where_sql": "id > ($1->>'id')::int",
        "where_values": {"id": 100},
        "k": 50,
    }
    found = papers.keys(QUERY, legs={"title": TITLE_LEG, "cited": {"column": "cited"}}, **given, **EXACT)
    assert set(found) <= {str(i) for i in range(101, ROWS + 1) if i % 3 == 0}
    assert len(found) == 50


def test_max_distance_holds_for_the_query_and_other_legs_find_what_they_find(papers: Papers) -> None:
    found = papers.search(QUERY, legs={"title": TITLE_LEG}, max_distance=0.3, k=100, **EXACT)
    distances = [row[2] for row in found if row[2] is not None]
    assert 0 < len(distances) < 100
    assert max(distances) <= 0.3
    assert len(found) == 100


def test_as_many_candidates_as_asked_for_are_fused(papers: Papers) -> None:
    told = papers.explain(QUERY, legs={"title": TITLE_LEG}, candidates=20, k=15, **EXACT)
    assert {name: leg["rows"] for name, leg in told["legs"].items()} == {"dense": 20, "title": 20}
    expected = fused(
        {"dense": papers.dense(QUERY, 20), "title": papers.titles(TITLE, 20)}, {"dense": 0.5, "title": 0.5}
    )
    assert papers.keys(QUERY, legs={"title": TITLE_LEG}, candidates=20, k=15, **EXACT) == list(expected)[:15]
    assert told["fusion"] == {"method": "minmax", "candidates": 20}


def test_k_rows_come_whenever_a_leg_has_them(papers: Papers) -> None:
    none = {"query": [0, 0, 0, 0], "embedding": "title", "max_distance": 1e-9}
    assert len(papers.search(QUERY, legs={"none": none}, k=300)) == 300


def test_groups_are_filled_however_deep_their_rows_lie(papers: Papers) -> None:
    """All but the farthest papers are of one venue; 23 venues are found all the same, and capped at two each."""
    order = list(papers.dense(QUERY, ROWS))
    papers.connection.execute("UPDATE paper SET venue = 0 WHERE id::text = ANY(%s)", [order[:260]])
    venues = dict(papers.connection.execute("SELECT id::text, venue FROM paper").fetchall())
    legs = {"cited": {"column": "cited", "pivot": 50}}
    weights = {"dense": 0.9, "cited": 0.1}
    best = papers.search(QUERY, legs=legs, weights=weights, distinct_on="venue", k=23, candidates=30, **EXACT)
    assert sorted(venues[row[0]] for row in best) == sorted(set(venues.values()))
    assert [row[1] for row in best] == sorted((row[1] for row in best), reverse=True)
    two = papers.keys(QUERY, legs=legs, weights=weights, distinct_on="venue", per_group=2, k=30, **EXACT)
    assert len(two) == 30
    assert max([venues[key] for key in two].count(venue) for venue in set(venues.values())) == 2


def test_a_cap_of_groups_keeps_the_order_of_the_search(papers: Papers) -> None:
    order = list(papers.dense(QUERY, ROWS))
    seen: dict[int, int] = {}
    expected = [
        key for key in order if seen.update({int(key) % 23: seen.get(int(key) % 23, 0) + 1}) or seen[int(key) % 23] <= 3
    ]
    assert papers.keys(QUERY, distinct_on="venue", per_group=3, k=60, **EXACT) == expected[:60]


def test_a_leg_of_weight_0_is_not_searched_and_one_leg_alone_is_itself(papers: Papers) -> None:
    alone = papers.search(QUERY, k=20, **EXACT)
    left = papers.search(QUERY, k=20, legs={"title": {"query": [1]}}, weights={"dense": 1, "title": 0}, **EXACT)
    assert left == alone
    title = papers.search(legs={"title": TITLE_LEG}, k=5)
    assert [row[0] for row in title] == list(papers.titles(TITLE, 5))
    assert [row[1] for row in title] == pytest.approx(list(papers.titles(TITLE, 5).values()), abs=1e-6)


def test_a_batch_is_its_searches(papers: Papers) -> None:
    queries = RNG.normal(size=(3, 8)).astype(np.float32)
    text = "{" + ",".join(f'"[{",".join(map(str, query))}]"' for query in queries.tolist()) + "}"
    rows = papers.connection.execute(
        "SELECT query, key, score FROM pgsim.search_batch('paper', %s, legs => %s, k => 5, mode => 'exact')",
        [text, json.dumps({"cited": {"column": "cited", "pivot": 50}})],
    ).fetchall()
    for number, query in enumerate(queries, 1):
        single = papers.search(query, legs={"cited": {"column": "cited", "pivot": 50}}, k=5, **EXACT)
        assert [row[1:] for row in rows if row[0] == number] == [row[:2] for row in single]


def test_what_was_done_is_told_by_leg(papers: Papers) -> None:
    legs = {"title": TITLE_LEG, "cited": {"column": "cited", "pivot": 50}}
    told = papers.explain(QUERY, legs=legs, weights={"dense": 0.5, "title": 0.3, "cited": 0.2}, filter={"lang": "de"})
    assert told["strategy"] == "fusion"
    assert told["fusion"] == {"method": "minmax", "candidates": 200}
    assert told["rows"] == 10
    assert told["complete"] is True
    assert {name: (leg["kind"], leg["weight"], leg["rows"]) for name, leg in told["legs"].items()} == {
        "dense": ("dense", 0.5, 100),
        "title": ("dense", 0.3, 100),
        "cited": ("prior", 0.2, 86),
    }
    assert told["legs"]["title"]["details"]["strategy"] == "exact"
    assert told["legs"]["dense"]["details"]["matches"] == 100
    assert 0 < told["legs"]["dense"]["seconds"] < told["seconds"]["search"]


def test_a_named_fusion_is_used_and_what_the_call_says_goes_before_it(papers: Papers) -> None:
    papers.connection.execute(
        "SELECT pgsim.create_fusion('paper', 'ours', method => 'rrf', weights => '{\"dense\": 1, \"title\": 3}', "
        "rank_constant => 5, candidates => 50)"
    )
    legs = {"dense": papers.dense(QUERY, 50), "title": papers.titles(TITLE, 50)}

    def by_hand(weights: dict[str, float], constant: float) -> list[str]:
        total: dict[str, float] = {}
        for name, leg in legs.items():
            for rank, key in enumerate(leg, 1):
                total[key] = total.get(key, 0) + weights[name] / (constant + rank)
        return sorted(total, key=lambda key: (-total[key], int(key)))[:10]

    given: dict[str, object] = {"legs": {"title": TITLE_LEG}, "fusion": "ours", **EXACT}
    found = papers.search(QUERY, **given)
    assert [row[0] for row in found] == by_hand({"dense": 1, "title": 3}, 5)
    assert found[0][4]["fusion"] == "ours"
    assert papers.keys(QUERY, weights={"dense": 9, "title": 1}, **given) == by_hand({"dense": 9, "title": 1}, 5)
    assert papers.keys(QUERY, rank_constant=70, **given) == by_hand({"dense": 1, "title": 3}, 70)
    assert papers.keys(QUERY, fusion="ours", **EXACT) == list(papers.dense(QUERY, 10))


def test_a_named_fusion_that_keeps_one_leg_searches_only_that_one(papers: Papers) -> None:
    papers.connection.execute("SELECT pgsim.create_fusion('paper', 'one', weights => '{\"dense\": 1, \"title\": 0}')")
    wrong = {"query": [1, 2, 3], "embedding": "title"}
    assert papers.keys(QUERY, legs={"title": wrong}, fusion="one", **EXACT) == list(papers.dense(QUERY, 10))
    # And where that leg is not in the call, the others answer rather than none.
    assert papers.keys(legs={"title": TITLE_LEG}, fusion="one") == list(papers.titles(TITLE, 10))


def test_fusions_are_listed_replaced_and_dropped(papers: Papers) -> None:
    run = papers.connection.execute
    listed = "SELECT collection, name, method, weights, rank_constant, candidates, report FROM pgsim.fusions"
    run("SELECT pgsim.create_fusion('paper', 'ours', report => '{\"mrr\": 0.5}')")
    assert run(listed).fetchall() == [
        ("paper", "ours", "minmax", {"dense": 0.5, "text": 0.5}, None, None, {"mrr": 0.5})
    ]
    run("SELECT pgsim.create_fusion('paper', 'ours', 'rrf', rank_constant => 2, \"replace\" => true)")
    assert run(listed).fetchall()[0][2:5] == ("rrf", {"dense": 0.5, "text": 0.5}, 2)
    run("SELECT pgsim.drop_fusion('paper', 'ours')")
    assert run(listed).fetchall() == []
    run("SELECT pgsim.create_fusion('paper', 'ours'); SELECT pgsim.drop_collection('paper')")
    assert run(listed).fetchall() == []


@pytest.mark.parametrize(
    ("statement", "sqlstate", "says"),
    [
        ("SELECT pgsim.create_fusion('paper', 'a'), pgsim.create_fusion('paper', 'a')", "PS020", "has a fusion 'a'"),
        ("SELECT pgsim.create_fusion('paper', 'rrf')", "PS011", "a method's"),
        ("SELECT pgsim.create_fusion('paper', '')", "PS011", "fusion name"),
        ("SELECT pgsim.create_fusion('paper', 'a', 'borda')", "PS010", "'borda'"),
        ("SELECT pgsim.create_fusion('paper', 'a', weights => '{\"dense\": 0}')", "PS010", "leaves every leg out"),
        ("SELECT pgsim.create_fusion('paper', 'a', weights => NULL)", "PS010", "weights is NULL"),
        ("SELECT pgsim.create_fusion('paper', 'a', candidates => 0)", "PS010", "candidates is 0"),
        ("SELECT pgsim.create_fusion('paper', 'a', rank_constant => 2)", "PS010", "only rrf"),
        ("SELECT pgsim.create_fusion('papers', 'a')", "PS001", "papers"),
        ("SELECT pgsim.drop_fusion('paper', 'a')", "PS009", "no fusion 'a'"),
    ],
)
def test_a_fusion_that_cannot_be_is_refused(papers: Papers, statement: str, sqlstate: str, says: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        papers.connection.execute(statement.encode())
    assert (refused.value.sqlstate, says in str(refused.value)) == (sqlstate, True)
    assert refused.value.diag.message_hint


CITED_LEG: dict[str, object] = {"cited": {"column": "cited"}}


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "says"),
    [
        ({"fusion": "theirs"}, "PS009", "no fusion 'theirs', and it is no method: minmax, relative_score"),
        ({"legs": "[]"}, "PS010", "not an object of legs"),
        ({"legs": {"a": {}}}, "PS010", "leg 'a' is {}; it is an object that has"),
        ({"legs": {"a": {"column": "cited", "text_query": "x"}}}, "PS010", "leg 'a' is"),
        ({"legs": {"a": {"column": "cited", "halflife": 3}}}, "PS010", "no property 'halflife'"),
        ({"legs": {"a": {"column": "cites"}}}, "PS005", "no column 'cites'"),
        ({"legs": {"a": {"column": "lang"}}}, "PS010", "neither a number, a time nor a boolean"),
        ({"legs": {"a": {"column": 3}}}, "PS010", "the column of leg 'a' is no text"),
        ({"legs": {"a": {"text_query": None}}}, "PS010", "the text_query of leg 'a' is no text"),
        ({"legs": {"a": {"column": "cited", "half_life": "soon"}}}, "PS010", "leg 'a' cannot be read"),
        ({"legs": {"a": {"column": "published", "half_life": 3.5}}}, "PS010", "leg 'a'"),
        ({"legs": {"a": {"column": "cited", "half_life": 0}}}, "PS010", "above 0"),
        ({"legs": {"a": {"column": "cited", "half_life": None}}}, "PS010", "above 0"),
        ({"legs": {"a": {"column": "cited", "pivot": -1}}}, "PS010", "above 0"),
        ({"legs": {"a": {"column": "published", "pivot": 1}}}, "PS010", "a time has no pivot"),
        ({"legs": {"a": {"column": "cited", "order": "up"}}}, "PS010", "asc or desc"),
        ({"legs": {"a": {"column": "cited", "order": "asc", "pivot": 1}}}, "PS010", "does not go together"),
        ({"legs": {"a": {"column": "cited", "origin": 1}}}, "PS010", "does not go together"),
        ({"legs": {"a": {"column": "cited", "minimum": 5, "maximum": 5}}}, "PS010", "above its minimum"),
        ({"legs": {"a": {"query": [1, 2]}}}, "PS012", "has 2 dimensions"),
        ({"legs": {"a": {"query": "boat"}}}, "PS013", "the query of leg 'a' is no vector"),
        ({"legs": {"a": {"query": None}}}, "PS013", "is NULL"),
        ({"legs": {"a": {"query": [1], "recall": "much"}}}, "PS010", "leg 'a' cannot be read"),
        ({"legs": {"a": {"query": [1], "recall": 7}}}, "PS010", "recall is 7"),
        ({"legs": {"a": {"query": [1], "embedding": "body"}}}, "PS003", "body"),
        ({"legs": {"a": {"query": [1], "model": "huge"}}}, "PS002", "huge"),
        ({"legs": {"dense": {"query": [1]}}}, "PS010", "so is that of the argument query"),
        ({"legs": {"": {"column": "cited"}}}, "PS011", "leg name ''"),
        ({"legs": CITED_LEG, "fusion": "tmm"}, "PS010", "no least score that is known"),
        ({"legs": CITED_LEG, "weights": {"dense": 1}}, "PS010", "does not name the leg cited"),
        ({"legs": CITED_LEG, "weights": {"dense": 1, "cited": 1, "recent": 1}}, "PS010", "'recent', which is no leg"),
        ({"legs": CITED_LEG, "weights": {"dense": 0, "cited": 1}}, "PS010", "leaves out every leg that finds"),
        ({"legs": CITED_LEG, "weights": "3"}, "PS010", "weights is 3"),
        ({"legs": CITED_LEG, "rank_constant": 3}, "PS010", "only rrf has a constant"),
        ({"legs": CITED_LEG, "candidates": 5}, "PS010", "candidates is 5, and k is 10"),
        ({"legs": CITED_LEG, "candidates": 10001}, "PS010", "candidates is 10001"),
        ({"legs": CITED_LEG, "after": {"distance": 0.1, "key": "1"}}, "PS010", "more is ranked than distances"),
        ({"legs": CITED_LEG, "k": 0}, "PS010", "k is 0"),
        ({"legs": CITED_LEG, "k": 10001}, "PS010", "k is 10001"),
        ({"legs": CITED_LEG, "distinct_on": "venues"}, "PS005", "venues"),
        ({"legs": CITED_LEG, "filter": {"nothing": 1}}, "PS005", "nothing"),
        ({"per_group": 2}, "PS010", "per_group is 2, and distinct_on is not given"),
        ({"per_group": 0, "distinct_on": "venue"}, "PS010", "per_group is 0"),
        ({"text_form": "all"}, "PS010", "there is no text_query"),
        ({"weights": {"dense": 1, "body": 1}}, "PS010", "'body', which is no leg"),
    ],
    ids=lambda given: json.dumps(given)[:70] if isinstance(given, dict) else None,
)
def test_what_cannot_be_searched_is_refused_in_a_sentence(
    papers: Papers, arguments: dict[str, object], sqlstate: str, says: str
) -> None:
    with pytest.raises(psycopg.Error) as refused:
        papers.search(QUERY, **arguments)
    assert refused.value.sqlstate == sqlstate
    assert says in str(refused.value)
    assert refused.value.diag.message_hint


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"legs": CITED_LEG}, "nothing to look for"),
        ({"legs": {"title": TITLE_LEG}, "model": "big"}, "no query vector"),
        ({"legs": {"title": TITLE_LEG}, "max_distance": 0.5}, "no query vector"),
        ({"weights": {"text": 1}}, "nothing to look for"),
    ],
)
def test_without_a_vector_what_only_it_needs_is_refused(
    papers: Papers, arguments: dict[str, object], says: str
) -> None:
    with pytest.raises(psycopg.Error, match=says) as refused:
        papers.search(**arguments)
    assert refused.value.sqlstate == "PS010"


def test_a_half_life_is_where_the_score_is_one_half(papers: Papers) -> None:
    recent = {"column": "published", "half_life": "1 month", "origin": NOW.isoformat()}
    found = papers.search(QUERY, legs={"recent": recent}, k=300)
    ages = {row[0]: row[4]["legs"]["recent"]["score"] for row in found}
    assert all(score == pytest.approx(0.5 ** (AGE[key] / 30)) for key, score in ages.items())
    assert math.isclose(max(ages.values()), 0.5 ** (min(AGE[key] for key in ages) / 30))


def test_without_an_origin_a_recency_is_measured_from_now(papers: Papers) -> None:
    papers.connection.execute("UPDATE paper SET published = now() - interval '10 days'")
    found = papers.search(QUERY, legs={"recent": {"column": "published", "half_life": "10 days"}})
    assert [row[4]["legs"]["recent"]["score"] for row in found] == pytest.approx([0.5] * 10)


def test_an_embedding_needs_a_query_that_it_is_for(papers: Papers) -> None:
    for given in ({"text_query": "boat"}, {"legs": {"title": TITLE_LEG}}):
        with pytest.raises(psycopg.Error, match="embedding, dims") as refused, papers.connection.transaction():
            papers.search(None, embedding="title", **given)
        assert refused.value.sqlstate == "PS010"
