"""Hostile keys and values in filters: refused with an SQLSTATE of pgsim, or literals that find their equals."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import psycopg
import pytest
from fortress import Gave, Refusal
from strings import hostile_strings, nested

if TYPE_CHECKING:
    from collections.abc import Callable

    from fortress import Fortress

COLUMNS = {"id", "name", "size", "token", "tags", "meta", "embedding"}
SEARCH = """
SELECT coalesce(jsonb_agg(key::int ORDER BY key::int), '[]')
FROM pgsim.search('victims', '[1,0]', k => 1000, mode => 'exact', filter => $1)
"""


def refused(sqlstates: set[str], outcome: Gave | Refusal) -> bool:
    return isinstance(outcome, Refusal) and outcome.sqlstate in sqlstates and bool(outcome.message and outcome.hint)


def equal_to(fortress: Fortress, text: str) -> list[int]:
    return [i for i, name in enumerate(fortress.names) if name == text]


LITERAL: dict[str, Callable[[str], object]] = {
    "equality": lambda text: {"name": text},
    "$eq": lambda text: {"name": {"$eq": text}},
    "$in": lambda text: {"name": {"$in": [text, None]}},
    "$between": lambda text: {"name": {"$between": [text, text]}},
    "$not $ne": lambda text: {"$or": [{"$not": {"name": {"$ne": text}}}]},
    "array element": lambda text: {"tags": {"$overlap": [text, text]}, "size": {"$gte": 0}},
    "json value": lambda text: {"meta.k": text},
    "json list": lambda text: {"meta.k": {"$in": [text]}},
    "json object": lambda text: {"meta": {"$contains": {text: text, "k": text}}},
}


@pytest.mark.parametrize("filter_of", LITERAL.values(), ids=LITERAL)
def test_a_hostile_value_finds_the_rows_that_hold_it(
    fortress: Fortress, filter_of: Callable[[str], object], share: slice
) -> None:
    texts = [*fortress.names[share], *hostile_strings(700, seed=2)[share]]
    outcomes = fortress.attack(SEARCH, [filter_of(text) for text in texts])
    for text, outcome in zip(texts, outcomes, strict=True):
        assert outcome == Gave(equal_to(fortress, text)), text


MISFIT: dict[str, Callable[[str], object]] = {
    "number": lambda text: {"size": text},
    "number of several": lambda text: {"size": {"$in": [1, text]}},
    "uuid": lambda text: {"token": {"$lt": text}},
    "uuids": lambda text: {"token": {"$nin": ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", text]}},
    "exists": lambda text: {"name": {"$exists": text}},
    "list": lambda text: {"name": {"$in": text}},
    "object": lambda text: {"name": {"$gt": {text: text}}},
}


@pytest.mark.parametrize("filter_of", MISFIT.values(), ids=MISFIT)
def test_a_hostile_value_of_the_wrong_type_is_refused(
    fortress: Fortress, filter_of: Callable[[str], object], share: slice
) -> None:
    texts = hostile_strings(600, seed=3)[share]
    for text, outcome in zip(texts, fortress.attack(SEARCH, [filter_of(text) for text in texts]), strict=True):
        assert refused({"PS014", "PS015"}, outcome), (text, outcome)


STRANGE: dict[str, Callable[[str], object]] = {
    "key": lambda text: {text: 1},
    "key in $or": lambda text: {"$or": [{"size": 1}, {"$not": {text: "a"}}]},
    "operator": lambda text: {"name": {text: "a"}},
    "operator beside another": lambda text: {"name": {"$eq": "a", text: "a"}},
    "path into text": lambda text: {f"name.{text}": "a"},
    "operator on json": lambda text: {"meta": {"$eq": "a", f"${text}": "a"}},
    "the filter itself": lambda text: text,
    "list of filters": lambda text: {"$and": [text]},
}


@pytest.mark.parametrize("filter_of", STRANGE.values(), ids=STRANGE)
def test_a_hostile_key_is_refused(fortress: Fortress, filter_of: Callable[[str], object], share: slice) -> None:
    known = COLUMNS | {"$and", "$or", "$not", "$eq", "$in"}
    texts = [text for text in hostile_strings(700, seed=4) if text not in known and not text.startswith("meta.")]
    assert len(texts) > 650
    texts = texts[share]
    for text, outcome in zip(texts, fortress.attack(SEARCH, [filter_of(text) for text in texts]), strict=True):
        assert refused({"PS005", "PS014", "PS015"}, outcome), (text, outcome)


def test_a_hostile_path_leads_where_its_steps_lead(fortress: Fortress) -> None:
    texts = list(fortress.names)
    outcomes = fortress.attack(SEARCH, [{f"meta.{text}": text} for text in texts])
    for text, outcome in zip(texts, outcomes, strict=True):
        assert outcome == Gave([] if "." in text else equal_to(fortress, text)), text


def test_a_hostile_pattern_matches_as_a_pattern_or_is_refused(fortress: Fortress) -> None:
    texts = hostile_strings(1000, seed=5)
    outcomes = fortress.attack(SEARCH, [{"name": {"$like": text}} for text in texts])
    escaped = fortress.attack(SEARCH, [{"name": {"$like": "".join(f"\\{c}" for c in text)}} for text in texts])
    for text, outcome, literal in zip(texts, outcomes, escaped, strict=True):
        lone = (len(text) - len(text.rstrip("\\"))) % 2 == 1
        assert refused({"PS015"}, outcome) if lone else isinstance(outcome, Gave), text
        assert literal == Gave(equal_to(fortress, text)), text


def test_hostile_values_in_hostile_nests_are_answered_or_refused(fortress: Fortress, share: slice) -> None:
    rng = random.Random(6)
    texts = hostile_strings(2500, seed=6)[share]
    columns = sorted(COLUMNS)
    filters = [
        nested(text, rng)
        if i % 3 == 0
        else {rng.choice(columns): nested(text, rng)}
        if i % 3 == 1
        else {
            rng.choice(["meta", "meta.k"]): {rng.choice(["$eq", "$in", "$contains", "$overlap"]): [nested(text, rng)]}
        }
        for i, text in enumerate(texts)
    ]
    for filter, outcome in zip(filters, fortress.attack(SEARCH, filters), strict=True):
        assert isinstance(outcome, Gave) or refused({"PS005", "PS014", "PS015"}, outcome), (filter, outcome)


def test_hostile_where_values_are_values(fortress: Fortress, share: slice) -> None:
    texts = [*fortress.names[share], *hostile_strings(1000, seed=7)[share]]
    search = """
    SELECT coalesce(jsonb_agg(key::int ORDER BY key::int), '[]')
    FROM pgsim.search('victims', '[1,0]', k => 1000, mode => 'exact',
                      where_sql => $w$name = ($1 ->> 'v')$w$, where_values => $1)
    """
    for text, outcome in zip(
        texts, fortress.attack(search, [{"v": text, f"x{text}": text} for text in texts]), strict=True
    ):
        assert outcome == Gave(equal_to(fortress, text)), text
    for text, outcome in zip(
        texts, fortress.attack(search, [{"v": "v", f"${text}": text} for text in texts]), strict=True
    ):
        assert refused({"PS010"}, outcome), text


def test_a_hostile_filter_of_an_index_is_a_literal_in_it(fortress: Fortress) -> None:
    texts = [*fortress.names[:150], *hostile_strings(150, seed=8)]
    build = "SELECT to_jsonb(pgsim.create_index('victims', 'plain', where_filter => $1)::text)"
    kept = """
    SELECT to_jsonb(pg_get_expr(indpred, indrelid) || ' ')
    FROM pg_index AS i JOIN pg_description AS d ON d.objoid = i.indexrelid AND d.description LIKE 'pgsim: version %'
    """
    outcomes = fortress.attack(
        build, [{"name": text, "tags": {"$contains": text}, "meta.k": text} for text in texts], kept
    )
    for text, outcome in zip(texts, outcomes, strict=True):
        assert isinstance(outcome, Gave), (text, outcome)
        found = fortress.connection.execute(
            f"SELECT id FROM victims WHERE {outcome.value} ORDER BY id".replace("%", "%%"), []
        ).fetchall()
        assert [i for (i,) in found] == equal_to(fortress, text)


def test_nul_and_lone_surrogates_never_reach_pgsim(fortress: Fortress) -> None:
    search = "SELECT count(*) FROM pgsim.search('victims', '[1,0]', filter => %s::jsonb)"
    with pytest.raises(psycopg.DataError):
        fortress.connection.execute(search, ['{"name": "a\x00"}'])
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        fortress.connection.execute(search, ['{"name": "a\\u0000"}'])
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        fortress.connection.execute(search, ['{"name": "\\ud800"}'])
    with pytest.raises(UnicodeEncodeError):
        fortress.connection.execute(search, ['{"name": "\ud800"}'])
