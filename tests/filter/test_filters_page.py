"""Every filter that docs/filters.md shows is one, and finds what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filtered import MATCHING, Table

if TYPE_CHECKING:
    import psycopg

PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text()
FIRST_CELLS = re.findall(r"^\| (`\{.*?`) \|", PAGE, re.MULTILINE)
FILTERS = [filter for cell in FIRST_CELLS for filter in re.findall(r"`(\{.*?\})`", cell)]


@pytest.fixture
def books(connection: psycopg.Connection) -> Table:
    block = re.search(r"^```sql\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert block
    connection.execute(block[1].encode())
    connection.execute(MATCHING)
    return Table(connection, "books")


def test_every_filter_of_the_page_is_taken(books: Table) -> None:
    assert len(FILTERS) > 30
    for filter, outcome in zip(FILTERS, books.outcomes(FILTERS), strict=True):
        assert isinstance(outcome, list), (filter, outcome)


def test_the_page_says_what_is_so(books: Table) -> None:
    assert books.ids({"meta.year": {"$gt": 2000}}) == [2]
    assert books.ids({"$not": {"meta.year": {"$gt": 2000}}}) == [1, 3]
    assert books.ids({"pages": {"$lt": 1e12}}) == [1, 2, 3]
    assert books.ids({"title": {"$like": "100\\%%"}}) == [3]
    assert books.ids({"section": {"$in": []}}) == []
    assert books.ids({"section": {"$nin": []}}) == [1, 2, 3, 4]
    assert books.ids({"publisher.country": "DE", "pages": {"$lt": 100}}) == [1]
    assert books.ids({"publisher.owner.name": {"$in": ["Oak", "Ash"]}}) == [2]
    assert books.ids({"publisher.country": {"$exists": False}}) == [3, 4]
    assert books.ids({"publisher.country": {"$ne": "DE"}}) == [2]
    refusal = books.refusal({"shelf": "lost"})
    assert refusal.sqlstate == "PS015"
    assert refusal.message == "'shelf': 'lost' is not of type public.shelf"
