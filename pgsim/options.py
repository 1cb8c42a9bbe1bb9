"""The options of a search, each spelled once: keywords of `Database`'s calls, and of SQLAlchemy's ``search()``.

An option left out, or None, takes the SQL function's default.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from functools import wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ForwardRef, ParamSpec, Protocol, TypedDict, TypeVar

from pgsim.errors import InvalidArgument
from pgsim.json_values import json_text
from pgsim.vectors import as_vector, sparse_text, sparse_vectors_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pgsim.vectors import Sparse

P = ParamSpec("P")
T = TypeVar("T")


class Place(Protocol):
    """Where a page ends: a `pgsim.Hit`, or a row with these columns."""

    @property
    def distance(self) -> float | None: ...
    @property
    def key(self) -> str: ...
    @property
    def rank(self) -> int: ...


class WhatToFind(TypedDict, total=False):
    """Options of every search, and of what measures searches.

    Attributes:
        k: how many rows, 1 to 10,000 (10); fewer come back only when fewer match.
        filter: conditions in the filter language: ``{"section": "games", "size": {"$lt": 100}}``.
        model: the model whose version is searched; by default the active one's.
        embedding: the embedding of the collection (``default``).
        recall: the share of the exact answer that is to be found, on average, .5 to 1 (.95).
        mode: ``auto`` takes what costs least at that recall; ``exact``, ``codes`` or ``ann``.
    """

    k: int
    filter: Mapping[str, object] | None
    model: str | None
    embedding: str
    recall: float | None
    mode: str


class WhereInSql(TypedDict, total=False):
    """A condition in SQL.

    Attributes:
        where_sql: a condition over the table, its values read as ``($1->>'name')::type``; never from users.
        where_values: those values.
        where_columns: the columns that it reads, so that codes can serve it.
    """

    where_sql: str | None
    where_values: Mapping[str, object] | None
    where_columns: Sequence[str] | None


class Fusion(TypedDict, total=False):
    """What is searched beside the query vector, and how it is put together.

    Attributes:
        fusion: ``minmax`` (the default), ``relative_score``, ``tmm``, ``dbsf`` or ``rrf``, or a fusion kept by
            `create_fusion`.
        weights: of each leg by its name: ``{"dense": 0.7, "text": 0.3}``; 0 leaves a leg out.
        text_form: how the text is read: ``any``, or another form of the text search.
        legs: more legs by their names: ``{"title": {"query": vector, "embedding": "title"}}``,
            ``{"recent": {"column": "published", "half_life": timedelta(days=30)}}``,
            ``{"phrase": {"text_query": "...", "text_form": "phrase"}}``,
            ``{"splade": {"sparse_query": SparseVector({12: 0.5}, 30522), "embedding": "sparse"}}``.
        rank_constant: of ``rrf`` (60).
        candidates: how many rows each leg gives (200, or twice k where that is more).
    """

    fusion: str | None
    weights: Mapping[str, float] | None
    text_form: str
    legs: Mapping[str, Mapping[str, object]] | None
    rank_constant: float | None
    candidates: int | None


class SearchOptions(WhatToFind, Fusion, total=False):
    """Options of a search.

    Attributes:
        text_query: words to look for in the collection's text, fused with the vector's search; alone it is ranked by
            BM25.
        dims: prefix lengths, shortest first: one searches it alone, of several each ranks what the one before kept.
        oversample: how many times k rows the shortest of several keeps; by default what the recall asks for.
        max_distance: rows farther away are left out.
        after: the last row of the page before: a `pgsim.Hit`, or a mapping with its distance, key and rank.
        per_group: how many rows of one value of ``distinct_on`` may come (1).
    """

    text_query: str | None
    dims: Sequence[int] | None
    oversample: int | None
    max_distance: float | None
    after: Place | Mapping[str, object] | None
    per_group: int


class CallOptions(SearchOptions, WhereInSql, total=False):
    """Options of the SQL function ``pgsim.search``, all of them.

    Attributes:
        distinct_on: a column, of whose every value only the nearest row comes.
        sparse_query: a sparse vector, searched beside the others or alone: a `pgvector.SparseVector`, or a mapping of
            index (from 0) to weight.
    """

    distinct_on: str | None
    sparse_query: Sparse | None


class BatchOptions(WhatToFind, Fusion, WhereInSql, total=False):
    """Options of the SQL function ``pgsim.search_batch``.

    Attributes:
        text_queries: one for each query vector, or in their place.
        sparse_queries: likewise.
        dims, oversample, max_distance, after, distinct_on, per_group: as of a search.
    """

    text_queries: Sequence[str | None] | None
    sparse_queries: Sequence[Sparse | None] | None
    dims: Sequence[int] | None
    oversample: int | None
    max_distance: float | None
    after: Place | Mapping[str, object] | None
    distinct_on: str | None
    per_group: int


class ParentOptions(Fusion, total=False):
    """Options of the SQL function ``pgsim.search_parents``.

    Attributes:
        k, filter, text_query, sparse_query, model, embedding, recall, where_sql, where_values: as of a search.
        aggregate: ``max``, ``mean`` or ``sum``.
        top: how many of a parent's best chunks count (3).
    """

    k: int
    filter: Mapping[str, object] | None
    text_query: str | None
    sparse_query: Sparse | None
    aggregate: str
    top: int
    model: str | None
    embedding: str
    recall: float | None
    where_sql: str | None
    where_values: Mapping[str, object] | None


class RecallOptions(WhatToFind, WhereInSql, total=False):
    """Options of ``pgsim.recall``.

    Attributes:
        sample: how many rows are queries, when none are given (100).
        seed: which rows these are (0).
        sparse_queries: sparse vectors as your users send, of an embedding of sparse vectors; as `search` takes them.
    """

    sample: int
    seed: int
    sparse_queries: Sequence[Sparse]


_DEFAULTS: dict[str, object] = {
    "k": 10,
    "embedding": "default",
    "mode": "auto",
    "sample": 100,
    "seed": 0,
    "text_form": "any",
    "per_group": 1,
}


def spelled_out(options: type[Any]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Have a function that takes ``**options`` show them as its keywords, and refuse every other.

    Without it ``help()`` would show ``**options``, and a misspelt option would go unnoticed.
    """

    def spell(body: Callable[P, T]) -> Callable[P, T]:
        given = signature(body)
        named = [each for each in given.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        told = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=_written(kind))
            for name, kind in options.__annotations__.items()
        ]
        known = {each.name for each in named + told}

        @wraps(body)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if not kwargs.keys() <= known:
                unknown = min(kwargs.keys() - known)
                raise TypeError(f"{body.__name__}() got an unexpected keyword argument {unknown!r}")
            return body(*args, **kwargs)

        call.__signature__ = given.replace(parameters=[*named, *told])  # type: ignore[attr-defined]
        return call

    return spell


def _written(kind: object) -> object:
    return kind.__forward_arg__ if isinstance(kind, ForwardRef) else kind


def sql_arguments(options: Mapping[str, object]) -> dict[str, object]:
    """The options that are given, as the SQL functions take them; mappings as the text of jsonb.

    Raises:
        InvalidArgument: a number is not one, or not finite; or ``after`` is no place.
        InvalidFilterValue: a mapping holds what JSON cannot say.
    """
    return {name: _sql_argument(name, value) for name, value in options.items() if value is not None}


def _sql_argument(name: str, value: object) -> object:
    match name, value:
        case (("k" | "oversample" | "sample" | "seed" | "candidates" | "per_group" | "top"), _):
            return whole_number(name, value)
        case (("recall" | "max_distance" | "rank_constant"), _):
            return finite_number(name, value)
        case "dims", _:
            return [whole_number(name, each) for each in listed(name, value)]
        case "sparse_query", _:
            return sparse_text(value)
        case "sparse_queries", _:
            return sparse_vectors_text(listed(name, value))
        case (("where_columns" | "text_queries"), _):
            return listed(name, value)
        case "legs", Mapping():
            return json_text({str(leg): _leg(str(leg), properties) for leg, properties in value.items()})
        case (("filter" | "where_values" | "weights" | "legs"), _):
            return json_text(value)
        case "after", _:
            return json_text(_place(value))
    return value


def _leg(name: str, properties: object) -> object:
    """A leg's properties as JSON has them: the vector a list, a time and a span of it texts."""
    if not isinstance(properties, Mapping):
        raise InvalidArgument(
            f"leg {name!r} is {properties!r:.200}, not a mapping",
            hint='Give its properties: {"column": "published", "half_life": "30 days"}.',
        )
    told = dict(properties)
    if told.get("query") is not None and not isinstance(told["query"], str):
        told["query"] = [float(number) for number in as_vector(told["query"])]
    if told.get("sparse_query") is not None and not isinstance(told["sparse_query"], str):
        told["sparse_query"] = sparse_text(told["sparse_query"])
    for each in ("half_life", "origin"):
        given = told.get(each)
        if isinstance(given, datetime.timedelta):
            told[each] = f"{given.total_seconds()} seconds"
        elif isinstance(given, datetime.date):
            told[each] = given.isoformat()
    return told


def listed(name: str, value: object) -> list[object]:
    """A list, of anything that can be gone through but a text.

    Raises:
        InvalidArgument: it is none.
    """
    try:
        if not isinstance(value, str):
            return list(value)  # type: ignore[call-overload, no-any-return]
    except TypeError:
        pass
    raise InvalidArgument(f"{name} is {value!r}, not a list", hint="Give a list, of one if need be.")


def whole_number(name: str, value: object) -> int:
    """A whole number that SQL's int can hold.

    Raises:
        InvalidArgument: it is none. A driver would round it without a word.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not -(2**31) <= int(value) < 2**31:
        raise InvalidArgument(
            f"{name} is {value!r}, not a whole number that SQL's int can hold",
            hint="Give a whole number below 2147483648.",
        )
    return int(value)


def finite_number(name: str, value: object) -> float:
    """A finite number.

    Raises:
        InvalidArgument: it is none.
    """
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidArgument(
            f"{name} is {value!r}, not a finite number", hint="Give a finite number, or leave it out."
        )
    return number


def _place(after: object) -> dict[str, object]:
    places = ("distance", "key", "rank")
    if isinstance(after, Mapping):
        place = {name: after[name] for name in places if name in after}
    else:
        place = {name: getattr(after, name) for name in places if hasattr(after, name)}
    if not isinstance(place.get("key"), str) or "distance" not in place:
        raise InvalidArgument(
            f"after is {after!r:.200}, which has no distance and key of a row found",
            hint="Give the last row of the page before: after=page[-1].",
        )
    place["distance"] = finite_number("the distance of after", place["distance"])
    if place.get("rank") is None:
        return {name: value for name, value in place.items() if name != "rank"}
    return place | {"rank": whole_number("the rank of after", place["rank"])}


class LayerOptions(TypedDict, total=False):
    """What `search_layers` takes beside the vectors."""

    k: int
    filter: Mapping[str, object] | None
    model: str | None
    embedding: str
    shallow_dims: int | None
    oversample: int | None
    recall: float | None
