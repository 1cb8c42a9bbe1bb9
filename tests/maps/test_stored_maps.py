"""Maps in the database give what numpy gives, and are checked when they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from atlas import DIM, Atlas, open_atlas, vectors

from pgsim import Database, errors
from pgsim.errors import (
    AlreadyExists,
    InsufficientPrivilege,
    InUse,
    InvalidArgument,
    InvalidMap,
    InvalidVector,
    UnknownMap,
    WrongState,
)
from pgsim.maps import Map, drop_outlier_dimensions, fit_leanvec, fit_pca, fit_whitening

if TYPE_CHECKING:
    from fixtures.roles import RoleFactory

    from pgsim.steps import Row

ROWS, QUERIES = vectors(300), vectors(40, seed=1)
FITTED = {
    "pca": fit_pca(ROWS),
    "short": fit_pca(ROWS, dims=5),
    "leanvec": fit_leanvec(ROWS, QUERIES),
    "lean short": fit_leanvec(ROWS, QUERIES, dims=5),
    "whitening": fit_whitening(ROWS),
    "white pca": fit_whitening(ROWS, "pca", dims=7),
    "selection": drop_outlier_dimensions(ROWS, threshold=1),
    "linear": Map("linear", ROWS[:9], normalized=False),
}


@pytest.mark.parametrize("kind", FITTED)
def test_sql_and_numpy_map_alike(atlas: Atlas, kind: str) -> None:
    fitted = FITTED[kind]
    assert atlas.database.create_map(kind, "base", fitted) == kind
    given = vectors(5, seed=4)
    for side, mapped in (("row", fitted.apply(given)), ("query", fitted.apply_queries(given))):
        for vector, expected in zip(given, mapped, strict=True):
            found = atlas.database.apply_map(kind, vector, side=side)
            np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, float(np.abs(expected).max())))
    assert atlas.one("SELECT keeps_scores FROM pgsim.maps WHERE name = %s", kind) == fitted.keeps_scores


def test_a_stored_map_comes_back_as_it_was(atlas: Atlas) -> None:
    atlas.database.create_map("lean", "base", FITTED["leanvec"])
    back = atlas.database.fetch_map("lean")
    assert np.array_equal(back.matrix, FITTED["leanvec"].matrix)
    assert np.array_equal(back.apply_queries(QUERIES), FITTED["leanvec"].apply_queries(QUERIES))
    assert back.properties == FITTED["leanvec"].properties


def test_a_map_never_changes_and_its_name_is_taken_once(atlas: Atlas) -> None:
    with pytest.raises(AlreadyExists, match="map 'turned' exists already"):
        atlas.database.create_map("turned", "base", atlas.fitted)


def test_a_map_in_use_stays_and_names_who_uses_it(atlas: Atlas) -> None:
    atlas.database.derive_model("rotated", "turned")
    with pytest.raises(InUse, match="By: model 'rotated'"):
        atlas.database.drop_map("turned")
    atlas.database.drop_model("rotated")
    with pytest.raises(InUse, match="map 'turned'"):
        atlas.database.drop_model("base")
    atlas.database.drop_map("turned")
    with pytest.raises(UnknownMap, match="there is no map 'turned'"):
        atlas.database.apply_map("turned", ROWS[0])


def _matrix(*rows: list[float]) -> str:
    return "{" + ",".join(f'"{row}"' for row in rows) + "}"


WRONG_ROTATION = "matrix has 11 components, and a rotation of model 'base' has 12"
WRONG_BIAS = "bias has 1 dimensions, and matrix has 12 components"
TWICE = _matrix(*(2 * np.eye(DIM)).tolist())
EYE = np.eye(DIM).tolist()


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"matrix": None}, "matrix is NULL"),
    ({"matrix": "{}"}, "matrix is a list of 0"),
    ({"matrix": _matrix([1, 0])}, "component 1 of matrix has 2 numbers, and the model it maps from has 12"),
    ({"matrix": "{NULL}"}, "component 1 of matrix is NULL"),
    ({"matrix": _matrix(*EYE[:11], [0.01] * DIM)}, "not of length 1 and at right angles"),
    ({"matrix": _matrix(*EYE[:11]), "kind": "rotation"}, WRONG_ROTATION),
    ({"matrix": _matrix(*EYE), "bias": str(EYE[0])}, "a map of kind pca has none"),
    ({"matrix": _matrix(*EYE), "bias": "[1]", "kind": "linear"}, WRONG_BIAS),
    ({"matrix": _matrix(*EYE), "query_matrix": _matrix(*EYE)}, "maps rows and queries alike"),
    (
        {"matrix": _matrix(*EYE), "query_matrix": _matrix(*EYE[:3]), "kind": "leanvec"},
        "matrix has 12 components and query_matrix 3",
    ),
    ({"matrix": _matrix(*EYE), "query_matrix": TWICE, "kind": "leanvec"}, "do not keep inner products"),
    ({"matrix": _matrix(*EYE[:3]), "to_model": "narrow"}, "model 'narrow' has 5 dimensions, dense"),
    ({"matrix": _matrix(*EYE), "from_model": "rotated"}, "model 'rotated' is another one mapped"),
    ({"matrix": _matrix(*EYE), "from_model": "words"}, "model 'words' is sparse"),
]


def test_a_map_of_wrong_shape_or_promise_is_refused(atlas: Atlas) -> None:
    atlas.database.create_model("narrow", 5)
    atlas.database.create_model("words", 1000, element="sparsevec", metric="ip")
    atlas.database.derive_model("rotated", "turned")
    for arguments, said in REFUSED:
        given = {"name": "bad", "from_model": "base", "kind": "pca"} | arguments
        statement = f"SELECT pgsim.create_map({', '.join(f'{name} => %({name})s' for name in given)})"
        with pytest.raises(psycopg.Error, match=said) as refused, atlas.connection.transaction():
            atlas.connection.execute(statement.encode(), given)
        assert errors.class_for(refused.value.sqlstate) is InvalidMap


def test_nan_is_no_component(atlas: Atlas) -> None:
    with pytest.raises(Exception, match="NaN not allowed in vector"):
        atlas.connection.execute("SELECT pgsim.create_map('bad', 'base', matrix => ARRAY['[NaN]'::vector])")


def test_a_single_pair_of_components_that_is_not_at_right_angles_is_found(atlas: Atlas) -> None:
    wide = np.eye(600, dtype=np.float32)
    wide[17, 400] = 1e-3
    atlas.database.create_model("wide", 600)
    with pytest.raises(InvalidMap, match=r"off by 0\.00"):
        atlas.database.create_map("bad", "wide", _unchecked(wide))


def _unchecked(matrix: np.ndarray) -> Map:
    fitted = Map("linear", matrix)
    object.__setattr__(fitted, "kind", "rotation")
    return fitted


def test_maps_need_the_metric_that_they_keep(connection: psycopg.Connection[Row]) -> None:
    atlas = open_atlas(connection, metric="l2")
    with pytest.raises(InvalidMap, match="model 'base' is compared by l2"):
        atlas.database.create_map("lean", "base", FITTED["leanvec"])


def test_a_vector_that_is_none_of_the_model_is_not_mapped(atlas: Atlas) -> None:
    with pytest.raises(errors.DimensionMismatch, match="has 3 dimensions; model 'base' has 12"):
        atlas.database.apply_map("turned", [1, 2, 3])
    with pytest.raises(InvalidVector, match="all zeros"):
        atlas.database.apply_map("turned", np.zeros(DIM, np.float32))
    atlas.database.create_map("huge", "base", Map("linear", np.full((2, DIM), 1e38, np.float32), normalized=False))
    assert atlas.database.apply_map("huge", np.full(DIM, 10, np.float32)) is None


def test_everybody_reads_maps_and_only_the_registrar_makes_them(atlas: Atlas, role: RoleFactory) -> None:
    reader = role("reader")
    atlas.connection.execute(f'SET ROLE "{reader}"'.encode())
    assert atlas.one("SELECT count(*) FROM pgsim.maps") == 1
    assert atlas.one("SELECT vector_dims(pgsim.apply_map('turned', %s))", str(ROWS[0].tolist())) == DIM
    with pytest.raises(InsufficientPrivilege, match="may search, but not change the registry"):
        Database(atlas.connection).create_map("mine", "base", atlas.fitted)


def test_a_space_has_one_model(atlas: Atlas) -> None:
    atlas.database.derive_model("rotated", "turned", matryoshka=[4, 8, DIM], element="halfvec")
    known = (
        "SELECT base_model, map, input_dim, dim, metric, element, matryoshka FROM pgsim.models WHERE name = 'rotated'"
    )
    row = atlas.connection.execute(known).fetchone()
    assert row == ("base", "turned", DIM, DIM, "cosine", "halfvec", [4, 8, DIM])
    with pytest.raises(AlreadyExists, match="map 'turned' leads to model 'rotated' already"):
        atlas.database.derive_model("again", "turned")


def test_a_version_of_a_derived_model_needs_one_to_follow(atlas: Atlas) -> None:
    atlas.database.derive_model("rotated", "turned")
    atlas.database.create_embedding("place", "title", ["name"])
    with pytest.raises(
        WrongState, match="embedding 'title' of collection 'place' has no live version under model 'base'"
    ):
        atlas.database.create_version("place", "rotated", embedding="title")
    with pytest.raises(errors.InvalidArgument, match="has a table of its own"):
        atlas.database.create_version("place", "rotated", column_name="name")


@pytest.mark.parametrize("length", [1e20, 1e30, 3e38])
def test_no_promise_is_believed_that_cannot_be_told(atlas: Atlas, length: float) -> None:
    huge = _matrix(*(length * np.eye(DIM)).tolist()) if length < 3e38 else _matrix(*[[length] * DIM] * DIM)
    create = "SELECT pgsim.create_map('huge', 'base', kind => %s, matrix => %s, query_matrix => %s)"
    for kind in ("rotation", "pca", "selection", "leanvec"):
        with pytest.raises(psycopg.Error, match="not of length 1") as refused, atlas.connection.transaction():
            atlas.connection.execute(create, [kind, huge, None])
        assert errors.class_for(refused.value.sqlstate) is InvalidMap
    with pytest.raises(psycopg.Error, match="do not keep inner products"), atlas.connection.transaction():
        atlas.connection.execute(create, ["leanvec", huge, huge])
    atlas.connection.execute(create, ["linear", huge, huge])
    assert atlas.one("SELECT keeps_scores FROM pgsim.maps WHERE name = 'huge'") is False


def test_a_refused_element_leaves_the_map_to_another_model(atlas: Atlas) -> None:
    for element in ("sparsevec", "bit"):
        with pytest.raises(InvalidArgument, match=f"element is '{element}'"):
            atlas.database.derive_model("rotated", "turned", element=element)
    atlas.database.derive_model("rotated", "turned", element="halfvec")
