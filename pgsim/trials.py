"""Trying vector indexes on a copy of the user's own rows: what `Database.tune_index` and `tune_prefixes` carry out.

The copy is a temporary table, which nobody else can read, and which is gone with the session whatever happens.
"""

from __future__ import annotations

import math
import time
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from pgsim.calls import active_model, create_map, sample_vectors
from pgsim.errors import InvalidArgument, WrongState
from pgsim.evaluation.code_kinds import CodeKind, CodesReport
from pgsim.evaluation.mean import mean_of
from pgsim.evaluation.prefixes import Prefix, PrefixReport, Sample
from pgsim.evaluation.trials import Trial, TuningReport, choose, fastest_settings, pareto_front
from pgsim.json_values import is_storable, json_text
from pgsim.maps import fit_pca
from pgsim.options import finite_number, listed, whole_number
from pgsim.steps import query, work
from pgsim.vectors import as_vectors, vectors_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from pgsim.maps import Map
    from pgsim.steps import Row, Steps
    from pgsim.vectors import Vectors

    Progress: TypeAlias = Callable[[int, int, str], None]

END = "SELECT pgsim._trial_end()"
_TARGET = "pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t"
_KINDS = f"""
SELECT k.prefix, k.element, k.existing, k.refusal, t.dim, t.metric
FROM {_TARGET} CROSS JOIN LATERAL pgsim._trial_kinds(t, %(embedding)s, %(dims)s::int[], %(elements)s::text[]) AS k
ORDER BY k.prefix < t.dim, k.element <> t.element, k.prefix, k.element
"""
_BEGIN = f"""
SELECT b.rows, b.total, b.asked, b.missing, b.exact_seconds, b.exact_quality
FROM {_TARGET} CROSS JOIN LATERAL pgsim._trial_begin(
    t, %(queries)s, %(relevant)s::jsonb, %(k)s, %(sample)s, %(searches)s, %(seed)s) AS b
"""
_TRY = f"""
SELECT i.ef, i.keep, i.recalls, i.quality, i.seconds, i.bytes, i.build_seconds,
       pgsim._build_estimate(i.build_seconds, %(rows)s, %(total)s::float8)
FROM {_TARGET} CROSS JOIN LATERAL pgsim._trial_index(
    t, %(rotated)s::boolean, %(prefix)s, %(element)s, %(k)s, %(recall)s::float8) AS i
"""
_HALVED = f"""
SELECT CASE WHEN t.element = 'vector' THEN pgsim._halfvec_recall(t, %(k)s) END FROM {_TARGET}
"""
_TURN = f"""
SELECT pgsim._trial_turn(t, %(keys)s::text[], %(vectors)s, %(queries)s) FROM {_TARGET}
"""
_TRY_CODES = """
SELECT pgsim._try_codes(%(collection)s, %(model)s, %(embedding)s, %(filters)s::jsonb[], %(queries)s, %(k)s,
                        %(recall)s::float8, %(searches)s, %(sample)s, %(seed)s, %(kinds)s::jsonb[], %(matrix)s)
"""
_CODES = f"""
SELECT i.name, i.dims, i.element, i.map_id IS NOT NULL
FROM {_TARGET} JOIN pgsim._index AS i ON i.version_id = t.version_id AND i.method = 'codes' AND i.place = 'serving'
"""
_COPY = 'SELECT s.key, s.v::text FROM pg_temp._pgsim_trial AS s ORDER BY s.key COLLATE "C"'
_ASKED = "SELECT q.query::text FROM pg_temp._pgsim_trial_query AS q ORDER BY q.number"
_MAPPED = "the model is another one mapped; tune the one that it was made from"
_CHUNK = 1000
_LEAST_ROWS = 50


def tune_index(
    collection: str,
    queries: Vectors | None = None,
    *,
    relevant: Sequence[Collection[object]] | None = None,
    recall: float = 0.99,
    k: int = 10,
    model: str | None = None,
    embedding: str = "default",
    dims: Sequence[int] | None = None,
    elements: Sequence[str] | None = None,
    rotated: bool | None = False,
    budget: int | None = None,
    slack: float = 0.25,
    sample: int = 20_000,
    searches: int = 100,
    seed: int = 0,
    max_seconds: float | None = None,
    progress: Progress | None = None,
) -> Steps[TuningReport]:
    """Build and search vector indexes of several lengths and elements on a copy of sampled rows, and choose one.

    Nothing of the table is changed or kept waiting: rows are copied into a temporary table, which is dropped.

    Args:
        collection: the collection's name.
        queries: vectors ``(n, d)`` as your users send; without them rows of the sample, held out of the others.
        relevant: for each query the keys that answer it, to measure what matters beside recall.
        recall: the share of the exact answer that an index has to find, .5 to 1.
        k: how many rows a search is for, 1 to 1,000.
        model: the model whose version is measured; by default the active one's.
        embedding: the embedding of the collection.
        dims: lengths to try; by default the model's, or a sixth, a third, a half and the whole.
        elements: ``vector``, ``halfvec`` and ``bit``, or some of them.
        rotated: try prefixes turned by principal components too, for which `Database.fit_ladder` makes a rotated copy
            of the vectors; None: where the metric allows it, and the model is not another one mapped already.
        budget: the bytes that the index may take.
        slack: how much longer than the fastest the chosen index may take when it is smaller; .25 is a quarter.
        sample: how many rows are copied, 100 to 1,000,000.
        searches: how many rows are queries when none are given.
        seed: the same one takes the same rows.
        max_seconds: after so many no further index is begun.
        progress: called with indexes done, indexes in all, and the one that comes next.

    Raises:
        InvalidArgument: an argument is outside what is allowed.
        WrongState: there are too few rows, or the server is read only.
    """
    started = time.monotonic()
    recall, slack = _share("recall", recall, 0.5, 1), _share("slack", slack, 0, 100)
    limit = math.inf if max_seconds is None else _share("max_seconds", max_seconds, 0, 1e9)
    if budget is not None and not (isinstance(budget, Integral) and budget > 0):
        raise InvalidArgument(
            f"budget is {budget!r}; it is a number of bytes from 1", hint="Leave it out for any size."
        )
    of = yield from active_model(collection, model=model, embedding=embedding)
    named: dict[str, object] = {"collection": collection, "model": of.name, "embedding": embedding}
    kinds = yield from _kinds(named, dims, elements)
    metric = str(kinds[0][5])
    if rotated and metric == "l1":
        raise InvalidArgument("a rotation changes l1 distances", hint="Leave rotated out under that metric.")
    found = yield from query("SELECT map IS NOT NULL FROM pgsim.models WHERE name = %(model)s", named)
    mapped = bool(found[0][0])
    rotated = metric != "l1" and not mapped if rotated is None else rotated
    turned = [kind for kind in kinds if cast("int", kind[0]) < of.dim and kind[1] != "vector"] if rotated else []
    planned = [(False, kind) for kind in kinds] + [(True, kind) for kind in turned]
    names = [f"{kind[0]} {kind[1]}{', rotated' if turn else ''}" for turn, kind in planned]
    if progress:
        progress(0, len(planned), "exact searches")
    given = None if queries is None else as_vectors(queries)
    begun = yield from _begin(named, given, relevant, k=k, sample=sample, searches=searches, seed=seed)
    rows, total = cast("int", begun[0]), cast("float", begun[1])
    trials: list[Trial] = []
    done, is_turned = 0, False
    for (turn, kind), name in zip(planned, names, strict=True):
        if time.monotonic() - started > limit:
            break
        if progress:
            progress(done, len(planned), name)
        if turn and not is_turned:
            yield from _turn(named, max(cast("int", each[0]) for each in turned))
            is_turned = True
        measured = yield from query(
            _TRY,
            named
            | {"rows": rows, "total": total, "rotated": turn, "prefix": kind[0], "element": kind[1]}
            | {"k": k, "recall": recall},
        )
        trials += [_trial(row, kind, rotated=turn, mapped=mapped, scale=total / rows, seed=seed) for row in measured]
        done += 1
    stored = yield from query(_HALVED, named | {"k": k})
    yield from query(END)
    if progress:
        progress(done, len(planned), "")
    settings = fastest_settings(trials, recall)
    return TuningReport(
        collection=collection,
        model=of.name,
        embedding=embedding,
        dim=of.dim,
        metric=metric,
        k=k,
        asked=recall,
        rows=rows,
        total=round(total),
        searches=cast("int", begun[2]),
        held_out=given is None,
        missing=cast("int | None", begun[3]),
        exact_seconds=cast("float", begun[4]),
        exact_quality=cast("float | None", begun[5]),
        halfvec_recall=cast("float | None", stored[0][0]),
        trials=tuple(trials),
        settings=settings,
        front=pareto_front(settings, recall),
        best=choose(settings, recall, slack=slack, budget=budget),
        untried=tuple(names[done:]),
    )


def tune_codes(
    collection: str,
    queries: Vectors | None = None,
    *,
    filters: Sequence[Mapping[str, object]] | None = None,
    recall: float = 0.99,
    k: int = 10,
    model: str | None = None,
    embedding: str = "default",
    sample: int = 100_000,
    searches: int = 20,
    seed: int = 0,
) -> Steps[CodesReport]:
    """Make each kind of codes of a copy of sampled rows, search by it, and choose the fastest that finds what is asked.

    The kinds: bits of the vectors, bits and short halfvecs of the rotated ones; where prefixes are worth something
    already (the model declares them, or is mapped), short halfvecs as they are. The table and its codes stay as
    they are.

    Args:
        collection: the collection's name.
        queries: vectors ``(n, d)`` as your users send; without them rows of the table, turned some way off.
        filters: what searches filter by; without them values of the filter columns that leave 1 to 20% of the rows.
        recall: the share of the exact answer that searches have to find, .5 to 1.
        k: how many rows a search is for.
        model: the model whose version is measured; by default the active one's.
        embedding: the embedding of the collection.
        sample: how many rows are copied, 100 to 1,000,000.
        searches: how many rows are queries when none are given.
        seed: the same one takes the same rows.

    Raises:
        InvalidArgument: an argument is outside what is allowed, or codes do not mirror a column of a filter.
        WrongState: there are no vectors or no such values, or the table is partitioned.
    """
    of = yield from active_model(collection, model=model, embedding=embedding)
    named: dict[str, object] = {"collection": collection, "model": of.name, "embedding": embedding}
    found = yield from query(
        "SELECT metric, matryoshka <> '{}' OR map IS NOT NULL FROM pgsim.models WHERE name = %(model)s", named
    )
    metric, ready = str(found[0][0]), bool(found[0][1])
    lengths = sorted({length for length in (of.dim // 4, of.dim // 3) if length >= 1})
    rotated = not ready and metric != "l1"
    kinds: list[tuple[int, str, bool]] = [(of.dim, "bit", False)]
    kinds += [(of.dim, "bit", True)] if rotated else []
    kinds += [(length, "halfvec", rotated) for length in lengths] if rotated or ready else []
    matrix = None
    if rotated:
        matrix = vectors_text((yield from _pca(collection, of.name, embedding, metric, seed)).matrix)
    told = yield from query(
        _TRY_CODES,
        named
        | {"k": whole_number("k", k), "recall": finite_number("recall", recall), "seed": whole_number("seed", seed)}
        | {"searches": whole_number("searches", searches), "sample": whole_number("sample", sample), "matrix": matrix}
        | {
            "queries": None if queries is None else vectors_text(as_vectors(queries)),
            "filters": None if filters is None else [json_text(each) for each in filters],
            "kinds": [json_text({"dims": dims, "element": name, "rotated": turn}) for dims, name, turn in kinds],
        },
    )
    tried = cast("dict[str, Any]", told[0][0])
    measured = tuple(_code_kind(each, seed) for each in tried["tried"])
    reaching = [each for each in measured if each.recall is not None and each.recall.value >= recall - 1e-9]
    best = min(reaching, key=lambda each: (each.seconds, each.bytes), default=None)
    there = yield from query(_CODES, named)
    return CodesReport(
        collection=collection,
        model=of.name,
        embedding=embedding,
        asked=recall,
        k=k,
        rows=tried["rows"],
        total=round(tried["total"]),
        queries=tried["queries"],
        filters=tried["filters"],
        exact_seconds=float(np.median(tried["exact_seconds"])),
        kinds=measured,
        best=best,
        current=str(there[0][0]) if there else None,
        is_best=best is not None and bool(there) and there[0][1:] == (best.dims, best.element, best.rotated),
    )


def fit_codes_map(
    collection: str, name: str, *, model: str | None = None, embedding: str = "default", seed: int = 0
) -> Steps[str]:
    """Store the rotation that `tune_codes` tried, for ``create_index(method="codes", options={"map": name})``."""
    of = yield from active_model(collection, model=model, embedding=embedding)
    found = yield from query("SELECT metric FROM pgsim.models WHERE name = %(model)s", {"model": of.name})
    fitted = yield from _pca(collection, of.name, embedding, str(found[0][0]), seed)
    return (yield from create_map(name, of.name, fitted))


def _pca(collection: str, model: str, embedding: str, metric: str, seed: int) -> Steps[Map]:
    rows = yield from sample_vectors(collection, model, embedding=embedding, sample=20_000, seed=seed)
    if metric == "cosine" and len(rows):
        rows = rows[np.linalg.norm(rows, axis=1) > 0]
    if len(rows) < _LEAST_ROWS:
        raise WrongState(
            f"collection {collection!r} gave {len(rows)} vectors of model {model!r}; a rotation is fitted on "
            f"{_LEAST_ROWS} or more",
            hint="Store vectors first.",
        )
    return (yield from work(partial(fit_pca, rows, unit_length=metric == "cosine")))


def _code_kind(told: dict[str, Any], seed: int) -> CodeKind:
    refused = told["refusal"] is not None
    return CodeKind(
        dims=told["dims"],
        element=told["element"],
        rotated=told["rotated"],
        recall=None if refused else mean_of(np.array(told["recalls"], float), np.random.default_rng(seed)),
        seconds=None if refused else float(np.median(told["seconds"])),
        bytes=math.ceil(told["bytes"]),
        build_seconds=told["build_seconds"],
        refusal=told["refusal"],
    )


def tune_prefixes(
    collection: str,
    queries: Vectors | None = None,
    *,
    k: int = 10,
    keep: Sequence[int] = (10, 50, 200),
    dims: Sequence[int] | None = None,
    tolerance: float = 0.01,
    model: str | None = None,
    embedding: str = "default",
    sample: int = 10_000,
    searches: int = 50,
    seed: int = 0,
    progress: Progress | None = None,
) -> Steps[PrefixReport]:
    """How much of the true top k short prefixes find, as they are and rotated, and what they cannot find at all.

    `recall_by_dims` measures the prefixes as they are on the server; this one fetches the sample and turns it by its
    principal components as well (under l1, which a rotation changes, it does not).

    Args:
        collection: the collection's name.
        queries: vectors ``(n, d)`` as your users send; without them rows of the sample, held out of the others.
        k: how many rows a search is for.
        keep: how many rows are kept by the prefix, to be ranked by the whole vector.
        dims: lengths to look at; by default the model's, or a sixth, a third, a half and the whole.
        tolerance: the recall that may be lost, for the smallest prefix.
        model: the model whose version is measured; by default the active one's.
        embedding: the embedding of the collection.
        sample: how many rows are compared, 100 to 1,000,000.
        searches: how many rows are queries when none are given.
        seed: the same one takes the same rows.
        progress: called with prefixes done, prefixes in all, and the one that comes next.
    """
    depths = sorted({whole_number("keep", depth) for depth in keep})
    if not depths or depths[0] < 1:
        raise InvalidArgument(f"keep is {list(keep)}; it is a list of numbers from 1", hint="For instance 10, 50, 200.")
    tolerance = _share("tolerance", tolerance, 0, 1)
    of = yield from active_model(collection, model=model, embedding=embedding)
    named: dict[str, object] = {"collection": collection, "model": of.name, "embedding": embedding}
    kinds = yield from _kinds(named, dims, ["bit"])
    metric = str(kinds[0][5])
    lengths = sorted(cast("int", kind[0]) for kind in kinds)
    if progress:
        progress(0, len(lengths), "rows")
    given = None if queries is None else as_vectors(queries)
    begun = yield from _begin(named, given, None, k=k, sample=sample, searches=searches, seed=seed)
    _, rows, asked = yield from _copied()
    yield from query(END)
    whole = Sample(rows, asked, metric)
    turned = None if metric == "l1" else whole.turned((yield from work(partial(_rotation, rows))))
    prefixes = []
    for number, length in enumerate(lengths):
        if progress:
            progress(number, len(lengths), f"{length} dimensions")
        prefixes.append((yield from work(partial(_prefix, whole, turned, length, depths, k))))
    if progress:
        progress(len(lengths), len(lengths), "")
    return PrefixReport(
        collection=collection,
        model=of.name,
        k=k,
        rows=len(rows),
        total=round(cast("float", begun[1])),
        searches=len(asked),
        tolerance=tolerance,
        prefixes=tuple(prefixes),
    )


def _prefix(sample: Sample, turned: Sample | None, dims: int, keep: Sequence[int], k: int) -> Prefix:
    # By the whole vector the true top k is the top k; a prefix under l1 is no inner product.
    told = sample.metric != "l1" and dims < sample.rows.shape[1]
    reached = sample.reachable(dims, k) if told else (None, None)
    return Prefix(dims, sample.recall(dims, keep, k), turned.recall(dims, keep, k) if turned else None, *reached)


def _kinds(named: dict[str, object], dims: Sequence[int] | None, elements: Sequence[str] | None) -> Steps[list[Row]]:
    given = None if elements is None else listed("elements", elements)
    for element in given or ():
        if not isinstance(element, str) or not is_storable(element):
            raise InvalidArgument(f"element {element!r} is no text", hint="Known are vector, halfvec and bit.")
    return (
        yield from query(
            _KINDS,
            named
            | {
                "dims": None if dims is None else [whole_number("dims", length) for length in listed("dims", dims)],
                "elements": given,
            },
        )
    )


def _begin(
    named: dict[str, object],
    queries: NDArray[np.float32] | None,
    relevant: Sequence[Collection[object]] | None,
    *,
    k: int,
    sample: int,
    searches: int,
    seed: int,
) -> Steps[Row]:
    labels = None if relevant is None else [listed("relevant", each) for each in listed("relevant", relevant)]
    if labels is not None and (queries is None or len(labels) != len(queries)):
        raise InvalidArgument(
            f"relevant holds keys for {len(labels)} queries, and there are {0 if queries is None else len(queries)}",
            hint="Give the queries, and for each of them the keys that answer it; an empty list where none are known.",
        )
    keys = None if labels is None else [[_key(key) for key in each] for each in labels]
    rows = yield from query(
        _BEGIN,
        named
        | {
            "queries": None if queries is None else vectors_text(queries),
            "relevant": None if keys is None else json_text(keys),
            "k": whole_number("k", k),
            "sample": whole_number("sample", sample),
            "searches": whole_number("searches", searches),
            "seed": whole_number("seed", seed),
        },
    )
    return rows[0]


def _turn(named: dict[str, object], dims: int) -> Steps[None]:
    keys, rows, asked = yield from _copied()
    turn = (yield from work(partial(_rotation, rows)))[:, :dims]
    turned = (rows @ turn).astype(np.float32)
    for first in range(0, len(rows), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        last = first + _CHUNK >= len(rows)
        yield from query(
            _TURN,
            named
            | {"keys": keys[chunk], "vectors": vectors_text(turned[chunk])}
            | {"queries": vectors_text((asked @ turn).astype(np.float32)) if last else None},
        )


def _copied() -> Steps[tuple[list[str], NDArray[np.float64], NDArray[np.float64]]]:
    copied = yield from query(_COPY)
    asked = yield from query(_ASKED)
    return (
        [str(key) for key, _ in copied],
        _numbers([text for _, text in copied]),
        _numbers([text for (text,) in asked]),
    )


def _numbers(texts: Sequence[object]) -> NDArray[np.float64]:
    return np.array([np.fromstring(str(text)[1:-1], sep=",") for text in texts])


def _trial(row: Row, kind: Row, *, rotated: bool, mapped: bool, scale: float, seed: int) -> Trial:
    ef, keep, recalls, quality, seconds, size, build_seconds, total_build_seconds = row
    prefix, element, existing, refusal, *_ = kind
    return Trial(
        dims=cast("int", prefix),
        element=str(element),
        rotated=rotated,
        ef=cast("int", ef),
        keep=cast("int", keep),
        recall=mean_of(np.array(recalls, float), np.random.default_rng(seed % 2**32)),
        quality=cast("float | None", quality),
        seconds=cast("float", seconds),
        bytes=cast("int", size),
        build_seconds=cast("float", build_seconds),
        total_bytes=math.ceil(cast("int", size) * scale),
        total_build_seconds=cast("float", total_build_seconds),
        existing=None if rotated else cast("str | None", existing),
        refusal=_MAPPED if rotated and mapped else None if rotated else cast("str | None", refusal),
    )


def _share(name: str, value: float, low: float, high: float) -> float:
    number = finite_number(name, value)
    if not low <= number <= high:
        raise InvalidArgument(
            f"{name} is {number:g}; it is a number from {low:g} to {high:g}",
            hint="Give one between these, or leave it out for the default.",
        )
    return number


def _key(key: object) -> str:
    text = str(json_text(key)) if isinstance(key, dict) else str(key)
    if not is_storable(text):
        raise InvalidArgument("a relevant key holds a character that PostgreSQL text cannot", hint="Remove it.")
    return text


def _rotation(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return fit_pca(rows, unit_length=False).matrix.T.astype(np.float64)
