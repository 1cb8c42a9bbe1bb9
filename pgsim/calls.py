"""Every call of pgsim's SQL functions, without a connection: what `Database` and `AsyncDatabase` carry out.

Names and arguments are those of the SQL functions; an argument left out takes the SQL function's default.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, TypeAlias, Unpack, cast

import numpy as np
import psycopg
from pgvector import SparseVector

from pgsim.embedders.checking import checked_documents, checked_query
from pgsim.errors import DimensionMismatch, InvalidArgument, InvalidKey, UnknownIndex, UnknownRelation, UnknownVersion
from pgsim.json_values import is_storable, json_text
from pgsim.maps import Map
from pgsim.options import (
    BatchOptions,
    CallOptions,
    LayerOptions,
    ParentOptions,
    RecallOptions,
    finite_number,
    spelled_out,
    sql_arguments,
    whole_number,
)
from pgsim.rerankers.scoring import cached_scores
from pgsim.steps import query as _query
from pgsim.steps import work
from pgsim.vectors import as_vector, as_vectors, sparse_text, sparse_vectors_text, vector_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pgsim.embedders.protocol import Embedder
    from pgsim.rerankers.protocol import Scorer
    from pgsim.rerankers.scoring import ScoreCache
    from pgsim.steps import Row, Steps
    from pgsim.vectors import Sparse, Vector, Vectors

_SHARES = frozenset(
    {
        *("recall", "k1", "b", "max_distance", "rank_constant", "diversity", "share", "audit_share"),
        *("value", "minimum", "tolerance"),
    }
)
# Plain words, a name and a number, another script: what a change of tokenizer, prefix or weights shows in.
_PROBES = ("How to read a file line by line", "The cat sat on the mat in 1987.", "Grüße aus München, 東京")
_TAKEN = (str, bytes, datetime.datetime, type(None))
_CALIBRATED = "%(collection)s, %(model)s, %(embedding)s, %(queries)s, %(sample)s::int"


@dataclass(frozen=True, slots=True)
class Hit:
    """A row found. ``score``: higher is better; ``rank``: from 1.

    ``distance``: the metric's own; None of a row that the query vector did not find, but the text or another leg.
    """

    key: str
    score: float
    distance: float | None
    rank: int
    details: dict[str, object]


@dataclass(frozen=True, slots=True)
class Problem:
    """What `check` found wrong: ``severity`` is ``error`` or ``warning``; ``hint`` can be run."""

    severity: str
    object: str
    problem: str
    hint: str


@dataclass(frozen=True, slots=True)
class Measure:
    """What `health` measured. ``value``: None where it cannot be; ``verdict``: ``ok``, ``note`` or ``warning``."""

    measure: str
    value: float | None
    verdict: str
    explanation: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Recall:
    """What `recall` measured over ``searches``: tie-aware, 1 for an answer as good as the exact one.

    ``low`` and ``high``: the 95% interval of ``mean_recall``. ``short``: answers with fewer rows than the exact one.
    ``seconds`` and ``exact_seconds``: the median of each search. ``strategies``: how often each answered.
    """

    searches: int
    mean_recall: float | None
    low: float | None
    high: float | None
    worst: float | None
    short: int
    seconds: float | None
    exact_seconds: float | None
    strategies: dict[str, int]


@dataclass(frozen=True, slots=True)
class Advice:
    """A thing that `advise` says would make searches faster, best gain for its bytes first.

    ``statement``: SQL to be run by itself; None for what is said in words alone. ``searches``: how many of those
    recorded it serves. ``seconds_before``, ``seconds_after``: what one of them is expected to take. ``gain``: seconds
    saved over all of them. ``bytes``, ``build_seconds``: estimated. ``arguments``: of a vector index, those of
    `create_index`.
    """

    rank: int
    kind: str
    target: str
    statement: str | None
    searches: float
    seconds_before: float | None
    seconds_after: float | None
    gain: float
    bytes: int
    build_seconds: float | None
    reason: str
    arguments: dict[str, object]


@dataclass(frozen=True, slots=True)
class PrefixRecall:
    """What `recall_by_dims` measured of a prefix of so many dimensions, when ``kept`` rows are kept by it.

    ``whole``: of how many of the queries ``asked`` the complete true top k is among them. ``among``: rows compared.
    ``smallest``: the shortest prefix whose recall is within the tolerance. ``warning``: what it cannot give.
    """

    prefix: int
    kept: int
    mean_recall: float
    whole: int
    asked: int
    among: int
    smallest: bool
    warning: str | None


@dataclass(frozen=True, slots=True)
class Compression:
    """An index that `compress_advice` tried, best first, with the bytes and seconds of all rows.

    ``keep``: rows ranked by the whole vector, at this ``ef``. ``statement``: None of what `create_index` does not make,
    or of what is there. Of ``kind`` ``storage``, the vectors themselves as halfvec, ``rank`` is None.
    """

    rank: int | None
    kind: str
    dims: int
    element: str
    fits: bool
    reaches: bool
    mean_recall: float
    bytes: int
    build_seconds: float | None
    seconds: float | None
    keep: int | None
    ef: int | None
    among: int
    statement: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class TextStatistics:
    """What a text index holds. ``mean_length`` in words; ``pending``: changes of counts not yet added up.

    Of an index that another extension keeps ``bytes`` alone are known; they are None when it is gone.
    """

    rows: int | None
    words: int | None
    mean_length: float | None
    bytes: int | None
    pending: int | None


@dataclass(frozen=True, slots=True)
class Transition:
    """A step in the life of a version, as `history` tells it.

    ``previous_model``: what an activation or a rollback took the place of. ``forced``: reasons against it stood, which
    ``gates`` lists under ``refused``.
    """

    collection: str
    embedding: str
    model: str
    action: str
    from_state: str | None
    to_state: str | None
    previous_model: str | None
    forced: bool
    reason: str | None
    gates: dict[str, object]
    at: datetime.datetime
    by_role: str


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model, as far as embedding with it needs. ``dim``: of what its embedder makes."""

    name: str
    dim: int
    query_prefix: str
    document_prefix: str


@spelled_out(CallOptions)
def search(collection: str, query: Vector | None = None, **options: Unpack[CallOptions]) -> Steps[list[Hit]]:
    """The k rows nearest to a query vector ``(d,)`` among those a filter admits, best first.

    Args:
        collection: the collection's name.
        query: the vector, of the model's width; None where text or legs alone are searched.
        k: how many rows, 1 to 10,000; fewer come back only when fewer match.
        filter: conditions in the filter language: ``{"section": "games", "size": {"$lt": 100}}``.
        model: the model whose version is searched; by default the active one's.
        embedding: the embedding of the collection.
        recall: the share of the exact answer that is to be found, on average, .5 to 1 (.95).
        mode: ``auto`` takes what costs least at that recall; ``exact``, ``codes`` or ``ann``.
        dims: prefix lengths to search by; of several, each ranks what the shorter one kept.
        oversample: how many times k rows the shortest prefix keeps; by default what the recall asks for.
        max_distance: rows farther away are left out.
        after: the last hit of the page before, ``page[-1]``, or a mapping with its distance, key and rank.
        distinct_on: a column, of whose every value only the nearest row comes.
        per_group: how many rows of one value of ``distinct_on`` may come (1).
        where_sql: a condition in SQL over the table, its values read as ``($1->>'name')::type``; never from users.
        where_values: those values.
        where_columns: the columns that it reads, so that codes can serve it.
        text_query: words to look for, fused with the vector's search; alone, ranked by BM25.
        text_form: how they are read (``any``).
        sparse_query: a sparse vector, fused with the others; alone, ranked by itself. A `pgvector.SparseVector`, or a
            mapping of index (from 0) to weight, for which the model's width is looked up.
        legs: more legs by their names: other vectors, texts, or columns that rank by themselves.
        fusion: ``minmax``, ``relative_score``, ``tmm``, ``dbsf``, ``rrf``, or a fusion kept by `create_fusion`.
        weights: of each leg by its name; 0 leaves it out.
        rank_constant: of ``rrf`` (60).
        candidates: how many rows each leg gives (200, or twice k where that is more).

    Raises:
        PgsimError: the class of the SQL function's SQLSTATE, which its SQL reference lists.
    """
    given = yield from _with_width(collection, options, alone=query is None)
    rows = yield from _rows(
        "pgsim.search", ("query",), collection=collection, query=_query_text(query), **sql_arguments(given)
    )
    return [_hit(row) for row in rows]


@spelled_out(BatchOptions)
def search_batch(
    collection: str, queries: Vectors | None = None, **options: Unpack[BatchOptions]
) -> Steps[list[list[Hit]]]:
    """`search` for many query vectors ``(n, d)`` in one call: n lists of hits, in the queries' order.

    ``text_queries``, ``sparse_queries``: one for each vector, or in their place.
    """
    given = sql_arguments((yield from _with_width(collection, options, alone=queries is None)))
    vectors = None if queries is None else as_vectors(queries)
    rows = yield from _rows(
        "pgsim.search_batch",
        ("queries",),
        collection=collection,
        queries=None if vectors is None else vectors_text(vectors),
        **given,
    )
    in_place = options.get("text_queries") or options.get("sparse_queries") or ()
    searches = len(in_place) if vectors is None else len(vectors)
    found: list[list[Hit]] = [[] for _ in range(searches)]
    for number, *row in rows:
        found[cast("int", number) - 1].append(_hit(row))
    return found


@spelled_out(CallOptions)
def explain_search(
    collection: str, query: Vector | None = None, **options: Unpack[CallOptions]
) -> Steps[dict[str, object]]:
    """Run a search, and tell what was done and why: strategy, reason, stages, matches, statement, seconds.

    Arguments and errors are those of `search`.
    """
    given = yield from _with_width(collection, options, alone=query is None)
    rows = yield from _rows(
        "pgsim.explain_search", ("query",), collection=collection, query=_query_text(query), **sql_arguments(given)
    )
    return cast("dict[str, object]", rows[0][0])


@spelled_out(CallOptions)
def search_text(collection: str, text: str, embedder: Embedder, **options: Unpack[CallOptions]) -> Steps[list[Hit]]:
    """`search` for a text: the embedder makes its vector, after the model's query prefix.

    The words themselves are searched only where ``text_query`` gives them too.

    Raises:
        EmbedderError: the embedder failed; and what `search` raises.
    """
    of = yield from active_model(
        collection, model=options.get("model"), embedding=options.get("embedding") or "default"
    )
    vector = yield from work(partial(checked_query, embedder, of.query_prefix + text, of.dim))
    pinned: CallOptions = {**options, "model": of.name}
    return (yield from search(collection, vector, **pinned))


def search_versions(
    collection: str,
    queries: Mapping[str, Vector],
    *,
    k: int | None = None,
    filter: Mapping[str, object] | None = None,
    embedding: str = "default",
    recall: float | None = None,
    mode: str | None = None,
    target: str | None = None,
    where_sql: str | None = None,
    where_values: Mapping[str, object] | None = None,
    where_columns: Sequence[str] | None = None,
) -> Steps[list[Hit]]:
    """`search` in two versions at once, while rows move from one to the other.

    A row that has a vector of the new model is ranked by that, every other one by its old vector. With no row moved,
    or all, the answer is that of `search` in the one version.

    Args:
        queries: the query's vector ``(d,)`` by each of the two models.
        target: the model that rows move to; by default that of the younger version.

    The other arguments, and errors, are those of `search`. ``details["model"]`` of a hit says which model ranked it.
    """
    given = {name: [float(number) for number in as_vector(query)] for name, query in queries.items()}
    options: dict[str, object] = {
        "k": k,
        "filter": filter,
        "recall": recall,
        "mode": mode,
        "where_sql": where_sql,
        "where_values": where_values,
        "where_columns": where_columns,
    }
    rows = yield from _rows(
        "pgsim.search_versions",
        collection=collection,
        queries=json_text(given),
        embedding=embedding,
        target=target,
        **sql_arguments(options),
    )
    return [_hit(row) for row in rows]


def fuse(
    legs: Mapping[str, Sequence[tuple[object, float | None]]],
    *,
    method: str = "minmax",
    weights: Mapping[str, float] | None = None,
    k: int | None = 10,
    rank_constant: float | None = None,
    minima: Mapping[str, float] | None = None,
) -> Steps[list[Hit]]:
    """Fuse ranked lists from anywhere into one, best first; their distances are None.

    Args:
        legs: each list by its name: pairs of key and score, best first, higher is better. ``rrf`` needs no scores.
        method: ``minmax``, ``relative_score``, ``tmm``, ``dbsf`` or ``rrf``.
        weights: of every leg by its name; without them equal shares that sum to 1, and for ``rrf`` 1 each.
        k: how many rows; None for all.
        rank_constant: of ``rrf`` (60).
        minima: the least score that each leg can have, which ``tmm`` needs.
    """
    given: dict[str, object] = {
        "method": method,
        "weights": json_text(weights),
        "k": None if k is None else whole_number("k", k),
        "rank_constant": None if rank_constant is None else finite_number("rank_constant", rank_constant),
    }
    made = []
    for number, (name, leg) in enumerate(legs.items()):
        scores = [score for _, score in leg]
        minimum = (minima or {}).get(name)
        given |= {
            f"name_{number}": name,
            f"keys_{number}": [_key(key) for key, _ in leg],
            f"minimum_{number}": None if minimum is None else repr(finite_number("a minimum", minimum)),
            f"scores_{number}": None
            if any(score is None for score in scores)
            else "{" + ",".join(repr(finite_number("a score", score)) for score in scores) + "}",
        }
        made.append(
            f"pgsim.leg(%(name_{number})s, %(keys_{number})s::text[], %(scores_{number})s::float8[], "
            f"%(minimum_{number})s::float8)"
        )
    rows = yield from _query(
        "SELECT key, score, NULL::float8, rank, details "
        f"FROM pgsim.fuse(ARRAY[{', '.join(made)}]::pgsim.leg[], method => %(method)s, weights => %(weights)s::jsonb, "
        "k => %(k)s::int, rank_constant => %(rank_constant)s) ORDER BY rank",
        _checked(given),
    )
    return [_hit(row) for row in rows]


def mmr(
    collection: str,
    hits: Sequence[Hit],
    *,
    k: int = 10,
    diversity: float = 0.5,
    model: str | None = None,
    embedding: str = "default",
) -> Steps[list[Hit]]:
    """Rank hits anew, so that they are good and unlike one another: maximal marginal relevance over stored vectors.

    Args:
        collection: the collection that was searched.
        hits: what a search gave, some times k of them.
        k: how many rows.
        diversity: 0 keeps the order of the hits, 1 looks at vectors alone.
        model: whose vectors are compared; by default the active version's.
        embedding: the embedding of the collection.

    Returns:
        The hits chosen; ``score`` is what the step gained, and ``details`` has the rank and score they had.
    """
    rows = yield from _query(
        "SELECT key, score, NULL::float8, rank, details FROM pgsim.mmr(%(collection)s, %(keys)s::text[], "
        "%(scores)s::float8[], k => %(k)s, diversity => %(diversity)s, model => %(model)s, embedding => %(embedding)s) "
        "ORDER BY rank",
        _checked(
            {
                "collection": collection,
                "keys": [hit.key for hit in hits],
                "scores": "{" + ",".join(repr(finite_number("a score", hit.score)) for hit in hits) + "}",
                "k": whole_number("k", k),
                "diversity": finite_number("diversity", diversity),
                "model": model,
                "embedding": embedding,
            }
        ),
    )
    distances = {hit.key: hit.distance for hit in hits}
    return [replace(_hit(row), distance=distances[str(row[0])]) for row in rows]


@dataclass(frozen=True, slots=True)
class Query:
    """A query with the keys of the rows that answer it.

    ``legs``: where it has them, its own vectors for legs of these names: ``{"terms": {"sparse_query": ...}}``, as
    `search` takes them.
    """

    text: str
    relevant: frozenset[str]
    legs: Mapping[str, Mapping[str, object]] = field(default_factory=dict, hash=False)


def sample_queries(collection: str, column: str, *, sample: int = 1000, seed: int = 0) -> Steps[list[Query]]:
    """Queries out of a column of the table, a title for instance: each is answered by the rows that it stands in.

    Args:
        collection: the collection's name.
        column: the column whose texts are the queries.
        sample: how many, 1 to 100,000.
        seed: the same one takes the same texts.
    """
    rows = yield from _query(
        "SELECT q.query, q.keys FROM pgsim._sample_queries(%(collection)s, %(column)s, %(sample)s, %(seed)s) AS q",
        _checked(
            {
                "collection": collection,
                "column": column,
                "sample": whole_number("sample", sample),
                "seed": whole_number("seed", seed),
            }
        ),
    )
    return [Query(str(text), frozenset(cast("list[str]", keys))) for text, keys in rows]


def rerank(
    collection: str,
    query: str,
    hits: Sequence[Hit],
    scorer: Scorer,
    *,
    top: int | None = None,
    columns: Sequence[str] | None = None,
    batch_size: int = 32,
    cache: ScoreCache | None = None,
) -> Steps[list[Hit]]:
    """Rank hits anew by a scorer that reads the query and each row's text together, a cross-encoder for instance.

    Args:
        collection: the collection that was searched.
        query: the text that was looked for.
        hits: what a search gave, best first.
        scorer: any object with a ``name`` and a method ``score(query, texts)``.
        top: how many of the hits are read and scored; the rest stay behind them in their order. By default all.
        columns: the columns that are a row's text, a line each; by default the collection's text columns.
        batch_size: texts in one call of the scorer.
        cache: where scores are looked up and kept, by hashes of the scorer's name, the query and the text: a dict, a
            `pgsim.rerankers.MemoryCache`, or a store of yours.

    Returns:
        All hits, those scored first. ``score`` of one scored is the scorer's, ``rank`` the new one, and ``details``
        has the ``score`` and ``rank`` it had under ``before``. A row that is gone meanwhile is left out.

    Raises:
        EmbedderError: the scorer failed, or gave anything but one finite number a text; and what `fetch` raises.
    """
    read = list(hits if top is None else hits[: whole_number("top", top)])
    shown = list(columns) if columns is not None else (yield from _text_columns(collection))
    rows = yield from fetch(collection, [hit.key for hit in read], columns=shown)
    there = [hit for hit in read if hit.key in rows]
    texts = ["\n".join(str(rows[hit.key][name]) for name in shown if rows[hit.key][name] is not None) for hit in there]
    scores = yield from work(partial(cached_scores, scorer, query, texts, batch_size=batch_size, cache=cache))
    order = sorted(range(len(there)), key=lambda place: (-scores[place], place))
    ranked = [
        replace(
            there[place],
            score=scores[place],
            details={
                **there[place].details,
                "reranked_by": scorer.name,
                "before": {"score": there[place].score, "rank": there[place].rank},
            },
        )
        for place in order
    ]
    return [replace(hit, rank=rank) for rank, hit in enumerate([*ranked, *hits[len(read) :]], 1)]


def _text_columns(collection: str) -> Steps[list[str]]:
    rows = yield from _query(
        "SELECT name, text_columns FROM pgsim.collections WHERE name = %(collection)s",
        _checked({"collection": collection}),
    )
    if not rows:
        yield from _rows("pgsim._collection_row", collection=collection)
    columns = cast("list[str]", rows[0][1])
    if not columns:
        raise InvalidArgument(
            f"collection {collection!r} has no text columns",
            hint="Name the columns that are a row's text: columns=[...].",
        )
    return columns


@spelled_out(ParentOptions)
def search_parents(
    collection: str, parent: str, query: Vector | None = None, **options: Unpack[ParentOptions]
) -> Steps[list[Hit]]:
    """Search a collection of chunks, and rank what they are parts of; keys are the parents', distances None.

    Args:
        collection: the collection of chunks.
        parent: the column of the chunks that names the parent.
        query: the vector, of the model's width; None where text or legs alone are searched.
        aggregate: ``max`` ranks a parent by its best chunk, ``mean`` and ``sum`` by its best ones.
        top: how many of them (3).

    The other arguments, and errors, are those of `search`.
    """
    given = {
        "collection": collection,
        "parent": parent,
        "query": _query_text(query),
        **sql_arguments((yield from _with_width(collection, options, alone=query is None))),
    }
    named = ", ".join(f"{name} => %({name})s" for name in given)
    rows = yield from _query(
        f"SELECT key, score, NULL::float8, rank, details FROM pgsim.search_parents({named}) ORDER BY rank",
        _checked(given),
    )
    return [_hit(row) for row in rows]


def search_layers(
    collection: str,
    query: Vector,
    shallow_query: Vector | None,
    shallow_model: str,
    *,
    k: int = 10,
    filter: Mapping[str, object] | None = None,
    model: str | None = None,
    embedding: str = "default",
    shallow_dims: int | None = None,
    oversample: int | None = None,
    recall: float | None = None,
) -> Steps[list[Hit]]:
    """Find candidates by a shallow layer's vectors, and rank them by the whole model's.

    Args:
        collection: the collection's name.
        query: a vector of the model.
        shallow_query: a vector of the shallow model, made from the same text; None: the query mapped to it, by a map
            that `measure_layers` has measured.
        shallow_model: a model registered with the property ``layer_of``, or that a measured map leads to.
        k: how many rows, 1 to 10,000.
        filter: conditions in the filter language.
        model: the whole model; by default the active version's.
        embedding: the embedding of the collection.
        shallow_dims: a prefix of the shallow model; by default the shortest that an index is on.
        oversample: how many times k candidates are kept; by default 20.
        recall: in its place: as many as were measured to find that share of the true rows.

    Raises:
        ForeignLayer: the shallow model is no layer of the other, and no map between them was measured; or a recall is
            asked for, and was not measured; and what `search` raises.
    """
    options = LayerOptions(
        k=k,
        filter=filter,
        model=model,
        embedding=embedding,
        shallow_dims=shallow_dims,
        oversample=oversample,
        recall=recall,
    )
    given = _layered(collection, query, shallow_query, shallow_model, options)
    return [_hit(row) for row in (yield from _rows("pgsim.search_layers", **given))]


def explain_layers(
    collection: str, query: Vector, shallow_query: Vector | None, shallow_model: str, **options: Unpack[LayerOptions]
) -> Steps[dict[str, object]]:
    """Search over layers, and tell what was done and why. Arguments and errors are those of `search_layers`."""
    given = _layered(collection, query, shallow_query, shallow_model, options)
    rows = yield from _rows("pgsim.explain_layers", **given)
    return cast("dict[str, object]", rows[0][0])


def _layered(
    collection: str, query: Vector, shallow_query: Vector | None, shallow_model: str, options: LayerOptions
) -> dict[str, object]:
    shallow_dims, oversample, recall = options.get("shallow_dims"), options.get("oversample"), options.get("recall")
    return {
        "collection": collection,
        "query": _query_text(query),
        "shallow_query": None if shallow_query is None else _query_text(shallow_query),
        "shallow_model": shallow_model,
        "k": whole_number("k", options.get("k", 10)),
        "filter": json_text(options.get("filter")),
        "model": options.get("model"),
        "embedding": options.get("embedding", "default"),
        "shallow_dims": None if shallow_dims is None else whole_number("shallow_dims", shallow_dims),
        "oversample": None if oversample is None else whole_number("oversample", oversample),
        "recall": None if recall is None else finite_number("recall", recall),
    }


@dataclass(frozen=True, slots=True)
class LayerRecall:
    """What a shallow model finds: the share of the true ten among the best ``kept`` by its first ``dims`` numbers."""

    dims: int
    kept: int
    mean_recall: float
    queries: int


def measure_layers(
    collection: str,
    shallow_model: str,
    *,
    model: str | None = None,
    embedding: str = "default",
    shallow_dims: int | None = None,
    map: str | None = None,  # noqa: A002 -- named as in SQL
    searches: int = 40,
    seed: int = 0,
) -> Steps[list[LayerRecall]]:
    """Measure what a shallow model finds of the whole model's answers, by which `search_layers` keeps a recall.

    Args:
        collection: the collection's name.
        shallow_model: a layer of the model, or one that the map leads to.
        model: the whole model; by default the active version's.
        embedding: the embedding of the collection.
        shallow_dims: a prefix of the shallow model; by default the shortest that an index is on.
        map: one from the model to the shallow model, which queries are mapped by.
        searches: how many rows are queries.
        seed: the same one takes the same rows.

    Raises:
        ForeignLayer: the shallow model is no layer of the other, or the map leads elsewhere.
        UnknownMap: there is no such map.
        WrongState: no row has vectors under both models.
    """
    rows = yield from _rows(
        "pgsim.measure_layers",
        collection=collection,
        shallow_model=shallow_model,
        model=model,
        embedding=embedding,
        shallow_dims=None if shallow_dims is None else whole_number("shallow_dims", shallow_dims),
        map=map,
        searches=whole_number("searches", searches),
        seed=whole_number("seed", seed),
    )
    return [LayerRecall(*cast("tuple[int, int, float, int]", row)) for row in rows]


def create_fusion(
    collection: str,
    name: str,
    *,
    method: str = "minmax",
    weights: Mapping[str, float] | None = None,
    rank_constant: float | None = None,
    candidates: int | None = None,
    report: Mapping[str, object] | None = None,
    replace: bool = False,
) -> Steps[str]:
    """Keep a fusion under a name, which searches give as ``fusion``; its name. ``weights``: dense and text .5 each."""
    rows = yield from _rows(
        "pgsim.create_fusion",
        collection=collection,
        name=name,
        method=method,
        weights=json_text(weights),
        rank_constant=rank_constant,
        candidates=None if candidates is None else whole_number("candidates", candidates),
        report=json_text(report),
        replace=replace,
    )
    return cast("str", rows[0][0])


def drop_fusion(collection: str, name: str) -> Steps[None]:
    """Forget a fusion of a collection."""
    yield from _rows("pgsim.drop_fusion", collection=collection, name=name)


def fetch(
    collection: str, keys: Sequence[object], *, columns: Sequence[str] | None = None
) -> Steps[dict[str, dict[str, object]]]:
    """The rows of those keys, in their order, as mappings of column to value (as JSON has it).

    A key without a row, or with one that the role may not see, is left out. ``columns``: by default all but
    adopted vector columns.
    """
    rows = yield from _rows(
        "pgsim.fetch", collection=collection, keys=[_key(key) for key in keys], columns=_list(columns)
    )
    return dict(cast("list[tuple[str, dict[str, object]]]", rows))


def create_collection(
    relation: str,
    *,
    name: str | None = None,
    key_columns: Sequence[str] | None = None,
    text_columns: Sequence[str] | None = None,
    text_config: str | None = None,
    filter_columns: Sequence[str] | None = None,
) -> Steps[str]:
    """Register a table, written as in SQL (``schema.table``, quoted where SQL needs quotes); the collection's name."""
    if not (yield from _is_relation(relation)):
        raise UnknownRelation(
            f"no table {relation!r} on the search_path",
            hint='Write it as SQL does: schema.table, with double quotes around capitals: "Docs".',
        )
    rows = yield from _rows(
        "pgsim.create_collection",
        relation=relation,
        name=name,
        key_columns=_list(key_columns),
        text_columns=_list(text_columns),
        text_config=text_config,
        filter_columns=_list(filter_columns),
    )
    return cast("str", rows[0][0])


def create_model(
    name: str,
    dim: int,
    *,
    metric: str = "cosine",
    element: str = "vector",
    matryoshka: Sequence[int] | None = None,
    layer: int | None = None,
    query_prefix: str | None = None,
    document_prefix: str | None = None,
    properties: Mapping[str, object] | None = None,
    slices: Mapping[str, str | range] | None = None,
) -> Steps[str]:
    """Register an embedding model, at one revision; its name.

    ``slices``: parts of the vector by their names, each a range of dimensions, which count from 1: ``range(1, 129)`` or
    ``"[1,129)"`` are the first 128. `create_index` takes the option ``slice``, a leg of a search the property.
    """
    rows = yield from _rows(
        "pgsim.create_model",
        name=name,
        dim=dim,
        metric=metric,
        element=element,
        matryoshka=None if matryoshka is None else list(matryoshka),
        layer=layer,
        query_prefix=query_prefix,
        document_prefix=document_prefix,
        properties=json_text(properties),
        slices=None if slices is None else json_text({each: _dimensions(part) for each, part in slices.items()}),
    )
    return cast("str", rows[0][0])


def _dimensions(part: str | range) -> str:
    if not isinstance(part, range):
        return part
    if part.step != 1:
        raise InvalidArgument(f"slice {part!r} has a step", hint="A slice is a run of dimensions: range(1, 129).")
    return f"[{part.start},{part.stop})"


def enable_text(
    collection: str,
    *,
    text_config: str | None = None,
    weights: Mapping[str, float] | None = None,
    k1: float = 1.2,
    b: float = 0.75,
    backend: str = "pgsim",
) -> Steps[None]:
    """Make a text index of a collection, so that ``text_query`` ranks its rows by BM25.

    Writers wait at its end, until the transaction ends; `pgsim.indexes.enable_text_concurrently` makes it in steps.

    Args:
        collection: the collection's name.
        text_config: a text search configuration; by default the collection's.
        weights: how often a word of each column counts: ``{"title": 3, "body": 1}``.
        k1: how much more a word counts that comes again.
        b: how much less a word counts in a longer text, 0 to 1.
        backend: who keeps the index: ``pg_textsearch`` or ``pg_search`` where installed, by default pgsim itself.
    """
    yield from _rows(
        "pgsim.enable_text",
        collection=collection,
        text_config=text_config,
        weights=json_text(weights),
        k1=finite_number("k1", k1),
        b=finite_number("b", b),
        backend=backend,
    )


def disable_text(collection: str) -> Steps[None]:
    """Drop the text index of a collection; the table stays as it is."""
    yield from _rows("pgsim.disable_text", collection=collection)


def text_statistics(collection: str) -> Steps[TextStatistics]:
    """What the text index of a collection holds."""
    rows = yield from _rows("pgsim.text_statistics", collection=collection)
    return TextStatistics(*cast("tuple[int | None, int | None, float | None, int | None, int | None]", rows[0]))


def snippet(
    collection: str,
    key: object,
    query: str,
    *,
    options: Mapping[str, object] | None = None,
    text_form: str = "any",
) -> Steps[str | None]:
    """A piece of a row's text with the words of a query marked; None of a row that is not there, or not to be seen.

    Args:
        collection: the collection's name.
        key: the row's key, as searches return it.
        query: the words, as the search had them.
        options: ``start`` and ``stop`` of a mark, ``max_words``, ``fragments``, ``whole``, ``column``.
        text_form: as the search had it.
    """
    rows = yield from _rows(
        "pgsim.snippet",
        collection=collection,
        key=_key(key),
        query=query,
        options=json_text(options),
        text_form=text_form,
    )
    return cast("str | None", rows[0][0])


def create_embedding(collection: str, name: str, source_columns: Sequence[str]) -> Steps[str]:
    """Declare another named vector of a collection; its name."""
    rows = yield from _rows(
        "pgsim.create_embedding", collection=collection, name=name, source_columns=list(source_columns)
    )
    return cast("str", rows[0][0])


def create_version(
    collection: str, model: str, *, embedding: str = "default", column_name: str | None = None
) -> Steps[int]:
    """Give an embedding a version under a model, in a table of its own or in an adopted column; the version's id."""
    rows = yield from _rows(
        "pgsim.create_version",
        collection=collection,
        model=model,
        embedding=embedding,
        column_name=column_name,
    )
    return cast("int", rows[0][0])


def create_index(
    collection: str,
    model: str | None = None,
    *,
    embedding: str = "default",
    dims: int | None = None,
    element: str | None = None,
    method: str = "hnsw",
    where_filter: Mapping[str, object] | None = None,
    options: Mapping[str, object] | None = None,
) -> Steps[str]:
    """Build a vector index in a transaction, while writes wait; its name. `pgsim.indexes` builds without that."""
    rows = yield from _rows(
        "pgsim.create_index",
        ("model",),
        collection=collection,
        model=model,
        embedding=embedding,
        dims=dims,
        element=element,
        method=method,
        where_filter=json_text(where_filter),
        options=json_text(options),
    )
    return str(rows[0][0])


def upsert(
    collection: str,
    model: str,
    keys: Sequence[object],
    vectors: Vectors | None = None,
    *,
    embedding: str = "default",
    source_hashes: Sequence[bytes] | None = None,
    skip_absent: bool = False,
    sparse_vectors: Sequence[Sparse] | None = None,
) -> Steps[int]:
    """Store vectors ``(n, d)`` under a model, row i for ``keys[i]``; how many. All of them, or none.

    ``sparse_vectors``: instead, under a sparse model: each a `pgvector.SparseVector`, or a mapping of index (from 0) to
    weight.

    A key of several columns is a mapping or a JSON text of them. ``source_hashes``: SHA-256 of the text each vector
    was made from, when it was read earlier. ``skip_absent``: leave out keys of rows that are gone.

    Raises:
        InvalidVector: the vectors are not ``(n, d)`` of finite float32 numbers, or a sparse one is none; and what the
            SQL function raises.
    """
    sparse = None
    if sparse_vectors is not None:
        width = None
        if any(isinstance(each, Mapping) for each in sparse_vectors):
            widths = yield from _query("SELECT (pgsim._model_row(%(model)s)).dim", _checked({"model": model}))
            width = cast("int", widths[0][0])
        sparse = sparse_vectors_text(sparse_vectors, width)
    rows = yield from _rows(
        "pgsim.upsert",
        collection=collection,
        model=model,
        keys=[_key(key) for key in keys],
        vectors=None if vectors is None else vectors_text(as_vectors(vectors)),
        embedding=embedding,
        source_hashes=None if source_hashes is None else list(source_hashes),
        skip_absent=skip_absent,
        sparse_vectors=sparse,
    )
    return cast("int", rows[0][0])


def enqueue_missing(
    collection: str, model: str | None = None, *, embedding: str = "default", order_by: str | None = None
) -> Steps[int]:
    """Queue the rows that have no vector and are not queued; how many.

    ``order_by``: ``recency`` (last written first), ``hot`` (found most often by recorded searches), or SQL over the
    table, never from users: what was queued in another order is queued anew.
    """
    rows = yield from _rows(
        "pgsim.enqueue_missing", collection=collection, model=model, embedding=embedding, order_by=order_by
    )
    return cast("int", rows[0][0])


def pause_backfill(
    collection: str, model: str | None = None, *, embedding: str = "default", reason: str | None = None
) -> Steps[None]:
    """Hold all workers of a version before their next call of an embedder, wherever they run."""
    yield from _rows("pgsim.pause_backfill", collection=collection, model=model, embedding=embedding, reason=reason)


def resume_backfill(collection: str, model: str | None = None, *, embedding: str = "default") -> Steps[None]:
    """Let the workers of a version go on."""
    yield from _rows("pgsim.resume_backfill", collection=collection, model=model, embedding=embedding)


def limit_backfill(
    collection: str,
    model: str | None = None,
    *,
    embedding: str = "default",
    calls_a_second: float | None = None,
    rows_a_second: float | None = None,
    calls_a_day: int | None = None,
    tokens_a_day: int | None = None,
    money_a_day: float | None = None,
    price: float | None = None,
) -> Steps[None]:
    """Set how fast the workers of a version may go, all together, and what they may spend on a day (UTC).

    Args:
        collection: the collection's name.
        model: the model whose version it is; by default the active one's.
        embedding: the embedding of the collection.
        calls_a_second: calls of the embedder.
        rows_a_second: rows given to it.
        calls_a_day: of the embedder.
        tokens_a_day: given to it.
        money_a_day: in the money of ``price``.
        price: of 1000 tokens.

    Limits that stood before are replaced: what is None has none.
    """
    limits = {
        "calls_a_second": calls_a_second,
        "rows_a_second": rows_a_second,
        "calls_a_day": calls_a_day,
        "tokens_a_day": tokens_a_day,
        "money_a_day": money_a_day,
        "price": price,
    }
    # As text: PostgreSQL reads each as the type of its parameter.
    given = {name: None if limit is None else _limit(name, limit) for name, limit in limits.items()}
    types = {"calls_a_second": "float8", "rows_a_second": "float8", "money_a_day": "numeric", "price": "numeric"}
    named = ", ".join(f"{name} => %({name})s::{types.get(name, 'bigint')}" for name in limits)
    yield from _query(
        f"SELECT pgsim.limit_backfill(%(collection)s, %(model)s, %(embedding)s, {named})",
        _checked({"collection": collection, "model": model, "embedding": embedding, **given}),
    )


def _limit(name: str, limit: float) -> str:
    number = finite_number(name, limit)
    if name not in {"calls_a_day", "tokens_a_day"}:
        return repr(number)
    if number != int(number) or abs(number) >= 2**63:
        raise InvalidArgument(f"{name} is {limit!r}, not a whole number below 2**63", hint="Give a whole number.")
    return str(int(number))


def retry_poison(
    collection: str,
    model: str | None = None,
    *,
    embedding: str = "default",
    keys: Sequence[object] | None = None,
) -> Steps[int]:
    """Queue rows again that were set aside because they could not be embedded; how many."""
    given = None if keys is None else [_key(key) for key in keys]
    rows = yield from _rows("pgsim.retry_poison", collection=collection, model=model, embedding=embedding, keys=given)
    return cast("int", rows[0][0])


@dataclass(frozen=True, slots=True)
class Backfill:
    """How far a version is. ``pending`` rows wait, ``taken`` are with ``workers``, ``poison`` are set aside.

    ``done``: rows that workers have stored; ``rate``: rows a second of late; ``eta``: when all will be done at it.
    What was spent is that of today (UTC); a limit that is None is none.
    """

    collection: str
    embedding: str
    model: str
    state: str
    pending: int
    taken: int
    done: int
    poison: int
    workers: int
    rate: float | None
    eta: datetime.timedelta | None
    paused_at: datetime.datetime | None
    paused_by: str | None
    reason: str | None
    calls_a_second: float | None
    rows_a_second: float | None
    calls_today: int
    calls_a_day: int | None
    tokens_today: int
    tokens_a_day: int | None
    money_today: float
    money_a_day: float | None
    price: float | None


_BackfillRow: TypeAlias = tuple[
    str, str, str, str, int, int, int, int, int, float | None, datetime.timedelta | None, datetime.datetime | None,
    str | None, str | None, float | None, float | None, int, int | None, int, int | None, float, float | None,
    float | None,
]  # fmt: skip


def backfill_progress(collection: str, model: str | None = None, *, embedding: str = "default") -> Steps[Backfill]:
    """How far the workers of a version are, and what they have spent today."""
    rows = yield from _query(
        "SELECT p.collection, p.embedding, p.model, p.state, p.pending, p.taken, p.done, p.poison, p.workers, p.rate, "
        "p.eta, p.paused_at, p.paused_by, p.reason, p.calls_a_second, "
        "p.rows_a_second, p.calls_today, p.calls_a_day, p.tokens_today, p.tokens_a_day, "
        "p.money_today::float8, p.money_a_day::float8, p.price::float8 "
        "FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t JOIN pgsim.backfill_progress AS p "
        "ON (p.collection, p.model, p.embedding) = (t.collection, t.model, %(embedding)s)",
        _checked({"collection": collection, "model": model, "embedding": embedding}),
    )
    return Backfill(*cast("_BackfillRow", rows[0]))


def finish_batch(batch: int, failed: Mapping[str, str] | None = None) -> Steps[int]:
    """Say that a batch of the SQL function ``next_batch`` is done; how many of its rows went back into the queue.

    ``failed``: rows that cannot be embedded, by their keys, and why: they are set aside.
    """
    rows = yield from _query(
        "SELECT pgsim.finish_batch(%(batch)s::bigint, %(failed)s::jsonb)",
        _checked({"batch": str(whole_number("batch", batch)), "failed": json_text(failed)}),
    )
    return cast("int", rows[0][0])


def sync_privileges(collection: str) -> Steps[None]:
    """Bring a collection's tables up to its base table's grants, row-level security and partitions."""
    yield from _rows("pgsim.sync_privileges", collection=collection)


def drop_index(index: str) -> Steps[None]:
    """Drop an index that pgsim made, named as in SQL."""
    if not (yield from _is_relation(index)):
        raise UnknownIndex(
            f"no index {index!r} on the search_path",
            hint="Write it as SQL does: schema.name. `pgsim index list` and the view pgsim.indexes list them.",
        )
    yield from _rows("pgsim.drop_index", index=index)


def drop_version(
    collection: str, model: str, *, embedding: str = "default", force: bool = False, reason: str | None = None
) -> Steps[None]:
    """Drop a version with its table and indexes; an adopted column stays."""
    yield from _rows(
        "pgsim.drop_version", collection=collection, model=model, embedding=embedding, force=force, reason=reason
    )


def activate(
    collection: str, model: str, *, embedding: str = "default", force: bool = False, reason: str | None = None
) -> Steps[str | None]:
    """Make a version the one that answers searches; the model it takes the place of, None where it was active already.

    Raises:
        NotReady: rows lack vectors or wait for one, an index is missing or broken, or a gate is not passed; ``detail``
            lists every reason. With ``force`` it is activated all the same, which is put on record.
    """
    rows = yield from _rows(
        "pgsim.activate", collection=collection, model=model, embedding=embedding, force=force, reason=reason
    )
    return cast("str | None", rows[0][0])


def rollback(collection: str, *, embedding: str = "default", reason: str | None = None) -> Steps[str]:
    """Go back to the version that was active before; its model.

    Raises:
        WrongState: there was none before, or it was retired or dropped since.
    """
    rows = yield from _rows("pgsim.rollback", collection=collection, embedding=embedding, reason=reason)
    return cast("str", rows[0][0])


def retire(collection: str, model: str, *, embedding: str = "default", reason: str | None = None) -> Steps[None]:
    """Put a version out of use: its vectors stay, are not kept up with changes, and are not searched."""
    yield from _rows("pgsim.retire", collection=collection, model=model, embedding=embedding, reason=reason)


def revive(collection: str, model: str, *, embedding: str = "default", reason: str | None = None) -> Steps[None]:
    """Take a retired version up again; then embed what is missing (`enqueue_missing`, `embed`), and `activate` it."""
    yield from _rows("pgsim.revive", collection=collection, model=model, embedding=embedding, reason=reason)


def mark_ready(collection: str, model: str, *, embedding: str = "default") -> Steps[int]:
    """Compare a version with its table: how many rows lack a vector. At 0 it is ready to be activated."""
    rows = yield from _rows("pgsim.mark_ready", collection=collection, model=model, embedding=embedding)
    return cast("int", rows[0][0])


_TransitionRow: TypeAlias = tuple[
    str, str, str, str, str | None, str | None, str | None, bool, str | None, dict[str, object], datetime.datetime, str,
]  # fmt: skip


def history(collection: str | None = None, *, embedding: str | None = None) -> Steps[list[Transition]]:
    """Every step in the life of every version, of one collection or of all, the first one first."""
    rows = yield from _query(
        "SELECT h.collection, h.embedding, h.model, h.action, h.from_state, h.to_state, h.previous_model, h.forced, "
        "h.reason, h.gates, h.at, h.by_role FROM pgsim.history AS h "
        "WHERE h.collection = coalesce(%(collection)s, h.collection) "
        "AND h.embedding = coalesce(%(embedding)s, h.embedding) ORDER BY h.id",
        _checked({"collection": collection, "embedding": embedding}),
    )
    return [Transition(*cast("_TransitionRow", row)) for row in rows]


def eject(
    collection: str,
    *,
    embedding: str = "default",
    column_name: str | None = None,
    table_name: str | None = None,
    reason: str | None = None,
) -> Steps[str]:
    """Give the active version's vectors back as plain pgvector, out of pgsim's care; the table where they are.

    Args:
        column_name: of the base table, which takes them; `copy_vectors` fills it beforehand.
        table_name: what the version's own table is called beside the base table; by default that one's name and
            ``_vectors``.
    """
    rows = yield from _query(
        "SELECT pgsim.eject(%(collection)s, %(embedding)s, %(column_name)s, %(table_name)s, %(reason)s)::text",
        _checked(
            {
                "collection": collection,
                "embedding": embedding,
                "column_name": column_name,
                "table_name": table_name,
                "reason": reason,
            }
        ),
    )
    return cast("str", rows[0][0])


def copy_vectors(
    collection: str,
    column_name: str,
    *,
    embedding: str = "default",
    after: object | None = None,
    size: int | None = None,
) -> Steps[str | None]:
    """Copy some of the active version's vectors into a column; the last key, None when no row is left.

    Args:
        after: the key that the call before returned.
        size: how many rows (10,000).
    """
    rows = yield from _rows(
        "pgsim.copy_vectors",
        collection=collection,
        column_name=column_name,
        embedding=embedding,
        after=None if after is None else _key(after),
        size=None if size is None else whole_number("size", size),
    )
    return cast("str | None", rows[0][0])


def chores(*, grace: datetime.timedelta | None = None, audit: int | None = None) -> Steps[dict[str, object]]:
    """Do what should be done now and then: expiry, statistics and an audit; what was found.

    Args:
        grace: versions retired longer ago are dropped (30 days).
        audit: by how many searches the recall of each active version's index is measured (20); 0 not at all.
    """
    rows = yield from _rows(
        "pgsim.chores", grace=_span(grace), audit=None if audit is None else whole_number("audit", audit)
    )
    return cast("dict[str, object]", rows[0][0])


def schedule_chores(
    *, schedule: str | None = None, grace: datetime.timedelta | None = None, audit: int | None = None
) -> Steps[int]:
    """Have pg_cron do the `chores`; the job's id.

    Raises:
        WrongState: the database has no pg_cron; run ``pgsim chores`` from outside.
    """
    rows = yield from _rows(
        "pgsim.schedule_chores",
        schedule=schedule,
        grace=_span(grace),
        audit=None if audit is None else whole_number("audit", audit),
    )
    return cast("int", rows[0][0])


def _span(span: datetime.timedelta | None) -> str | None:
    return None if span is None else f"{span.total_seconds()} seconds"


def set_gate(
    collection: str,
    name: str,
    minimum: float | None,
    *,
    embedding: str = "default",
    max_age: datetime.timedelta | None = None,
) -> Steps[None]:
    """Ask of every version that it reached a quality before it is activated.

    Args:
        name: ``recall`` or ``mrr``, which `measure_quality` measures, or a name of yours for `record_quality`.
        minimum: None takes the gate away.
        max_age: how old the measurement may be (7 days).
    """
    yield from _rows(
        "pgsim.set_gate",
        ("minimum",),
        collection=collection,
        name=name,
        minimum=None if minimum is None else finite_number("minimum", minimum),
        embedding=embedding,
        max_age=_span(max_age),
    )


def record_quality(
    collection: str,
    model: str,
    name: str,
    value: float,
    *,
    embedding: str = "default",
    details: Mapping[str, object] | None = None,
) -> Steps[None]:
    """Note what was measured of a version, for its gate: higher is better."""
    yield from _rows(
        "pgsim.record_quality",
        collection=collection,
        model=model,
        name=name,
        value=finite_number("value", value),
        embedding=embedding,
        details=json_text(details),
    )


def measure_quality(
    collection: str,
    model: str,
    labelled: Sequence[tuple[Vector, Sequence[object]]] | None = None,
    *,
    embedding: str = "default",
    k: int | None = None,
    sample: int | None = None,
) -> Steps[float]:
    """Measure a version and record it for its gate: ``recall``, or with labelled queries ``mrr``.

    Args:
        labelled: query vectors ``(d,)`` of this model, each with the keys that answer it.
        k: how many rows each search gives (10).
        sample: rows to search for, where there are no labelled queries (100).
    """
    given = None
    if labelled is not None:
        given = json_text(
            [
                {"query": [float(number) for number in as_vector(query)], "keys": [_key(key) for key in keys]}
                for query, keys in labelled
            ]
        )
    rows = yield from _rows(
        "pgsim.measure_quality",
        collection=collection,
        model=model,
        labelled=given,
        embedding=embedding,
        k=None if k is None else whole_number("k", k),
        sample=None if sample is None else whole_number("sample", sample),
    )
    return cast("float", rows[0][0])


def drop_embedding(collection: str, name: str) -> Steps[None]:
    """Drop an embedding with its versions."""
    yield from _rows("pgsim.drop_embedding", collection=collection, name=name)


def create_map(name: str, from_model: str, fitted: Map, *, to_model: str | None = None) -> Steps[str]:
    """Store a fitted map of a model's space, which never changes from then on; its name.

    ``to_model``: the model whose space it leads to; None where that is new, and `derive_model` makes a model of it.
    """
    rows = yield from _rows(
        "pgsim.create_map",
        name=name,
        from_model=from_model,
        to_model=to_model,
        kind=fitted.kind,
        matrix=vectors_text(fitted.matrix),
        query_matrix=None if fitted.query_matrix is None else vectors_text(fitted.query_matrix),
        bias=None if fitted.bias is None else vector_text(fitted.bias),
        normalized=fitted.normalized,
        properties=json_text(fitted.properties),
    )
    return cast("str", rows[0][0])


def fetch_map(name: str) -> Steps[Map]:
    """A stored map, to be applied to arrays."""
    rows = yield from _query(
        "SELECT kind, normalized, properties, components::text[], query_components::text[], bias::text "
        "FROM pgsim._map_row(%(name)s)",
        _checked({"name": name}),
    )
    kind, normalized, properties, matrix, queries, bias = rows[0]
    return Map(
        cast("str", kind),
        _components(matrix),
        None if queries is None else _components(queries),
        None if bias is None else _components([bias])[0],
        cast("bool", normalized),
        cast("dict[str, object]", properties),
    )


def apply_map(name: str, vector: Vector, *, side: str | None = None) -> Steps[NDArray[np.float32] | None]:
    """A vector mapped in the database, ``(d,) float32``; ``side``: row, or query. `fetch_map` maps many here."""
    rows = yield from _query(
        "SELECT a.mapped::text FROM pgsim.apply_map(%(name)s, %(v)s, %(side)s) AS a (mapped)",
        _checked({"name": name, "v": vector_text(as_vector(vector)), "side": side or "row"}),
    )
    return None if rows[0][0] is None else _components([rows[0][0]])[0]


def drop_map(name: str) -> Steps[None]:
    """Forget a map that no model is derived by."""
    yield from _rows("pgsim.drop_map", name=name)


def derive_model(
    name: str,
    map: str,  # noqa: A002 -- named as in SQL
    *,
    matryoshka: Sequence[int] | None = None,
    element: str | None = None,
    properties: Mapping[str, object] | None = None,
) -> Steps[str]:
    """Register a model whose vectors are another model's, mapped; its name.

    Queries and vectors of it are given in the space of the model that the map begins at.
    """
    rows = yield from _rows(
        "pgsim.derive_model",
        name=name,
        map=map,
        matryoshka=None if matryoshka is None else list(matryoshka),
        element=element,
        properties=json_text(properties),
    )
    return cast("str", rows[0][0])


def fill_batch(
    collection: str, model: str, *, embedding: str = "default", size: int | None = None, after: str | None = None
) -> Steps[tuple[int, str | None]]:
    """Map one batch of rows that a derived version lacks: how many were stored, and the last key looked at."""
    rows = yield from _rows(
        "pgsim.fill_version", collection=collection, model=model, embedding=embedding, size=size, after=after
    )
    return cast("tuple[int, str | None]", rows[0])


def missing_images(collection: str, model: str, *, embedding: str = "default") -> Steps[int]:
    """How many rows a derived version lacks of the one that it follows."""
    rows = yield from _query(
        "SELECT pgsim._map_missing(pgsim._target(%(collection)s, %(model)s, %(embedding)s))",
        _checked({"collection": collection, "model": model, "embedding": embedding}),
    )
    return cast("int", rows[0][0])


def sample_vectors(
    collection: str, model: str, *, embedding: str = "default", sample: int, seed: int = 0
) -> Steps[NDArray[np.float32]]:
    """Vectors of a sample of the rows that the caller may see, ``(n, d) float32``."""
    rows = yield from _query(
        "SELECT s.sent FROM pgsim._sent_sample(%(collection)s, %(model)s, %(embedding)s, %(sample)s, %(seed)s) "
        "AS s (sent)",
        _checked({"collection": collection, "model": model, "embedding": embedding, "sample": sample, "seed": seed}),
    )
    # pgvector sends two int16, dimensions and nothing, and then float32, all of them big-endian.
    sent = [np.frombuffer(cast("bytes", row[0]), dtype=">f4", offset=4) for row in rows]
    return np.stack(sent).astype(np.float32) if sent else np.empty((0, 0), np.float32)


def drop_model(name: str) -> Steps[None]:
    """Forget a model that no version is under."""
    yield from _rows("pgsim.drop_model", name=name)


def drop_collection(name: str) -> Steps[None]:
    """Forget a collection with its versions; the table stays as it is."""
    yield from _rows("pgsim.drop_collection", name=name)


def check(collection: str | None = None) -> Steps[list[Problem]]:
    """What is wrong with a collection, or with all; an empty list when nothing is."""
    rows = yield from _rows('pgsim."check"', collection=collection)
    return [Problem(*cast("tuple[str, str, str, str]", row)) for row in rows]


@spelled_out(RecallOptions)
def recall(collection: str, queries: Vectors | None = None, **options: Unpack[RecallOptions]) -> Steps[Recall]:
    """Measure the recall that searches get: run each query, and the exact search beside it, and compare.

    Args:
        collection: the collection's name.
        queries: vectors ``(n, d)`` as your users send; without them those of sampled rows, which are easier to find.
        sample: how many rows are sampled, 1 to 10,000.
        seed: the same one takes the same rows.
        sparse_queries: in the place of queries, of an embedding of sparse vectors.

    The other arguments, and errors, are those of `search`.
    """
    given = sql_arguments((yield from _with_width(collection, options, alone=True)))
    rows = yield from _rows("pgsim.recall", collection=collection, queries=_queries(queries), **given)
    return Recall(*cast("tuple[int, float, float, float, float, int, float, float, dict[str, int]]", rows[0]))


def calibrate(
    collection: str,
    queries: Vectors | None = None,
    *,
    model: str | None = None,
    embedding: str = "default",
    sample: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Steps[dict[str, object]]:
    """Measure what searches of a version cost and find, for the planner to know; a summary of it.

    Args:
        collection: the collection's name.
        queries: vectors ``(n, d)`` as your users send; without them those of sampled rows.
        model: the model whose version is measured; by default the active one's.
        embedding: the embedding of the collection.
        sample: how many rows are sampled; by default 200, and of large tables fewer.
        progress: called with the steps done and the steps there are, at first with 0.
    """
    of = {"collection": collection, "model": model, "embedding": embedding, "queries": _queries(queries)}
    given = _checked(of | {"sample": None if sample is None else whole_number("sample", sample)})
    parts = yield from _query(f"SELECT part, first, last FROM pgsim._calibration_parts({_CALIBRATED})", given)
    measured: list[object] = []
    if progress:
        progress(0, len(parts))
    for part, first, last in parts:
        rows = yield from _query(
            f"SELECT pgsim._calibrate_part({_CALIBRATED}, %(part)s, %(first)s, %(last)s)::text",
            given | {"part": part, "first": first, "last": last},
        )
        measured.append(rows[0][0])
        if progress:
            progress(len(measured), len(parts))
    rows = yield from _query(
        "SELECT pgsim._store_calibration(%(collection)s, %(model)s, %(embedding)s, %(measured)s::jsonb[])",
        given | {"measured": measured},
    )
    return cast("dict[str, object]", rows[0][0])


def health(
    collection: str, *, model: str | None = None, embedding: str = "default", sample: int = 1000
) -> Steps[list[Measure]]:
    """Measure what decides how well a collection can be searched, and what to do about it.

    Args:
        collection: the collection's name.
        model: the model whose version is measured; by default the active one's.
        embedding: the embedding of the collection.
        sample: rows to look at, 1 to 5,000.
    """
    rows = yield from _rows(
        "pgsim.health",
        collection=collection,
        model=model,
        embedding=embedding,
        sample=whole_number("sample", sample),
    )
    return [Measure(*cast("tuple[str, float | None, str, str, str | None]", row)) for row in rows]


def advise(
    collection: str, *, budget: int | None = None, model: str | None = None, embedding: str = "default"
) -> Steps[list[Advice]]:
    """What would make the recorded searches of a collection faster, by how much and for how many bytes.

    Args:
        collection: the collection's name.
        budget: bytes that all of it may take.
        model: the model whose version is searched; by default the active one's.
        embedding: the embedding of the collection.
    """
    given = _checked({"collection": collection, "model": model, "embedding": embedding})
    rows = yield from _query(
        "SELECT rank, kind, target, statement, searches, seconds_before, seconds_after, gain, bytes, build_seconds, "
        "reason, coalesce(arguments, '{}') "
        "FROM pgsim._advise(%(collection)s, %(budget)s::bigint, %(model)s, %(embedding)s) ORDER BY rank",
        given | {"budget": _bytes(budget)},
    )
    return [
        Advice(
            *cast(
                "tuple[int, str, str, str | None, float, float | None, float | None, float, int, float | None, str, "
                "dict[str, object]]",
                row,
            )
        )
        for row in rows
    ]


def recall_by_dims(
    collection: str,
    queries: Vectors | None = None,
    *,
    model: str | None = None,
    embedding: str = "default",
    dims: Sequence[int] | None = None,
    k: int = 10,
    keep: Sequence[int] = (10, 50, 200),
    tolerance: float = 0.01,
    sample: int = 10_000,
    searches: int = 100,
    seed: int = 0,
) -> Steps[list[PrefixRecall]]:
    """How much of the true top k the first dimensions find, on a sample of rows, and how many must be kept for it.

    Args:
        collection: the collection's name.
        queries: vectors ``(n, d)`` as your users send; without them rows of the sample, held out of the others.
        model: the model whose version is measured; by default the active one's.
        embedding: the embedding of the collection.
        dims: lengths to look at; by default the model's, or a sixth, a third, a half and the whole.
        k: how many rows a search is for, 1 to 1,000.
        keep: how many rows are kept by the prefix, to be ranked by the whole vector.
        tolerance: the recall that may be lost, for ``smallest``.
        sample: how many rows are compared, 100 to 1,000,000.
        searches: how many rows are queries when none are given.
        seed: the same one takes the same rows.
    """
    rows = yield from _rows(
        "pgsim.recall_by_dims",
        collection=collection,
        queries=_queries(queries),
        model=model,
        embedding=embedding,
        dims=None if dims is None else [whole_number("dims", length) for length in dims],
        k=whole_number("k", k),
        keep=[whole_number("keep", depth) for depth in keep],
        tolerance=finite_number("tolerance", tolerance),
        sample=whole_number("sample", sample),
        searches=whole_number("searches", searches),
        seed=whole_number("seed", seed),
    )
    return [PrefixRecall(*cast("tuple[int, int, float, int, int, int, bool, str | None]", row)) for row in rows]


def compress_advice(
    collection: str,
    queries: Vectors | None = None,
    *,
    budget_bytes: int | None = None,
    recall: float = 0.99,
    model: str | None = None,
    embedding: str = "default",
    k: int = 10,
    sample: int = 10_000,
    searches: int = 100,
    seed: int = 0,
) -> Steps[list[Compression]]:
    """Which vector index finds most in a budget of bytes, each built and searched on a sample of rows; best first.

    Args:
        collection: the collection's name.
        queries: vectors ``(n, d)`` as your users send; without them rows of the sample, held out of the others.
        budget_bytes: what the index may take for all rows; None tells all sizes.
        recall: the share of the exact answer that it has to find.
        model: the model whose version is measured; by default the active one's.
        embedding: the embedding of the collection.
        k: how many rows a search is for, 1 to 1,000.
        sample: how many rows are copied, 100 to 1,000,000.
        searches: how many rows are queries when none are given.
        seed: the same one takes the same rows.
    """
    given = _checked(
        {
            "collection": collection,
            "recall": finite_number("recall", recall),
            "model": model,
            "embedding": embedding,
            "k": whole_number("k", k),
            "queries": _queries(queries),
            "sample": whole_number("sample", sample),
            "searches": whole_number("searches", searches),
            "seed": whole_number("seed", seed),
        }
    )
    rows = yield from _query(
        "SELECT * FROM pgsim.compress_advice(%(collection)s, %(budget)s::bigint, %(recall)s, %(model)s, %(embedding)s, "
        "%(k)s, %(queries)s, %(sample)s, %(searches)s, %(seed)s)",
        given | {"budget": _bytes(budget_bytes)},
    )
    return [
        Compression(
            *cast(
                "tuple[int | None, str, int, str, bool, bool, float, int, float | None, float | None, int | None, "
                "int | None, int, str | None, str]",
                row,
            )
        )
        for row in rows
    ]


def record_searches(
    collection: str,
    *,
    share: float | None = None,
    audit_share: float | None = None,
    values: bool | None = None,
) -> Steps[None]:
    """Set which part of a collection's searches is noted down, and which is audited; what is None stays as it is.

    Args:
        collection: the collection's name.
        share: of all searches, the part whose filter shape, strategy, counts and time are kept, 0 to 1.
        audit_share: the part that is also answered exactly, to know its recall, 0 to 1.
        values: keep filters with their values, which may be personal data; otherwise only their shapes.
    """
    yield from _rows(
        "pgsim.record_searches", collection=collection, share=share, audit_share=audit_share, values=values
    )


def forget_searches(collection: str, *, before: datetime.datetime | None = None) -> Steps[int]:
    """Delete what was recorded of a collection's searches, all of it or what is older than a time; how many."""
    rows = yield from _rows("pgsim.forget_searches", collection=collection, before=before)
    return cast("int", rows[0][0])


def active_model(collection: str, *, model: str | None = None, embedding: str = "default") -> Steps[Model]:
    """The model that answers for an embedding, or the one named, which must have a version there."""
    rows = yield from _query(
        "SELECT m.name, m.input_dim, m.query_prefix, m.document_prefix "
        "FROM pgsim._target(%(collection)s::text, %(model)s::text, %(embedding)s::text) AS t "
        "JOIN pgsim.models AS m ON m.name = t.model",
        _checked({"collection": collection, "model": model, "embedding": embedding}),
    )
    return Model(*cast("tuple[str, int, str, str]", rows[0]))


def embedded_model(collection: str, *, model: str | None = None, embedding: str = "default") -> Steps[Model]:
    """`active_model`, and of a derived one the model that it follows: what an embedder is asked for."""
    rows = yield from _query(
        "SELECT CASE WHEN t.follows IS NULL THEN t.model ELSE (pgsim._followed(t)).model END "
        "FROM pgsim._target(%(collection)s::text, %(model)s::text, %(embedding)s::text) AS t",
        _checked({"collection": collection, "model": model, "embedding": embedding}),
    )
    return (yield from active_model(collection, model=str(rows[0][0]), embedding=embedding))


def pending(collection: str, model: str, *, embedding: str = "default") -> Steps[int]:
    """How many rows wait to be embedded."""
    rows = yield from _query(
        "SELECT p.pending + p.pending_deletes FROM pgsim.backfill_progress AS p "
        "WHERE p.collection = %(collection)s AND p.model = %(model)s AND p.embedding = %(embedding)s",
        _checked({"collection": collection, "model": model, "embedding": embedding}),
    )
    if not rows:
        raise UnknownVersion(
            f"collection {collection!r} has no embedding {embedding!r} with a version under model {model!r}",
            hint="The view pgsim.versions lists them.",
        )
    return int(cast("int", rows[0][0]))


def begin_embedding(collection: str, model: str, *, embedding: str) -> Steps[int]:
    """Queue all that has no vector, what was set aside too; how many rows wait."""
    yield from retry_poison(collection, model, embedding=embedding)
    yield from enqueue_missing(collection, model, embedding=embedding)
    return (yield from pending(collection, model, embedding=embedding))


def settle(collection: str, model: Model, *, embedding: str = "default") -> Steps[None]:
    """After embedding: `mark_ready`, where the version is being built."""
    rows = yield from _query(
        "SELECT t.state FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t",
        _checked({"collection": collection, "model": model.name, "embedding": embedding}),
    )
    if rows[0][0] == "building":
        yield from mark_ready(collection, model.name, embedding=embedding)


def check_width(embedder: Embedder, model: Model) -> Steps[None]:
    """Embed a word, so that a wrong model fails before any row is taken.

    Raises:
        DimensionMismatch: the embedder's vectors are not as wide as the model's.
    """
    try:
        yield from work(partial(checked_query, embedder, model.query_prefix + "width", model.dim))
    except DimensionMismatch as error:
        raise DimensionMismatch(
            f"the embedder is not of model {model.name!r}: {error.message}",
            hint="Name the model it is of (model=...), or give that model's embedder.",
        ) from error


def check_embedder(embedder: Embedder, model: str, *, tolerance: float | None = None) -> Steps[float]:
    """Compare what an embedder gives for a model's probe texts with what is kept; the greatest difference.

    Args:
        tolerance: what may lie between two runs of one model, as a share of the vector's length (0.05).

    Raises:
        ModelChanged: it is another model, another revision, or has another prefix or instruction.
        WrongState: the model has no probes yet; `embed` keeps some when it embeds its first rows.
    """
    rows = yield from _query(
        "SELECT m.name, m.dim, m.query_prefix, m.document_prefix FROM pgsim._embedded_model(%(model)s) AS m",
        _checked({"model": model}),
    )
    of = Model(*cast("tuple[str, int, str, str]", rows[0])) if rows else Model(model, 0, "", "")
    probes = yield from _query(
        "SELECT p.kind, array_agg(p.text ORDER BY p.text) FROM pgsim._probe AS p "
        "JOIN pgsim._embedded_model(%(model)s) AS m ON m.id = p.model_id GROUP BY p.kind ORDER BY p.kind",
        _checked({"model": model}),
    )
    farthest = 0.0
    # A model that is not there, or has no probes, is refused by the SQL function.
    for kind, texts in cast("list[tuple[str, list[str]]]", probes or [("document", ["none"])]):
        vectors = (yield from _probed(embedder, of, kind, texts)) if probes else np.ones((1, 1), np.float32)
        rows = yield from _rows(
            "pgsim.check_probes",
            model=model,
            texts=texts,
            vectors=vectors_text(vectors),
            kind=kind,
            tolerance=None if tolerance is None else finite_number("tolerance", tolerance),
        )
        farthest = max(farthest, cast("float", rows[0][0]))
    return farthest


def set_probes(model: str, texts: Sequence[str], vectors: Vectors, *, kind: str = "document") -> Steps[None]:
    """Keep the vectors ``(n, d)`` that a model gives for some texts, by which `check_embedder` knows it again.

    Args:
        texts: without the model's prefix; the vectors are of the prefix and the text.
        kind: ``document`` or ``query``.
    """
    yield from _rows(
        "pgsim.set_probes", model=model, texts=_list(texts), vectors=vectors_text(as_vectors(vectors)), kind=kind
    )


def recognise(embedder: Embedder, model: Model) -> Steps[None]:
    """`check_embedder`, or of a model that has no probes yet keep some, so that it is known the next time.

    A model whose properties say ``{"probes": false}`` is not asked.
    """
    rows = yield from _query(
        "SELECT m.element = 'sparsevec' OR m.properties -> 'probes' = 'false', "
        "(SELECT count(*) FROM pgsim._probe AS p WHERE p.model_id = m.id) "
        "FROM pgsim._embedded_model(%(model)s) AS m",
        _checked({"model": model.name}),
    )
    if rows[0][0]:
        return
    if rows[0][1]:
        yield from check_embedder(embedder, model.name)
        return
    for kind in ("document", "query"):
        vectors = yield from _probed(embedder, model, kind, _PROBES)
        # A model of words alone may know none of a text's: a vector of zeros tells nothing.
        told = np.flatnonzero(vectors.any(axis=1))
        if told.size:
            yield from set_probes(model.name, [_PROBES[i] for i in told], vectors[told], kind=kind)


def _probed(embedder: Embedder, model: Model, kind: str, texts: Sequence[str]) -> Steps[NDArray[np.float32]]:
    if kind == "document":
        documents = [model.document_prefix + text for text in texts]
        return (yield from work(partial(checked_documents, embedder, documents, model.dim)))
    queries = [model.query_prefix + text for text in texts]
    return (yield from work(lambda: np.stack([checked_query(embedder, text, model.dim) for text in queries])))


def _rows(function: str, required: Sequence[str] = (), /, **arguments: object) -> Steps[list[Row]]:
    given = {name: value for name, value in arguments.items() if value is not None or name in required}
    named = ", ".join(f'"{name}" => %({name})s' for name in given)
    return (yield from _query(f"SELECT * FROM {function}({named})", _checked(given)))


def _components(texts: object) -> NDArray[np.float32]:
    return np.array([json.loads(text) for text in cast("list[str]", texts)], dtype=np.float32)


def _with_width(collection: str, options: Mapping[str, object], *, alone: bool) -> Steps[dict[str, object]]:
    """The options, with sparse queries that are mappings given the width of the model that they search."""
    one, many = options.get("sparse_query"), cast("Sequence[object] | None", options.get("sparse_queries"))
    if not isinstance(one, Mapping) and not any(isinstance(each, Mapping) for each in many or ()):
        return dict(options)
    # Beside a dense query model and embedding are that query's.
    named = {name: options.get(name) for name in ("model", "embedding")} if alone else {}
    rows = yield from _query(
        "SELECT dim FROM pgsim._sparse_target(%(collection)s, %(model)s, %(embedding)s)",
        _checked(
            {
                "collection": collection,
                "model": named.get("model"),
                "embedding": named.get("embedding") or "default",
            }
        ),
    )
    width = cast("int", rows[0][0])
    given = {
        "sparse_query": _sparse(one, width),
        "sparse_queries": None if many is None else [_sparse(each, width) for each in many],
    }
    return {**options, **given}


def _sparse(vector: object, width: int) -> object:
    return SparseVector.from_text(sparse_text(vector, width)) if isinstance(vector, Mapping) else vector


def _hit(row: Sequence[object]) -> Hit:
    return Hit(*cast("tuple[str, float, float | None, int, dict[str, object]]", row))


def _query_text(query: Vector | None) -> str | None:
    return None if query is None else vector_text(as_vector(query))


def _queries(queries: Vectors | None) -> str | None:
    return None if queries is None else vectors_text(as_vectors(queries))


def _bytes(number: object) -> int | None:
    if number is None or (isinstance(number, Integral) and not isinstance(number, bool) and abs(int(number)) < 2**63):
        return None if number is None else int(number)
    raise InvalidArgument(f"budget is {number!r}, not a number of bytes", hint="Give a whole number below 2**63.")


def _is_relation(name: str) -> Steps[bool]:
    try:
        rows = yield from _query("SELECT to_regclass(%(name)s) IS NOT NULL", _checked({"name": name}))
    except (psycopg.ProgrammingError, psycopg.NotSupportedError):
        return False  # not even the form of a name; the error that follows ends the transaction
    return bool(rows[0][0])


def _checked(parameters: dict[str, object]) -> dict[str, object]:
    return {name: _parameter(name, value) for name, value in parameters.items()}


def _parameter(name: str, value: object) -> object:
    if name in _SHARES and value is not None:
        return finite_number(name, value)
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and not is_storable(each):
            raise InvalidArgument(
                f"{name} holds a character that PostgreSQL text cannot: NUL, or half of a surrogate pair",
                hint="Remove it, or replace it.",
            )
        whole = isinstance(each, Integral)
        if not (whole or isinstance(each, _TAKEN)) or (whole and not -(2**31) <= int(cast("int", each)) < 2**31):
            raise InvalidArgument(
                f"{name} is {each!r}, of type {type(each).__name__}",
                hint="Give text, or a whole number below 2147483648, as the SQL function takes it.",
            )
    return value


def _list(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _key(key: object) -> str:
    if key is None:
        raise InvalidKey("a key is None", hint="Give each row's key; of several columns a mapping of them.")
    if isinstance(key, Mapping):
        return str(json_text(key))
    return str(key)
