"""Maps fitted with numpy: what each promises."""

from __future__ import annotations

import numpy as np
import pytest
from atlas import DIM, vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from pgsim.errors import DimensionMismatch, InvalidArgument, InvalidMap, InvalidVector
from pgsim.maps import (
    FewRowsWarning,
    Map,
    drop_outlier_dimensions,
    fit_leanvec,
    fit_pca,
    fit_whitening,
    recall_by_prefix,
)
from pgsim.maps.map import normalized

ROWS, QUERIES = vectors(400), vectors(80, seed=1)


@settings(max_examples=15, deadline=None)
@given(dim=st.integers(2, 40), rows=st.integers(2, 80), seed=st.integers(0, 99))
@pytest.mark.filterwarnings("ignore::pgsim.maps.FewRowsWarning")
def test_a_rotation_keeps_inner_products_and_distances(dim: int, rows: int, seed: int) -> None:
    sample = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    fitted = fit_pca(sample, unit_length=False)
    mapped = fitted.apply(sample)
    assert fitted.keeps_scores
    np.testing.assert_allclose(mapped @ mapped.T, sample @ sample.T, atol=1e-4)


def test_prefixes_of_a_pca_hold_the_most_length_that_any_directions_hold() -> None:
    unit = normalized(ROWS)
    held = np.square(fit_pca(ROWS).apply(ROWS)).mean(axis=0).cumsum()
    best = np.linalg.svd(unit.astype(np.float64), compute_uv=False) ** 2 / len(unit)
    np.testing.assert_allclose(held, best.cumsum(), atol=1e-5)


def test_the_same_sample_gives_the_same_map_signs_included() -> None:
    for fit in (fit_pca, fit_leanvec, fit_whitening, drop_outlier_dimensions):
        assert np.array_equal(fit(ROWS).matrix, fit(ROWS[::1].copy()).matrix)
    farthest = np.abs(fit_pca(ROWS).matrix).argmax(axis=1)
    assert (np.take_along_axis(fit_pca(ROWS).matrix, farthest[:, None], axis=1) > 0).all()
    np.testing.assert_allclose(fit_pca(ROWS).matrix, fit_pca(ROWS[::-1]).matrix, atol=1e-3)


def test_leanvec_keeps_inner_products_at_full_width_though_rows_and_queries_are_mapped_apart() -> None:
    queries = QUERIES * np.linspace(0.2, 3, DIM, dtype=np.float32)
    fitted = fit_leanvec(ROWS, queries)
    assert fitted.query_matrix is not None
    assert fitted.keeps_scores
    assert not np.allclose(fitted.matrix, fitted.query_matrix, atol=0.1)
    np.testing.assert_allclose(
        fitted.apply_queries(queries) @ fitted.apply(ROWS).T, normalized(queries) @ normalized(ROWS).T, atol=1e-5
    )


def test_leanvec_prefixes_err_less_on_the_queries_they_were_fitted_to_than_those_of_a_pca() -> None:
    # Queries look along directions in which rows have little length.
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(DIM, DIM)))[0]
    queries = ((np.random.default_rng(3).normal(size=(200, DIM)) * np.geomspace(0.1, 3, DIM)) @ turn).astype(np.float32)
    exact = normalized(queries) @ normalized(ROWS).T

    def error(fitted: Map) -> float:
        found = fitted.apply_queries(queries)[:, :4] @ fitted.apply(ROWS)[:, :4].T
        return float(np.square(found - exact).mean())

    fitted, other = fit_leanvec(ROWS, queries[:100]), fit_pca(ROWS)
    better, worse = error(fitted), error(other)
    assert better < 0.85 * worse


def test_without_queries_leanvec_is_a_pca() -> None:
    assert np.array_equal(fit_leanvec(ROWS).matrix, fit_pca(ROWS).matrix)


@pytest.mark.parametrize("kind", ["zca", "pca"])
def test_whitened_rows_vary_alike_in_every_direction(kind: str) -> None:
    white = fit_whitening(ROWS, kind, floor=1e-6)  # type: ignore[arg-type]
    mapped = white.apply(ROWS).astype(np.float64)
    np.testing.assert_allclose(mapped.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(mapped.T @ mapped / len(mapped), np.eye(DIM), atol=1e-3)
    assert not white.keeps_scores


def test_the_floor_keeps_noise_small_and_dims_cut_the_rest_away() -> None:
    assert fit_whitening(ROWS, "pca", floor=0.5).apply(ROWS).var(axis=0)[-1] < 0.1
    assert fit_whitening(ROWS, "pca", dims=5).dim_out == 5
    cut = fit_whitening(ROWS, "zca", dims=5)
    assert cut.dim_out == DIM
    assert np.linalg.matrix_rank(cut.matrix.astype(np.float64), tol=1e-4) == 5


def test_dimensions_that_stand_out_are_left_out() -> None:
    loud = ROWS.copy()
    loud[:, 7] += 40
    fitted = drop_outlier_dimensions(loud)
    assert fitted.properties["dropped"] == [7]
    np.testing.assert_allclose(fitted.apply(loud), np.delete(normalized(loud), 7, axis=1), atol=1e-6)
    assert drop_outlier_dimensions(loud, most=0).dim_out == DIM


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_recall_by_prefix_is_what_brute_force_says(metric: str) -> None:
    fitted = fit_pca(ROWS, unit_length=metric == "cosine")
    (short, full) = recall_by_prefix(ROWS, QUERIES, fitted, [4, DIM], metric=metric, within=(10, 50))

    def nearest(rows: np.ndarray, query: np.ndarray, depth: int, *, unit: bool) -> set[int]:
        if unit:
            rows, query = normalized(rows), query / np.linalg.norm(query)
        far = np.linalg.norm(rows - query, axis=1) if metric == "l2" or unit else -(rows @ query)
        return set(np.argsort(far)[:depth].tolist())

    def share(depth: int, mapped: bool) -> float:
        rows, queries = (fitted.apply(ROWS), fitted.apply(QUERIES)) if mapped else (ROWS, QUERIES)
        found = [
            nearest(ROWS, q, 10, unit=metric == "cosine") & nearest(rows[:, :4], s, depth, unit=True)
            for q, s in zip(QUERIES, queries[:, :4], strict=True)
        ]
        return float(np.mean([len(each) / 10 for each in found]))

    assert short.raw == pytest.approx((share(10, False), share(50, False)), abs=2e-3)
    assert short.mapped == pytest.approx((share(10, True), share(50, True)), abs=2e-3)
    assert full.raw == full.mapped == (1, 1)


def test_a_map_after_a_map_is_both() -> None:
    turned, white = fit_pca(ROWS), fit_whitening(fit_pca(ROWS).apply(ROWS), dims=6, kind="pca")
    both = turned.then(white)
    np.testing.assert_allclose(both.apply(QUERIES), white.apply(turned.apply(QUERIES)), atol=1e-4)
    with pytest.raises(InvalidMap, match="6 dimensions is followed by one of 12"):
        white.then(turned)


def test_fewer_rows_than_dimensions_are_fitted_with_a_warning() -> None:
    with pytest.warns(FewRowsWarning, match="5 vectors of 12 dimensions"):
        assert fit_pca(ROWS[:5]).keeps_scores
    with pytest.warns(FewRowsWarning):
        assert fit_leanvec(ROWS[:5], QUERIES[:3]).keeps_scores
    with pytest.warns(FewRowsWarning):
        assert np.isfinite(fit_whitening(ROWS[:5]).matrix).all()


def test_what_cannot_be_fitted_is_refused() -> None:
    broken = ROWS.copy()
    broken[3, 4] = np.nan
    with pytest.raises(InvalidVector, match="number 4 of vector 3 is nan"):
        fit_pca(broken)
    with pytest.raises(InvalidVector, match="shape"):
        fit_pca(ROWS[0])
    broken[3] = 0
    with pytest.raises(InvalidVector, match="vector 3 is all zeros"):
        fit_pca(broken)
    with pytest.raises(InvalidArgument, match="two or more"):
        fit_pca(ROWS[:1])
    with pytest.raises(InvalidArgument, match="dims is 13"):
        fit_pca(ROWS, dims=13)
    with pytest.raises(DimensionMismatch, match="queries have 5 dimensions"):
        fit_leanvec(ROWS, QUERIES[:, :5])
    with pytest.raises(InvalidArgument, match="ridge is 0"):
        fit_leanvec(ROWS, QUERIES, ridge=0)
    with pytest.raises(InvalidArgument, match="floor is 0"):
        fit_whitening(ROWS, floor=0)
    with pytest.raises(InvalidArgument, match="all rows are the same"):
        fit_whitening(np.repeat(ROWS[:1], 20, axis=0))
    with pytest.raises(InvalidArgument, match="threshold is 0"):
        drop_outlier_dimensions(ROWS, threshold=0)


def test_a_map_that_does_not_keep_what_its_kind_promises_is_none() -> None:
    skewed = np.eye(3, dtype=np.float32)
    skewed[0, 1] = 0.01
    with pytest.raises(InvalidMap, match=r"kind 'pca' promises .* off by 0.01"):
        Map("pca", skewed)
    assert Map("linear", skewed).keeps_scores is False
    with pytest.raises(InvalidMap, match="a rotation is square"):
        Map("rotation", np.eye(3, dtype=np.float32)[:2])
    with pytest.raises(InvalidMap, match="known are rotation"):
        Map("turn", np.eye(3, dtype=np.float32))
    with pytest.raises(InvalidMap, match="only leanvec and linear"):
        Map("pca", np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32))
    with pytest.raises(InvalidMap, match="bias has 2 numbers"):
        Map("whitening", np.eye(3, dtype=np.float32), bias=np.zeros(2, np.float32))
    with pytest.raises(InvalidVector, match="is inf"):
        Map("linear", np.full((2, 2), np.inf, np.float32))
    with pytest.raises(DimensionMismatch, match="4 dimensions; the map takes 12"):
        fit_pca(ROWS).apply(ROWS[:, :4])
