"""Ladders: a model with none is mapped to one whose prefixes are worth something.

Without a connection, as `pgsim.calls` is: `Database.fit_ladder` and `AsyncDatabase.fit_ladder` carry it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from pgsim import calls
from pgsim.errors import AlreadyExists, DimensionMismatch, InvalidArgument, WrongState
from pgsim.json_values import is_storable
from pgsim.maps import Map, PrefixRecall, fit_leanvec, fit_pca, fit_whitening, recall_by_prefix
from pgsim.options import listed, whole_number
from pgsim.steps import query, work
from pgsim.vectors import as_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pgsim.steps import Steps
    from pgsim.vectors import Vectors

METHODS = ("pca", "leanvec", "whitening")
WITHIN = (10, 50, 200)
_K = 10
_LEAST_ROWS = 50
_MOST_JUDGES = 500
_MOST_NUMBERS = 100_000_000


@dataclass(frozen=True, slots=True)
class LadderReport:
    """What a ladder is worth, measured on queries that nothing was fitted on.

    ``name``: of the map and of the derived model. ``rows``: how many it was fitted on, among which the true best 10 of
    each of ``queries`` were looked for; ``asked``: what these were, ``rows`` held back or ``queries`` that were given.
    ``keeps_scores``: at full width the scores are the base model's; where not, the space is another one, and the
    recall at full width says by how much. ``new``: fitted now, and not taken up where it was left.
    """

    name: str
    base_model: str
    method: str
    dims: tuple[int, ...]
    keeps_scores: bool
    rows: int
    queries: int
    asked: str
    prefixes: tuple[PrefixRecall, ...]
    new: bool


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    base: str
    metric: str
    method: str
    dims: tuple[int, ...]
    seed: int


def prepare(
    collection: str,
    *,
    method: str,
    model: str | None,
    embedding: str,
    dims: Sequence[int] | None,
    sample: int,
    queries: Vectors | None,
    name: str | None,
    seed: int,
    dry_run: bool,
) -> Steps[LadderReport]:
    """Fit and measure a ladder and, unless ``dry_run``, store its map, its model and an empty version. One transaction.

    Raises:
        InvalidArgument, DimensionMismatch: an argument is not as it must be.
        AlreadyExists: another map has the name.
        WrongState: there are too few vectors, or the model is another one mapped.
    """
    if method not in METHODS:
        raise InvalidArgument(f"method is {method!r}; known are {', '.join(METHODS)}", hint="pca suits most models.")
    if name is not None and not isinstance(name, str):
        raise InvalidArgument(f"name is {name!r}, not a text", hint="Leave it out for the model's, with the method.")
    if name is not None and not is_storable(name):
        raise InvalidArgument("name holds a character that PostgreSQL text cannot", hint="Remove it.")
    sample, seed = whole_number("sample", sample), whole_number("seed", seed)
    lengths = None if dims is None else [whole_number("dims", each) for each in listed("dims", dims)]
    rows = yield from query(
        "SELECT t.model, m.dim, m.metric, m.map FROM pgsim._target(%(collection)s::text, %(model)s::text, "
        "%(embedding)s::text) AS t JOIN pgsim.models AS m ON m.name = t.model",
        {"collection": collection, "model": model, "embedding": embedding},
    )
    base, width, metric, mapped = cast("tuple[str, int, str, str | None]", rows[0])
    if mapped is not None:
        raise WrongState(
            f"model {base!r} is another one mapped, by {mapped!r}", hint="Name the model that it was made from."
        )
    if metric == "l1" or (metric == "l2" and method == "leanvec"):
        raise InvalidArgument(
            f"model {base!r} is compared by {metric}, which {method} does not keep",
            hint="pca keeps cosine, ip and l2; leanvec keeps cosine and ip.",
        )
    wanted = _dims(lengths, width, method)
    name = name or f"{base}-{method}"
    report = yield from _left(name, base, method, wanted if dims is not None else None)
    if report is None:
        given = _queries(queries, width)
        if not 0 < sample * width <= _MOST_NUMBERS:
            raise InvalidArgument(
                f"sample is {sample!r}; of {width} dimensions it is 1 to {_MOST_NUMBERS // width} rows",
                hint="20000 are plenty: a map has few numbers beside them.",
            )
        vectors = yield from calls.sample_vectors(collection, base, embedding=embedding, sample=sample, seed=seed)
        if metric == "cosine" and len(vectors):
            vectors = vectors[np.linalg.norm(vectors, axis=1) > 0]
        if len(vectors) < _LEAST_ROWS:
            raise WrongState(
                f"collection {collection!r} gave {len(vectors)} vectors of model {base!r}, and a ladder is fitted on "
                f"{_LEAST_ROWS} or more",
                hint="Store vectors first, or let a role fit it that sees the rows.",
            )
        fitted, report = yield from work(
            partial(_fitted, vectors, given, _Wanted(name, base, metric, method, wanted, seed))
        )
        if not dry_run:
            yield from calls.create_map(name, base, fitted)
    if not dry_run:
        yield from _settle(collection, embedding, report)
    return report


def _settle(collection: str, embedding: str, report: LadderReport) -> Steps[None]:
    found = yield from query(
        "SELECT m.map, EXISTS (SELECT FROM pgsim.versions AS v WHERE v.collection = %(collection)s "
        "AND v.embedding = %(embedding)s AND v.model = m.name) FROM pgsim.models AS m WHERE m.name = %(name)s",
        {"collection": collection, "embedding": embedding, "name": report.name},
    )
    if not found:
        yield from calls.derive_model(report.name, report.name, matryoshka=report.dims)
    elif found[0][0] != report.name:
        raise AlreadyExists(f"there is a model {report.name!r}, which is no ladder", hint="Give the ladder a name.")
    if not found or not found[0][1]:
        yield from calls.create_version(collection, report.name, embedding=embedding)


def _left(name: str, base: str, method: str, dims: tuple[int, ...] | None) -> Steps[LadderReport | None]:
    """The report of a ladder of that name that was stored before."""
    found = yield from query(
        "SELECT from_model, keeps_scores, properties -> 'ladder' FROM pgsim.maps WHERE name = %(name)s", {"name": name}
    )
    if not found:
        return None
    from_model, keeps, kept = cast("tuple[str, bool, dict[str, object] | None]", found[0])
    if kept is None or (from_model, kept["method"]) != (base, method) or dims not in {None, _tuple(kept["dims"])}:
        raise AlreadyExists(
            f"there is a map {name!r} already, and it is not this ladder",
            hint="A map never changes: give this one another name.",
        )
    prefixes = tuple(
        PrefixRecall(int(each["dims"]), WITHIN, _recall(each["raw"]), _recall(each["mapped"]))
        for each in cast("list[dict[str, int]]", kept["prefixes"])
    )
    rows, queries, asked = cast("tuple[int, int, str]", (kept["rows"], kept["queries"], kept["asked"]))
    return LadderReport(name, base, method, _tuple(kept["dims"]), keeps, rows, queries, asked, prefixes, False)


def _fitted(
    vectors: NDArray[np.float32], given: NDArray[np.float32] | None, wanted: _Wanted
) -> tuple[Map, LadderReport]:
    name, base, metric, method, dims = wanted.name, wanted.base, wanted.metric, wanted.method, wanted.dims
    random = np.random.default_rng(wanted.seed % 2**32)
    unit = metric == "cosine"
    if given is None:
        order = random.permutation(len(vectors))
        held = min(_MOST_JUDGES, len(vectors) // 5)
        judges, rows, learnt = vectors[order[:held]], vectors[order[held:]], None
    else:
        order = random.permutation(len(given))
        judges, learnt = given[order[: len(given) // 2][:_MOST_JUDGES]], given[order[len(given) // 2 :]]
        rows = vectors
    if method == "pca":
        fitted = fit_pca(rows, unit_length=unit)
    elif method == "leanvec":
        fitted = fit_leanvec(rows, learnt, unit_length=unit)
    else:
        fitted = fit_whitening(rows, "pca", dims=dims[-1], unit_length=unit)
    prefixes = recall_by_prefix(rows, judges, fitted, dims, metric=metric, k=_K, within=WITHIN)
    asked = "rows" if given is None else "queries"
    kept = {
        "method": method,
        "dims": list(dims),
        "rows": len(rows),
        "queries": len(judges),
        "asked": asked,
        "prefixes": [{"dims": each.dims, "raw": each.raw, "mapped": each.mapped} for each in prefixes],
    }
    fitted = fitted.with_properties(ladder=kept)
    return fitted, LadderReport(
        name, base, method, dims, fitted.keeps_scores, len(rows), len(judges), asked, tuple(prefixes), True
    )


def _dims(dims: Sequence[int] | None, width: int, method: str) -> tuple[int, ...]:
    if dims is None:
        powers = [each for each in (64, 128, 256, 512, 1024, 2048) if each < width]
        return (*(powers or [each for each in (width // 4, width // 2) if 0 < each < width]), width)
    wanted = sorted(set(dims))
    if not wanted or wanted[0] < 1 or wanted[-1] > width:
        raise InvalidArgument(
            f"dims is {dims!r}; the model has {width} dimensions", hint="For instance 64, 128 and 256."
        )
    if method != "whitening" and wanted[-1] < width:
        wanted.append(width)
    return tuple(wanted)


def _queries(queries: Vectors | None, width: int) -> NDArray[np.float32] | None:
    if queries is None:
        return None
    given = as_vectors(queries)
    if len(given) < 20:
        raise InvalidArgument(f"there are {len(given)} queries; 20 are the least", hint="Half of them measure.")
    if given.shape[1] != width:
        raise DimensionMismatch(
            f"queries have {given.shape[1]} dimensions, the model {width}", hint="Embed them with that model."
        )
    return given


def _tuple(values: object) -> tuple[int, ...]:
    return tuple(cast("list[int]", values))


def _recall(values: object) -> tuple[float, ...] | None:
    return None if values is None else tuple(cast("list[float]", values))
