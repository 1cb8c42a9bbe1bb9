"""What counts as a right answer in a benchmark."""

from __future__ import annotations

import numpy as np

from benchmarks.truth import Truth


def test_an_answer_at_the_distance_of_the_last_true_one_is_right() -> None:
    similarities = np.array([[0.9, 0.5, 0.5, 0.1]], np.float32)
    truth = Truth(similarities, np.array([True, True, True, False]), k=2)
    assert truth.recall(0, [1, 2]) == truth.recall(0, [1, 3]) == 1
    assert truth.recall(0, [1, 4]) == 0.5, "what does not match is not right"
    assert truth.recall(0, [1, 1]) == 0.5, "nor is a row given twice"
    assert truth.short([[1, 2], [1]]) == 1
