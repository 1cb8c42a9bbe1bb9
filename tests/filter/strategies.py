"""Strategies that draw filters over a few columns of different types, and rows for them."""

from __future__ import annotations

import datetime as dt

from evaluator import ABSENT
from hypothesis import strategies as st

COLUMNS = 'n int, x double precision, f bool, t text COLLATE "C", d date, tags text[], counts int[], meta jsonb'
JSON_COLUMNS = frozenset({"meta"})

numbers = st.sampled_from([-1, 0, 1, 2, 2.5, 3, 10**12, -(10**30)])
texts = st.text("ab%_\\'\"$", max_size=3)
days = st.integers(1, 6).map(lambda day: dt.date(2024, 1, day).isoformat())
words = st.sampled_from(["a", "b", "a,b", 'q"', "NULL", ""])
scalars = st.one_of(st.none(), st.booleans(), numbers, st.sampled_from(["a", "b", "ab", ""]))
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0", ""]), inner, max_size=3)
    ),
    max_leaves=5,
)
patterns = texts.filter(lambda text: (len(text) - len(text.rstrip("\\"))) % 2 == 0)


def operators(values: st.SearchStrategy, *more: st.SearchStrategy) -> st.SearchStrategy:
    """Conditions on one column whose values a strategy draws; ``more`` are conditions of its type alone."""

    def under(name: str, argument: st.SearchStrategy) -> st.SearchStrategy:
        return argument.map(lambda value: {name: value})

    listed = st.lists(st.none() | values, max_size=4)
    base = st.one_of(
        st.none() | values,
        *(under(name, st.none() | values) for name in ("$eq", "$ne")),
        *(under(name, values) for name in ("$gt", "$gte", "$lt", "$lte")),
        *(under(name, listed) for name in ("$in", "$nin")),
        under("$between", st.lists(values, min_size=2, max_size=2)),
        under("$exists", st.booleans()),
        *more,
    )
    return base | under("$not", base) | st.fixed_dictionaries({"$gte": values, "$lt": values})


likes = st.sampled_from(["$like", "$ilike"])
like_conditions = st.builds(lambda name, pattern: {name: pattern}, likes, patterns)


def array_conditions(elements: st.SearchStrategy) -> st.SearchStrategy:
    lists = st.lists(elements, max_size=3)
    named = st.builds(
        lambda name, value: {name: value}, st.sampled_from(["$contains", "$contained", "$overlap", "$eq", "$ne"]), lists
    )
    one = st.builds(lambda name, value: {name: value}, st.sampled_from(["$contains", "$overlap"]), elements)
    return named | one | lists | st.none() | st.booleans().map(lambda value: {"$exists": value})


def json_conditions() -> st.SearchStrategy:
    plain = documents.filter(lambda value: value != {})
    named = st.builds(
        lambda name, value: {name: value}, st.sampled_from(["$eq", "$ne", "$contains", "$contained"]), documents
    )
    listed = st.builds(
        lambda name, value: {name: value}, st.sampled_from(["$in", "$nin", "$overlap"]), st.lists(documents, max_size=3)
    )
    ordered = st.builds(
        lambda name, value: {name: value},
        st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
        numbers | st.sampled_from(["a", "b"]),
    )
    between = st.one_of(st.tuples(numbers, numbers), st.tuples(words, words)).map(lambda ends: {"$between": list(ends)})
    base = (
        plain
        | named
        | listed
        | ordered
        | between
        | like_conditions
        | st.booleans().map(lambda value: {"$exists": value})
    )
    return base | base.map(lambda condition: {"$not": condition})


paths = st.lists(st.sampled_from(["a", "b", "0", "-1", ""]), max_size=2).map(lambda steps: ".".join(["meta", *steps]))
on_columns = st.one_of(
    operators(numbers).map(lambda condition: {"n": condition}),
    operators(numbers).map(lambda condition: {"x": condition}),
    operators(st.booleans()).map(lambda condition: {"f": condition}),
    operators(texts, like_conditions).map(lambda condition: {"t": condition}),
    operators(days).map(lambda condition: {"d": condition}),
    array_conditions(words).map(lambda condition: {"tags": condition}),
    array_conditions(st.integers(-2, 3)).map(lambda condition: {"counts": condition}),
    st.builds(lambda path, condition: {path: condition}, paths, json_conditions()),
)


@st.composite
def filters(draw: st.DrawFn, depth: int = 0) -> dict:
    """A filter of some conditions, nested a few deep."""
    shape = draw(st.sampled_from(["one", "one", "two", "$and", "$or", "$not"] if depth < 3 else ["one"]))
    if shape in {"$and", "$or"}:
        return {shape: draw(st.lists(filters(depth + 1), min_size=1, max_size=3))}
    if shape == "$not":
        return {"$not": draw(filters(depth + 1))}
    return {**draw(on_columns), **(draw(filters(depth + 1)) if shape == "two" else {})}


rows = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-1, 3),
            "x": st.none() | st.sampled_from([-1.0, 0.0, 2.5, 3.0, 1e12]),
            "f": st.none() | st.booleans(),
            "t": st.none() | texts,
            "d": st.none() | days,
            "tags": st.none() | st.lists(words, max_size=3),
            "counts": st.none() | st.lists(st.integers(-2, 3), max_size=3),
            "meta": st.just(ABSENT) | documents,
        }
    ),
    min_size=12,
    max_size=12,
)
