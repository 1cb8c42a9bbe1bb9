"""Fitting how a collection's legs are put together: what `Database.tune_fusion` carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from pgvector import SparseVector

from pgsim.calls import create_fusion, search
from pgsim.embedders.checking import checked_query
from pgsim.errors import InvalidArgument
from pgsim.evaluation.fusion import Judged, tune
from pgsim.steps import query as _query
from pgsim.steps import work
from pgsim.vectors import sparse_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pgsim.calls import Query
    from pgsim.embedders.protocol import Embedder, SparseEncoder
    from pgsim.evaluation.fusion import FusionReport
    from pgsim.steps import Steps

_CANDIDATES = 200
_SOUGHT = {"dense": "query", "text": "text_query", "sparse": "sparse_query"}


@dataclass(frozen=True, slots=True)
class Leg:
    """A leg to be fitted. ``properties``: as `search` takes them in ``legs``, but for what is looked for.

    ``kind``: ``dense``, ``text`` or ``sparse``. ``minimum``: the least score that it can have, None where there is none
    that is known. Of a leg with vectors their model, its width, and the prefix of a query's text.
    """

    name: str
    kind: str
    properties: dict[str, object]
    minimum: float | None
    model: str = ""
    dim: int = 0
    query_prefix: str = ""


def tune_fusion(
    collection: str,
    queries: Sequence[Query],
    embedder: Embedder | None = None,
    *,
    name: str | None = None,
    model: str | None = None,
    embedding: str = "default",
    text_form: str = "any",
    legs: Mapping[str, Mapping[str, object]] | None = None,
    embedders: Mapping[str, Embedder | SparseEncoder] | None = None,
    k: int = 10,
    candidates: int = _CANDIDATES,
    held_out: float = 0.5,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Steps[FusionReport]:
    """Fit the fusion of a collection's legs on queries whose answers are known, and keep it under a name.

    Half of the queries fit method, weights and constant; the report is measured on the other half. Where the fusion is
    not better than the best leg alone beyond doubt, it is that leg that is kept.

    Args:
        collection: the collection's name.
        queries: what was looked for, and the keys that answer it: 20 at least. One may bring vectors of its own.
        embedder: makes the queries' vectors for ``model``, after the model's query prefix.
        name: the fusion is kept under it, in the place of one of that name; None only reports.
        model: the model whose version ``dense`` searches; by default the active one's.
        embedding: the embedding that ``dense`` searches.
        text_form: how ``text`` reads words (``any``).
        legs: the legs to be fitted, two at least, each with what `search` takes of it in ``legs`` but for what is
            looked for: ``{"dense": {}, "title": {"embedding": "title"}, "phrase": {"text_form": "phrase"}}``. An empty
            one is the search's own leg ``dense`` or ``text``, or the embedding of that name. By default dense and text.
        embedders: by the names of their models, what makes the other legs' vectors; an encoder of sparse vectors
            gives of a text a `pgvector.SparseVector`, or a mapping of index (from 0) to weight.
        k: the rank of the first relevant row counts when it is among so many.
        candidates: how many rows each leg gives; they are kept with the fusion when they are not the default 200.
        held_out: the part of the queries that the report is measured on.
        seed: which queries these are, and of the intervals.
        progress: called with the queries done and the queries there are.

    Raises:
        InvalidArgument: too few queries, too few legs or too many, or nothing that makes the vectors of one; and what
            `search` and `create_fusion` raise.
        EmbedderError: an embedder failed.
    """
    fitted = yield from named_legs(
        collection, {"dense": {}, "text": {}} if legs is None else legs, model, embedding, text_form
    )
    known = dict(embedders or {})
    if embedder is not None:
        default = next((leg.model for leg in fitted if leg.name == "dense"), None)
        dense = {leg.model for leg in fitted if leg.kind == "dense"}
        known.setdefault(default or (dense.pop() if len(dense) == 1 else ""), embedder)
    judged = []
    for number, asked in enumerate(queries, 1):
        found = {}
        for leg in fitted:
            looked_for = yield from _looked_for(leg, asked, known.get(leg.model))
            hits = yield from search(collection, legs={leg.name: looked_for}, k=candidates)
            found[leg.name] = ([hit.key for hit in hits], [hit.score for hit in hits])
        judged.append(Judged(found, asked.relevant))
        if progress:
            progress(number, len(queries))
    minima = {leg.name: leg.minimum for leg in fitted}
    report = yield from work(partial(tune, judged, minima, k=k, candidates=candidates, held_out=held_out, seed=seed))
    if name is not None:
        yield from create_fusion(
            collection,
            name,
            method=report.kept.method,
            weights=report.kept.weights,
            rank_constant=report.kept.rank_constant,
            candidates=None if candidates == _CANDIDATES else candidates,
            report=report.as_json(),
            replace=True,
        )
    return report


def named_legs(
    collection: str,
    legs: Mapping[str, Mapping[str, object]],
    model: str | None = None,
    embedding: str = "default",
    text_form: str = "any",
) -> Steps[list[Leg]]:
    """The legs of those names, with the models of those that search vectors.

    Raises:
        InvalidArgument: one ranks by a column, or has what it looks for already.
    """
    named = []
    for name, given in legs.items():
        properties = dict(given)
        if "column" in properties:
            raise InvalidArgument(
                f"leg {name!r} ranks by a column, and finds nothing alone",
                hint="Fit the legs that find rows, and add it to the weights by hand: create_fusion.",
            )
        if not properties.keys().isdisjoint(_SOUGHT.values()):
            raise InvalidArgument(
                f"leg {name!r} says what it looks for, and each query has its own",
                hint="Leave it out there; a query may have it: Query(text, relevant, legs={...}).",
            )
        if "text_form" in properties or (name == "text" and not properties):
            named.append(Leg(name, "text", {"text_form": text_form, **properties}, 0.0))
            continue
        if not properties:
            properties = {"model": model, "embedding": embedding} if name == "dense" else {"embedding": name}
        rows = yield from _query(
            "SELECT m.name, m.input_dim, m.query_prefix, m.metric, m.element "
            "FROM pgsim._target(%(collection)s::text, %(model)s::text, %(embedding)s::text) AS t "
            "JOIN pgsim.models AS m ON m.name = t.model",
            {
                "collection": collection,
                "model": properties.get("model"),
                "embedding": properties.get("embedding", "default"),
            },
        )
        of, dim, prefix, metric, element = cast("tuple[str, int, str, str, str]", rows[0])
        kind = "sparse" if element == "sparsevec" else "dense"
        minimum = 0.0 if kind == "sparse" else {"cosine": -1.0, "l2": 0.0, "l1": 0.0}.get(metric)
        named.append(Leg(name, kind, {**properties, "model": of}, minimum, of, dim, prefix))
    return named


def _looked_for(leg: Leg, asked: Query, embedder: Embedder | SparseEncoder | None) -> Steps[dict[str, object]]:
    """The leg for one query: its own vector, or that of its text."""
    own = asked.legs.get(leg.name)
    if own is not None:
        return {**leg.properties, **own}
    if leg.kind == "text":
        return {**leg.properties, "text_query": asked.text}
    if embedder is None:
        raise InvalidArgument(
            f"leg {leg.name!r} searches vectors of model {leg.model!r}, and nothing makes them of query {asked.text!r}",
            hint="Name what embeds its texts: embedder for the dense leg, embedders={model: ...} for others; or give "
            f"queries their vectors: Query(text, relevant, legs={{{leg.name!r}: {{{_SOUGHT[leg.kind]!r}: ...}}}}).",
        )
    text = leg.query_prefix + asked.text
    if leg.kind == "sparse":
        encoded = yield from work(partial(cast("SparseEncoder", embedder).embed_query, text))
        if isinstance(encoded, Mapping):
            encoded = SparseVector.from_text(sparse_text(encoded, leg.dim))
        return {**leg.properties, "sparse_query": encoded}
    vector = yield from work(partial(checked_query, cast("Embedder", embedder), text, leg.dim))
    return {**leg.properties, "query": vector}
