"""The rows of the larger table."""

from __future__ import annotations

import numpy as np

from benchmarks.corpus import Corpus
from benchmarks.mixture import Mixture


def test_a_mixture_is_the_same_rows_each_time_and_mixes_within_a_group() -> None:
    vectors = np.eye(4, dtype=np.float32)
    corpus = Corpus(
        name="four",
        columns="kind text",
        rows=[("a",), ("a",), ("b",), ("b",)],
        maintainers=[],
        text_column="kind",
        filter_columns=("kind",),
        group_column="kind",
        shapes=(),
        partial="",
        scaled=(),
        vectors=vectors,
        queries=vectors,
    )
    (chunk,) = Mixture(corpus, 100).chunks()
    (again,) = Mixture(corpus, 100).chunks()
    assert np.array_equal(chunk.vectors, again.vectors)
    assert np.allclose(np.linalg.norm(chunk.vectors, axis=1), 1)
    own = np.where(chunk.first[:, None] < 2, chunk.vectors[:, :2], chunk.vectors[:, 2:])
    assert np.all(np.linalg.norm(own, axis=1) > 0.9), "the other group's part is noise alone"
    assert np.allclose(Mixture(corpus, 100).similarities(vectors), chunk.vectors.T)
