"""While rows move from one model to another, one search answers from both; at either end it is the plain search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pgsim import Database, Hit

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from numpy.typing import NDArray

    from pgsim.errors import PgsimError

    Refused = Callable[..., PgsimError]

ROWS = 300
RANDOM = np.random.default_rng(5)
OLD: NDArray[np.float32] = RANDOM.normal(size=(ROWS, 8)).astype(np.float32)
# The new model sees what the old one saw, turned and with some noise.
NEW: NDArray[np.float32] = (OLD @ RANDOM.normal(size=(8, 6)) + 0.3 * RANDOM.normal(size=(ROWS, 6))).astype(np.float32)


TABLE = b"""
CREATE TABLE points (id int PRIMARY KEY, colour text, text text);
INSERT INTO points SELECT i, CASE WHEN i % 10 = 0 THEN 'red' ELSE 'blue' END, 'text ' || i
FROM generate_series(0, 299) AS i;
SELECT pgsim.create_collection('points', text_columns => '{text}', filter_columns => '{colour}');
SELECT pgsim.create_model('old', 8), pgsim.create_model('new', 6, metric => 'l2');
SELECT pgsim.create_version('points', 'old'), pgsim.create_version('points', 'new');
"""


@pytest.fixture
def points(connection: psycopg.Connection) -> Database:
    """Three hundred points; all have a vector of the old model."""
    connection.execute(TABLE)
    database = Database(connection)
    database.upsert("points", "old", range(ROWS), OLD)
    return database


def move(points: Database, keys: NDArray[np.int64]) -> None:
    if keys.size:
        points.upsert("points", "new", keys.tolist(), NEW[keys])


def queries(row: int) -> dict[str, Any]:
    return {"old": OLD[row] + 0.1, "new": NEW[row] + 0.1}


def same(hits: list[Hit], others: list[Hit]) -> bool:
    return [(h.key, h.distance, h.score, h.rank) for h in hits] == [
        (h.key, h.distance, h.score, h.rank) for h in others
    ]


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("filter", [None, {"colour": "red"}])
def test_with_no_row_moved_and_with_all_it_is_the_plain_search(
    points: Database, index: bool, filter: dict[str, str] | None
) -> None:
    if index:
        points.create_index("points", "old")
        points.create_index("points", "new")
    for row in range(5):
        mixed = points.search_versions("points", queries(row), k=7, filter=filter)
        assert same(mixed, points.search("points", queries(row)["old"], k=7, filter=filter))
    move(points, np.arange(ROWS))
    for row in range(5):
        mixed = points.search_versions("points", queries(row), k=7, filter=filter)
        assert same(mixed, points.search("points", queries(row)["new"], k=7, filter=filter, model="new"))
        back = points.search_versions("points", queries(row), k=7, filter=filter, target="old")
        assert same(back, points.search("points", queries(row)["old"], k=7, filter=filter))


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.75, 0.99])
def test_each_row_is_ranked_in_its_own_space_and_none_is_missing(points: Database, share: float) -> None:
    moved = RANDOM.permutation(ROWS)[: int(share * ROWS)]
    move(points, moved)
    here = {str(key) for key in moved}
    for row in range(5):
        given = queries(row)
        hits = points.search_versions("points", given, k=250)
        assert len({hit.key for hit in hits}) == 250
        for model, mine in (
            ("new", [h for h in hits if h.key in here]),
            ("old", [h for h in hits if h.key not in here]),
        ):
            assert all(hit.details["model"] == model for hit in mine)
            alone = points.search("points", given[model], k=ROWS, model=model, mode="exact")
            theirs = [hit.key for hit in alone if (hit.key in here) == (model == "new")]
            assert [hit.key for hit in mine] == theirs[: len(mine)]
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_the_share_of_moved_rows_in_an_answer_is_that_around_the_query(points: Database) -> None:
    move(points, RANDOM.permutation(ROWS)[: ROWS // 2])
    found = [hit for row in range(20) for hit in points.search_versions("points", queries(row), k=20)]
    of_new = sum(hit.details["model"] == "new" for hit in found) / len(found)
    assert 0.4 < of_new < 0.6


def test_a_few_rows_left_behind_far_away_are_found(points: Database) -> None:
    """More rows match than lists are deep, all nearer ones have moved, and the last ones are asked for."""
    with points.connection() as connection:
        old, new = (row[0] for row in connection.execute("SELECT relation::text FROM pgsim.versions ORDER BY id"))
        connection.execute(f"""
            INSERT INTO points SELECT i, 'blue', 'text' FROM generate_series(300, 11000) AS i;
            INSERT INTO {old} SELECT i, '[1,1,1,1,1,1,1,1]' FROM generate_series(300, 11000) AS i;
            UPDATE {old} SET embedding = '[-1,-1,-1,-1,-1,-1,-1,-1]' WHERE key IN (0, 10);
            INSERT INTO {new} SELECT i, '[1,1,1,1,1,1]' FROM generate_series(300, 11000) AS i
        """)
    move(points, np.array([20]))
    query = {"old": np.ones(8), "new": np.ones(6)}
    narrow = "id IN (0, 10, 20) OR id > 500"
    hits = points.search_versions("points", query, k=10_000, where_sql=narrow)
    assert len(hits) == 10_000
    with points.connection() as connection:
        connection.execute("DELETE FROM points WHERE id > 10498")
    hits = points.search_versions("points", query, k=10_000, where_sql="id IN (0, 10) OR id > 500")
    assert len(hits) == 10_000
    assert [hit.key for hit in hits if hit.details["model"] == "old"] == ["0", "10"]


def test_filters_conditions_and_policies_hold(points: Database, connection: psycopg.Connection) -> None:
    move(points, np.arange(0, ROWS, 2))
    red = points.search_versions("points", queries(1), k=100, filter={"colour": "red"})
    assert {int(hit.key) for hit in red} == set(range(0, ROWS, 10))
    odd = points.search_versions(
        "points", queries(1), k=400, where_sql="id % 3 = ($1->>'rest')::int", where_values={"rest": 1}
    )
    assert {int(hit.key) for hit in odd} == set(range(1, ROWS, 3))
    connection.execute(
        "CREATE ROLE mixed_reader; GRANT SELECT ON points TO mixed_reader;"
        "ALTER TABLE points ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY few ON points FOR SELECT USING (id BETWEEN 5 AND 12);"
        "SELECT pgsim.sync_privileges('points'); SET LOCAL ROLE mixed_reader"
    )
    assert {int(hit.key) for hit in points.search_versions("points", queries(1), k=50)} == set(range(5, 13))


@pytest.mark.parametrize(
    ("sqlstate", "arguments"),
    [
        ("PS001", "'none', '{\"old\": [1]}'"),
        ("PS002", "'points', '{\"it''s %s\": [1]}'"),
        ("PS010", "'points', NULL"),
        ("PS010", "'points', '{}'"),
        ("PS010", "'points', '[1]'"),
        ("PS010", "'points', '{\"old\": 1}'"),
        ("PS010", "'points', '{\"old\": [1,1,1,1,1,1,1,1]}', target => 'new'"),
        ("PS010", "'points', '{\"old\": [1,1,1,1,1,1,1,1]}', k => 0"),
        ("PS012", "'points', '{\"old\": [1]}'"),
        ("PS013", "'points', '{\"old\": [\"a\"]}'"),
        ("PS014", "'points', '{\"old\": [1,1,1,1,1,1,1,1]}', filter => '{\"$x\": 1}'"),
    ],
)
def test_what_cannot_be_searched_says_why(points: Database, refused: Refused, sqlstate: str, arguments: str) -> None:
    refused(sqlstate, f"SELECT * FROM pgsim.search_versions({arguments})")
