"""Sparse queries: exact answers, beside other legs, and every wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from cookbook import DIM, ROWS, drawn, make, sparse, upsert
from pgvector import SparseVector

if TYPE_CHECKING:
    from collections.abc import Callable

    from cookbook import Connection, Recipes

QUERIES = drawn(np.random.default_rng(77), 12, 6)
DENSE = "[0.3,-1,0.2,0.5]"


@pytest.mark.parametrize("metric", ["ip", "cosine", "l2"])
def test_the_answer_is_that_of_ranking_every_row(connection: Connection, metric: str) -> None:
    recipes = make(connection, metric)
    for query in QUERIES:
        recipes.is_right(query)
        recipes.is_right(query, k=500)
        recipes.is_right(query, kind="cake", k=30)


def test_a_row_that_shares_nothing_with_the_query_does_not_match(recipes: Recipes) -> None:
    query = QUERIES[0]
    sharing = {str(i + 1) for i in range(ROWS) if recipes.vectors[i] @ query > 0}
    assert {row[0] for row in recipes.search(query, k=1000)} == sharing
    assert 0 < len(sharing) < ROWS


def test_a_row_tells_its_rank_and_score(recipes: Recipes) -> None:
    row = recipes.search(QUERIES[1], k=1)[0]
    assert row[1] == -row[2]
    assert row[4] == {"strategy": "sparse", "legs": {"sparse": {"rank": 1, "score": row[1], "strategy": "exact"}}}


def test_negative_weights_count_against_a_row(connection: Connection) -> None:
    rng = np.random.default_rng(3)
    vectors = drawn(rng) * rng.choice([-1, 1], size=(ROWS, DIM)).astype(np.float32)
    recipes = make(connection, vectors=vectors)
    for query in drawn(rng, 6) * rng.choice([-1, 1], size=(6, DIM)).astype(np.float32):
        recipes.is_right(query, k=20)


def test_it_is_a_leg_beside_a_vector_and_words(recipes: Recipes) -> None:
    recipes.connection.execute("SELECT pgsim.enable_text('recipe')")
    weights = {"dense": 0.2, "text": 0.3, "sparse": 0.5}
    both = {"query": DENSE, "text_query": "recipe 17", "weights": weights, "mode": "exact"}
    found = recipes.search(QUERIES[2], k=5, **both)
    assert set().union(*(row[4]["legs"] for row in found)) == {"dense", "text", "sparse"}
    for row in found:
        assert row[1] == pytest.approx(sum(leg["share"] for leg in row[4]["legs"].values()))
    alone = {row[0]: (row[3], row[1]) for row in recipes.search(QUERIES[2], k=200)}
    told = {row[0]: row[4]["legs"]["sparse"] for row in found if "sparse" in row[4]["legs"]}
    assert told
    assert {key: (leg["rank"], leg["score"]) for key, leg in told.items()} == {key: alone[key] for key in told}
    legs = recipes.explain(QUERIES[2], **both)["legs"]
    assert {name: leg["kind"] for name, leg in legs.items()} == {"dense": "dense", "text": "text", "sparse": "sparse"}
    assert legs["sparse"]["details"]["strategy"] == "exact"


@pytest.mark.parametrize("fusion", ["minmax", "tmm", "dbsf", "rrf"])
def test_every_fusion_takes_it(recipes: Recipes, fusion: str) -> None:
    found = recipes.search(QUERIES[2], query=DENSE, fusion=fusion)
    assert len(found) == 10
    assert any("sparse" in row[4]["legs"] for row in found)


def test_a_query_that_finds_nothing_leaves_the_others_to_answer(recipes: Recipes) -> None:
    nothing = SparseVector({}, DIM)
    dense = recipes.connection.execute("SELECT key FROM pgsim.search('recipe', %s)", [DENSE]).fetchall()
    assert [(row[0],) for row in recipes.search(nothing, query=DENSE)] == dense
    assert recipes.search(nothing) == []


def test_legs_of_their_own_name_their_model(recipes: Recipes) -> None:
    leg = {"sparse_query": sparse(QUERIES[3]).to_text(), "model": "terms", "embedding": "sparse"}
    by_leg = recipes.search(None, legs={"terms": leg})
    assert [(row[0], row[1]) for row in by_leg] == [(row[0], row[1]) for row in recipes.search(QUERIES[3])]
    assert {row[4]["strategy"] for row in by_leg} == {"sparse"}


def test_the_sparse_embedding_is_found_by_itself_where_there_is_one(
    recipes: Recipes, refused: Callable[..., str]
) -> None:
    expected = recipes.search(QUERIES[1])
    assert recipes.search(QUERIES[1], embedding="sparse") == expected
    assert recipes.search(QUERIES[1], model="terms") == expected
    recipes.connection.execute(
        "SELECT pgsim.create_embedding('recipe', 'more', '{body}');"
        "SELECT pgsim.create_version('recipe', 'terms', 'more')"
    )
    query = sparse(QUERIES[1]).to_text()
    search = "SELECT * FROM pgsim.search('recipe', sparse_query => %s)"
    assert "several embeddings of sparse vectors" in refused("PS010", search, query)
    assert recipes.search(QUERIES[1], embedding="more") == []
    assert recipes.search(QUERIES[1], embedding="sparse") == expected


def test_of_each_value_of_a_column_the_best_row_comes(recipes: Recipes) -> None:
    found = recipes.search(QUERIES[1], distinct_on="kind")
    best = {
        kind: recipes.expected(QUERIES[1], 1, lambda i, kind=kind: recipes.kind(i) == kind) for kind in ("soup", "cake")
    }
    assert {row[0] for row in found} == {key for [(key, _)] in best.values()}


def test_conditions_in_sql_hold(recipes: Recipes) -> None:
    found = recipes.search(QUERIES[1], where_sql="id % ($1->>'n')::int = 0", where_values={"n": 3}, k=50)
    assert [row[0] for row in found] == [key for key, _ in recipes.expected(QUERIES[1], 50, lambda i: (i + 1) % 3 == 0)]


def test_many_queries_are_answered_in_one_call(recipes: Recipes) -> None:
    texts = [sparse(query).to_text() for query in QUERIES[:3]]
    rows = recipes.connection.execute(
        "SELECT query, key FROM pgsim.search_batch('recipe', sparse_queries => %s::sparsevec[], k => 4)", [texts]
    ).fetchall()
    for number, query in enumerate(QUERIES[:3], 1):
        assert [key for place, key in rows if place == number] == [row[0] for row in recipes.search(query, k=4)]


def test_parents_are_ranked_by_their_best_rows(recipes: Recipes) -> None:
    rows = recipes.connection.execute(
        "SELECT key, score FROM pgsim.search_parents('recipe', 'kind', sparse_query => %s) ORDER BY rank",
        [sparse(QUERIES[1]).to_text()],
    ).fetchall()
    assert rows == [(recipes.kind(int(row[0]) - 1), row[1]) for row in recipes.search(QUERIES[1], distinct_on="kind")]


def test_a_version_may_be_searched_before_it_is_active(recipes: Recipes) -> None:
    recipes.connection.execute(
        "SELECT pgsim.create_model('newer', 300, 'ip', 'sparsevec'), pgsim.create_version('recipe', 'newer', 'sparse')"
    )
    recipes.connection.execute(
        """SELECT pgsim.upsert('recipe', 'newer', '{9}', NULL, 'sparse', sparse_vectors => '{"{1:1}/300"}')"""
    )
    assert [row[0] for row in recipes.search(SparseVector({0: 1}, DIM), model="newer")] == ["9"]


@pytest.mark.parametrize(
    ("sqlstate", "said", "arguments"),
    [
        ("PS012", "has 7 dimensions", "sparse_query => '{1:1}/7'"),
        ("PS012", "is sparse", "query => '[1,2,3,4]', embedding => 'sparse'"),
        ("PS012", "is dense", "sparse_query => '{1:1}/300', model => 'small'"),
        ("PS010", "mode is 'codes'", "sparse_query => '{1:1}/300', mode => 'codes'"),
        ("PS010", "max_distance", "sparse_query => '{1:1}/300', max_distance => 1"),
        ("PS010", "after is given", """sparse_query => '{1:1}/300', after => '{"distance": 1, "key": "1"}'"""),
        ("PS010", "names a leg 'sparse'", """sparse_query => '{1:1}/300', legs => '{"sparse": {"column": "id"}}'"""),
        ("PS010", "sparse_query of leg 's' is no text", """legs => '{"s": {"sparse_query": [1, 2]}}'"""),
        ("PS013", "is no sparse vector", """legs => '{"s": {"sparse_query": "1:2"}}'"""),
        ("PS010", "has no property 'dims'", """legs => '{"s": {"sparse_query": "{1:1}/300", "dims": 3}}'"""),
        ("PS003", "no embedding", "sparse_query => '{1:1}/300', embedding => 'none'"),
        ("PS002", "not registered", "sparse_query => '{1:1}/300', model => 'none'"),
        ("PS010", "recall is 7", "sparse_query => '{1:1}/300', recall => 7"),
    ],
)
def test_what_does_not_fit_is_refused(
    recipes: Recipes, refused: Callable[..., str], sqlstate: str, said: str, arguments: str
) -> None:
    assert said in refused(sqlstate, f"SELECT * FROM pgsim.search('recipe', {arguments})")


def test_without_sparse_vectors_there_is_nothing_to_search(recipes: Recipes, refused: Callable[..., str]) -> None:
    recipes.connection.execute("SELECT pgsim.drop_embedding('recipe', 'sparse')")
    search = "SELECT * FROM pgsim.search('recipe', sparse_query => '{1:1}/300')"
    assert "no active version under a sparse model" in refused("PS004", search)


def test_policies_and_grants_of_the_table_hold(recipes: Recipes) -> None:
    connection = recipes.connection
    connection.execute(
        "CREATE ROLE cook; CREATE ROLE stranger; GRANT SELECT ON recipe TO cook;"
        "ALTER TABLE recipe ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON recipe TO cook USING (kind = 'cake');"
        "SELECT pgsim.sync_privileges('recipe'); SET LOCAL ROLE cook"
    )
    found = recipes.search(QUERIES[1], k=300)
    assert [row[0] for row in found] == [
        key for key, _ in recipes.expected(QUERIES[1], 300, lambda i: recipes.kind(i) == "cake")
    ]
    connection.execute("SET LOCAL ROLE stranger")
    with pytest.raises(psycopg.Error) as raised, connection.transaction():
        recipes.search(QUERIES[1])
    assert raised.value.sqlstate == "PS032"


def test_rows_stored_under_a_composite_key_are_found(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE part (shop int, code text, PRIMARY KEY (shop, code)); INSERT INTO part VALUES (1, 'a'), (2, 'b');"
        "SELECT pgsim.create_collection('part'); SELECT pgsim.create_model('terms', 9, 'ip', 'sparsevec');"
        "SELECT pgsim.create_version('part', 'terms')"
    )
    keys = ['{"shop": 1, "code": "a"}', '{"shop": 2, "code": "b"}']
    connection.execute(
        """SELECT pgsim.upsert('part', 'terms', %s, sparse_vectors => '{"{1:1}/9","{2:1}/9"}')""", [keys]
    )
    found = connection.execute(
        "SELECT key::json->>'code' FROM pgsim.search('part', sparse_query => '{2:5}/9')"
    ).fetchall()
    assert found == [("b",)]


def test_an_upsert_takes_the_place_of_what_was_there(recipes: Recipes) -> None:
    upsert(recipes.connection, ["7"], [sparse(100 * QUERIES[0])])
    recipes.vectors[6] = 100 * QUERIES[0]
    assert recipes.is_right(QUERIES[0])[0][0] == "7"
