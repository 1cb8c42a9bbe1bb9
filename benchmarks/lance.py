"""LanceDB on the same rows and filters: HNSW over scalar quantization, scalar indexes, filters before the search.

Its parameters: https://docs.lancedb.com/indexing/vector-index and https://docs.lancedb.com/indexing/scalar-index.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.corpus import Corpus, Shape

EF = 200
REFINE = 4
_INDEXES = {"integer": "BTREE", "text": "BITMAP", "text[]": "LABEL_LIST"}


def is_installed() -> bool:
    """Whether LanceDB is there: ``pip install --group bench``."""
    return importlib.util.find_spec("lancedb") is not None


class Lance:
    """One wide table without joins, as LanceDB has none: the maintainer's country is a column of it."""

    def __init__(self, corpus: Corpus, folder: str, queries: NDArray[np.float32], k: int) -> None:
        lancedb, arrow = importlib.import_module("lancedb"), importlib.import_module("pyarrow")
        self._queries = queries
        self._k = k
        kinds = {"integer": arrow.int32(), "text": arrow.string(), "text[]": arrow.list_(arrow.string())}
        types = {column: corpus.types[column] for column in corpus.filter_columns if column != "maintainer_id"}
        columns = {column: arrow.array(corpus.values(column), kinds[kind]) for column, kind in types.items()}
        countries = {key: country for key, _, country, _ in corpus.maintainers}
        columns["country"] = arrow.array([countries[int(str(key))] for key in corpus.values("maintainer_id")])
        columns["id"] = arrow.array(np.arange(1, len(corpus.rows) + 1, dtype=np.int32))
        columns["vector"] = arrow.FixedSizeListArray.from_arrays(arrow.array(corpus.vectors.ravel()), corpus.dim)
        self._table: Any = lancedb.connect(folder).create_table("item", arrow.table(columns))
        # One graph for the whole table, which is what LanceDB advises for HNSW.
        self._table.create_index(
            metric="cosine", index_type="IVF_HNSW_SQ", num_partitions=1, vector_column_name="vector"
        )
        for column, kind in {**types, "country": "text"}.items():
            self._table.create_scalar_index(column, index_type=_INDEXES[kind])

    def search(self, shape: Shape, query: int) -> list[int]:
        """The keys of an answer."""
        search = self._table.search(self._queries[query], vector_column_name="vector").distance_type("cosine")
        if shape.filter is not None:
            search = search.where(shape.wide or shape.predicate, prefilter=True)
        found = search.limit(self._k).nprobes(1).ef(EF).refine_factor(REFINE).select(["id", "_distance"]).to_arrow()
        return [int(key) for key in found["id"].to_pylist()]


def version() -> str:
    """The installed LanceDB's."""
    return importlib.metadata.version("lancedb")
