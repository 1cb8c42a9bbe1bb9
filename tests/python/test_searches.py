"""The options of a search from Python, many searches in one call, and what measures them."""

from __future__ import annotations

import datetime
import inspect
import math
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

import pgsim
from pgsim import calls, errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.type_checker import TypeCheck
    from numpy.typing import NDArray

ROWS, DIM = 400, 8
RNG = np.random.default_rng(3)
VECTORS: NDArray[np.float32] = RNG.normal(size=(ROWS, DIM)).astype(np.float32)
QUERIES: NDArray[np.float32] = RNG.normal(size=(5, DIM)).astype(np.float32)


@pytest.fixture(scope="module")
def items_dsn(server: Any, template: str) -> Iterator[str]:
    with server.database("items", template) as name:
        dsn = server.dsn(name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE items (id int PRIMARY KEY, section text, size int)")
            connection.execute(
                "INSERT INTO items SELECT i, 's' || mod(i, 7), i FROM generate_series(1, %s) AS i", [ROWS]
            )
        with pgsim.Database(dsn) as db:
            db.create_collection("items", filter_columns=["section"])
            db.create_model("m", DIM)
            db.create_version("items", "m")
            db.upsert("items", "m", range(1, ROWS + 1), VECTORS)
            db.create_index("items")
            with db.connection() as connection:
                connection.execute("ANALYZE items")
        yield dsn


@pytest.fixture
def db(items_dsn: str) -> Iterator[pgsim.Database]:
    with pgsim.Database(items_dsn) as database:
        yield database


def nearest(query: NDArray[np.float32], keep: NDArray[np.bool_] | None = None) -> list[str]:
    """Brute force: keys in the order of their cosine distance."""
    similar = VECTORS @ query / np.linalg.norm(VECTORS, axis=1)
    order = np.argsort(-similar, kind="stable")
    return [str(i + 1) for i in order if keep is None or keep[i]]


def test_pages_follow_one_another_and_together_are_the_whole(db: pgsim.Database) -> None:
    page, found = db.search("items", QUERIES[0], k=7, mode="exact"), list[pgsim.Hit]()
    while page:
        found += page
        page = db.search("items", QUERIES[0], k=7, mode="exact", after=page[-1]) if len(found) < 100 else []
    assert [hit.key for hit in found] == nearest(QUERIES[0])[: len(found)]
    assert [hit.rank for hit in found] == list(range(1, len(found) + 1))


def test_after_takes_a_hit_and_whatever_has_its_distance_key_and_rank(db: pgsim.Database) -> None:
    last = db.search("items", QUERIES[0], k=3, mode="exact")[-1]
    place: dict[str, object] = {"distance": last.distance, "key": last.key, "rank": last.rank}
    expected = nearest(QUERIES[0])[3:6]
    for after in (last, place, place | {"score": last.score}, namedtuple("Row", place)(**place)):
        assert [hit.key for hit in db.search("items", QUERIES[0], k=3, after=after)] == expected
    unranked = db.search("items", QUERIES[0], k=3, after={"distance": last.distance, "key": last.key})
    assert [(hit.key, hit.rank) for hit in unranked] == list(zip(expected, [1, 2, 3], strict=True))


def test_no_row_is_farther_than_asked(db: pgsim.Database) -> None:
    everything = db.search("items", QUERIES[0], k=ROWS, mode="exact")
    near = db.search("items", QUERIES[0], k=ROWS, max_distance=everything[20].distance)
    assert [hit.key for hit in near] == [hit.key for hit in everything[:21]]


def test_distinct_on_gives_the_best_of_each_value(db: pgsim.Database) -> None:
    found = db.search("items", QUERIES[0], k=7, distinct_on="section")
    best = {int(key) % 7: key for key in reversed(nearest(QUERIES[0]))}
    assert {hit.key for hit in found} == set(best.values())


def test_codes_serve_a_condition_in_sql_whose_columns_are_told(db: pgsim.Database) -> None:
    told = db.explain_search(
        "items",
        QUERIES[0],
        mode="codes",
        recall=0.99,
        where_sql="section = ($1->>'s')",
        where_values={"s": "s3"},
        where_columns=["section"],
    )
    assert told["strategy"] == "codes"
    assert told["recall"] == 0.99
    with pytest.raises(errors.InvalidArgument, match="where_columns"):
        db.search("items", QUERIES[0], mode="codes", where_sql="section = 's3'")


def test_many_searches_in_one_call_are_each_search_alone(db: pgsim.Database) -> None:
    filter = {"section": {"$in": ["s1", "s2"]}}
    batch = db.search_batch("items", QUERIES, k=4, filter=filter, mode="exact")
    assert batch == [db.search("items", query, k=4, filter=filter, mode="exact") for query in QUERIES]


def test_a_query_that_finds_nothing_has_an_empty_list(db: pgsim.Database) -> None:
    assert db.search_batch("items", QUERIES, filter={"section": "none"}) == [[]] * 5
    assert db.search_batch("items", []) == []
    assert db.search_batch("items", np.empty((0, DIM), np.float32)) == []
    with pytest.raises(errors.UnknownCollection):
        db.search_batch("nothing", [])
    with pytest.raises(errors.InvalidVector, match=r"shape must be \(n, d\)"):
        db.search_batch("items", QUERIES[0])


@pytest.mark.parametrize("recall", [1, 0.9, np.float32(0.75), np.float64(0.9), np.int64(1), Fraction(9, 10)], ids=repr)
def test_a_share_is_any_finite_number(db: pgsim.Database, recall: Any) -> None:
    assert len(db.search("items", QUERIES[0], recall=recall)) == 10


@pytest.mark.parametrize(
    "options",
    [
        {"recall": math.nan},
        {"recall": math.inf},
        {"recall": "0.9"},
        {"recall": True},
        {"recall": Decimal("0.9")},
        {"recall": 10**400},
        {"recall": 1.5},
        {"max_distance": -math.inf},
        {"max_distance": [0.5]},
        {"max_distance": np.float32("nan")},
        {"k": 2.5},
        {"k": 10.0},
        {"k": True},
        {"k": 2**40},
        {"dims": 8},
        {"dims": [2.5]},
        {"dims": "8"},
        {"where_columns": "section", "where_sql": "true"},
        {"after": "3"},
        {"after": {}},
        {"after": {"key": "3"}},
        {"after": {"distance": math.nan, "key": "3"}},
        {"after": {"distance": 0.5, "key": 3}},
        {"after": {"distance": 0.5, "key": "3", "rank": 0}},
        {"after": {"distance": 0.5, "key": "3", "rank": 1.5}},
        {"mode": "fast"},
    ],
    ids=lambda options: repr(options)[:60],
)
def test_an_option_that_cannot_be_is_an_invalid_argument(db: pgsim.Database, options: dict[str, Any]) -> None:
    for call in (db.search, db.explain_search):
        with pytest.raises(errors.InvalidArgument) as refused:
            call("items", QUERIES[0], **options)
        assert refused.value.hint


def test_a_misspelt_option_is_refused_as_python_does(db: pgsim.Database) -> None:
    for name in ("limit", 'k" => 3) --'):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            db.search("items", QUERIES[0], **{name: 3})  # type: ignore[arg-type]


def test_help_shows_every_option_with_its_default() -> None:
    shown = inspect.signature(pgsim.Database.search).parameters
    assert list(shown) == [
        *("self", "collection", "query", "k", "filter", "model", "embedding", "recall", "mode"),
        *("fusion", "weights", "text_form", "legs", "rank_constant", "candidates", "text_query"),
        *("dims", "oversample", "max_distance", "after", "per_group"),
        *("where_sql", "where_values", "where_columns", "distinct_on", "sparse_query"),
    ]
    assert [shown[name].default for name in ("k", "mode", "embedding", "recall")] == [10, "auto", "default", None]
    for call in (calls.explain_search, calls.search_text):
        assert list(inspect.signature(call).parameters)[-22:] == list(shown)[-22:]
    batched = inspect.signature(calls.search_batch).parameters
    assert set(batched) == set(shown) - {"self", "query", "text_query", "sparse_query"} | {
        *("queries", "text_queries", "sparse_queries"),
    }


def test_recall_of_exact_searches_is_one(db: pgsim.Database) -> None:
    got = db.recall("items", mode="exact", sample=20, filter={"section": "s1"})
    assert (got.searches, got.mean_recall, got.low, got.high, got.worst, got.short) == (20, 1, 1, 1, 1, 0)
    assert got.strategies == {"exact": 20}
    assert db.recall("items", QUERIES, recall=0.9, k=3).searches == len(QUERIES)


def test_health_measures_and_says_what_to_do(db: pgsim.Database) -> None:
    measures = {each.measure: each for each in db.health("items", sample=200)}
    assert measures["sampled_rows"].value == 200
    assert {each.verdict for each in measures.values()} <= {"ok", "note", "warning"}
    with pytest.raises(errors.InvalidArgument, match="sample"):
        db.health("items", sample=0)


def test_a_calibration_tells_how_far_it_is_and_is_stored(db: pgsim.Database) -> None:
    seen: list[tuple[int, int]] = []
    told = db.calibrate("items", sample=12, progress=lambda done, total: seen.append((done, total)))
    assert told["collection"] == "items"
    assert seen == [(done, seen[0][1]) for done in range(seen[0][1] + 1)]
    assert str(db.explain_search("items", QUERIES[0])["calibration"]).startswith("of 2")
    db.calibrate("items", np.concatenate([QUERIES] * 3), model="m")
    with pytest.raises(errors.UnknownModel):
        db.calibrate("items", model="other")
    with pytest.raises(errors.WrongState, match="ten are the least"):
        db.calibrate("items", QUERIES)


async def test_a_calibration_is_the_same_to_be_awaited(items_dsn: str) -> None:
    seen: list[int] = []
    async with pgsim.AsyncDatabase(items_dsn) as db:
        await db.calibrate("items", sample=10, progress=lambda done, total: seen.append(done))
        assert seen[-1] == len(seen) - 1
        assert (await db.recall("items", sample=3)).searches == 3
        assert len(await db.search_batch("items", QUERIES, k=2, recall=0.8)) == len(QUERIES)


def test_searches_are_recorded_from_now_on_and_forgotten(db: pgsim.Database) -> None:
    db.record_searches("items", share=1)
    db.search("items", QUERIES[0], filter={"section": "s1"})
    db.search_batch("items", QUERIES)
    db.record_searches("items", share=0, audit_share=0.0, values=False)
    db.search("items", QUERIES[0])
    assert db.forget_searches("items", before=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)) == 0
    assert db.forget_searches("items") == 1 + len(QUERIES)
    for share in (1.5, math.nan, "1"):
        with pytest.raises(errors.InvalidArgument, match="share is"):
            db.record_searches("items", share=share)  # type: ignore[arg-type]


SNIPPET = """
import numpy as np
import pgsim

def use(db: pgsim.Database, q: list[float]) -> None:
    page = db.search("items", q, k=3, filter={"size": {"$lt": 3}}, recall=1, max_distance=0.5, dims=[64])
    reveal_type(page)
    reveal_type(db.search("items", np.ones(3), after=page[-1], distinct_on="section"))
    reveal_type(db.search_batch("items", [q, q], after={"distance": 0.5, "key": "3"}))
    reveal_type(db.explain_search("items", q, where_sql="true", where_columns=["section"]))
    reveal_type(db.recall("items", sample=3))
    db.search("items", q, limit=3)
    db.search("items", q, k="3")
    db.search("items", q, after=3)
    db.recall("items", max_distance=3)

async def use_async(db: pgsim.AsyncDatabase, q: list[float]) -> None:
    reveal_type(await db.search("items", q, k=3))
    await db.search("items", q, limit=3)
"""

REVEALED = [
    "list[pgsim.calls.Hit]",
    "list[pgsim.calls.Hit]",
    "list[list[pgsim.calls.Hit]]",
    "dict[str, object]",
    "pgsim.calls.Recall",
    "list[pgsim.calls.Hit]",
]


@pytest.mark.slow
def test_a_type_checker_knows_every_option(type_check: TypeCheck) -> None:
    checked = type_check(SNIPPET)
    assert checked.revealed == REVEALED, checked.output
    assert {line for line, _ in checked.errors} == {12, 13, 14, 15, 19}, checked.output
