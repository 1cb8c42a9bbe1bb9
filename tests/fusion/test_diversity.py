"""Rows that are good and unlike one another: maximal marginal relevance, compared with its definition in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from papers import ROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from papers import Connection, Papers

RNG = np.random.default_rng(9)
QUERY: NDArray[np.float32] = RNG.normal(size=8).astype(np.float32)


def mmr(connection: Connection, keys: list[str], scores: list[float], **options: object) -> list[tuple[Any, ...]]:
    named = "".join(f", {name} => %({name})s" for name in options)
    statement = f"SELECT * FROM pgsim.mmr('paper', %(keys)s::text[], %(scores)s::float8[]{named})"
    return connection.execute(statement.encode(), {"keys": keys, "scores": scores, **options}).fetchall()


def by_definition(similarity: NDArray[np.float64], scores: list[float], k: int, diversity: float) -> list[int]:
    relevance = (np.array(scores) - min(scores)) / (max(scores) - min(scores))
    chosen: list[int] = []
    while len(chosen) < k:
        nearest = similarity[:, chosen].max(axis=1) if chosen else np.zeros(len(scores))
        gain = (1 - diversity) * relevance - diversity * nearest
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
    return chosen


@pytest.mark.parametrize("diversity", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("embedding", ["default", "title"])
def test_it_is_the_definition(papers: Papers, diversity: float, embedding: str) -> None:
    leg = papers.dense(QUERY, 60)
    keys, scores = list(leg), list(leg.values())
    rows = (papers.default if embedding == "default" else papers.title)[[int(key) - 1 for key in keys]].astype(float)
    if embedding == "default":
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        similarity = unit @ unit.T
    else:
        similarity = 1 / (1 + np.linalg.norm(rows[:, None] - rows[None], axis=2))
    found = mmr(papers.connection, keys, scores, k=12, diversity=diversity, embedding=embedding)
    expected = by_definition(similarity, scores, 12, diversity)
    assert [row[0] for row in found] == [keys[place] for place in expected]
    assert [row[2] for row in found] == list(range(1, 13))
    assert [row[3]["rank"] for row in found] == [place + 1 for place in expected]
    assert [row[3]["score"] for row in found] == pytest.approx([scores[place] for place in expected])
    assert found[1][3]["similarity"] == pytest.approx(similarity[expected[0], expected[1]], abs=1e-6)


def test_a_text_stored_twice_comes_once_among_the_first(papers: Papers) -> None:
    best = list(papers.dense(QUERY, 5))
    papers.connection.execute(
        "UPDATE paper SET embedding = (SELECT embedding FROM paper WHERE id = %s) WHERE id = ANY(%s)",
        [int(best[0]), [int(key) for key in best[1:]]],
    )
    found = papers.connection.execute(
        "SELECT m.key FROM (SELECT array_agg(key ORDER BY rank) AS keys, array_agg(score ORDER BY rank) AS scores "
        "FROM pgsim.search('paper', %s, k => 50, mode => 'exact')) AS s, "
        "pgsim.mmr('paper', s.keys, s.scores, k => 5, diversity => 0.8) AS m ORDER BY m.rank",
        [f"[{','.join(map(str, QUERY.tolist()))}]"],
    ).fetchall()
    assert len({row[0] for row in found} & set(best)) == 1


def test_fewer_rows_than_k_and_none_are_no_errors(papers: Papers) -> None:
    assert [row[0] for row in mmr(papers.connection, ["3", "4"], [0.5, 0.5], k=5)] == ["3", "4"]
    assert mmr(papers.connection, [], []) == []
    assert papers.connection.execute("SELECT * FROM pgsim.mmr('paper', NULL, NULL)").fetchall() == []
    papers.connection.execute("UPDATE paper SET embedding = NULL WHERE id = 3")
    assert [row[0] for row in mmr(papers.connection, ["3", "4", "999"], [0.9, 0.5, 0.4])] == ["4"]


@pytest.mark.parametrize("embedding", ["default", "title"])
def test_rows_that_the_caller_may_not_see_are_left_out(papers: Papers, connection: Connection, embedding: str) -> None:
    connection.execute(
        "CREATE ROLE even_reader; GRANT SELECT ON paper TO even_reader; ALTER TABLE paper ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON paper TO even_reader USING (id % 2 = 0); SELECT pgsim.sync_privileges('paper');"
        "SET LOCAL ROLE even_reader"
    )
    found = mmr(connection, [str(i) for i in range(1, 21)], [1.0] * 20, k=20, embedding=embedding)
    assert sorted(int(row[0]) for row in found) == list(range(2, 21, 2))


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "says"),
    [
        ("'paper', '{1,2}', '{1}'", "PS010", "2 keys and 1 scores"),
        ("'paper', '{1,1}', '{1,1}'", "PS016", "a key twice"),
        ("'paper', '{1,01}', '{1,1}'", "PS016", "written differently"),
        ("'paper', '{one}', '{1}'", "PS016", "cannot be read as"),
        ("'paper', '{1}', '{1}', k => 0", "PS010", "k is 0"),
        ("'paper', '{1}', '{1}', diversity => 1.5", "PS010", "diversity is 1.5"),
        ("'paper', '{1}', '{1}', diversity => NULL", "PS010", "diversity is NULL"),
        ("'papers', '{1}', '{1}'", "PS001", "papers"),
        ("'paper', '{1}', '{1}', embedding => 'body'", "PS003", "body"),
        (
            "'paper', ARRAY(SELECT i::text FROM generate_series(1, 1001) AS i), array_fill(1::float8, '{1001}')",
            "PS010",
            "1001 keys",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(papers: Papers, arguments: str, sqlstate: str, says: str) -> None:
    assert len(papers.default) == ROWS
    with pytest.raises(psycopg.Error) as refused:
        papers.connection.execute(f"SELECT * FROM pgsim.mmr({arguments})".encode())
    assert (refused.value.sqlstate, says in str(refused.value)) == (sqlstate, True)
    assert refused.value.diag.message_hint
