"""A prefix is an embedding of its own width, and the whole vector the longest of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]


@given(
    vector=arrays(np.float32, st.integers(1, 20), elements=st.floats(-100, 100, width=32)),
    share=st.floats(0, 1),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_prefix_is_the_first_dimensions_at_unit_length(
    connection: Connection, vector: NDArray[np.float32], share: float
) -> None:
    dims = 1 + round(share * (len(vector) - 1))
    (text,) = connection.execute("SELECT pgsim.prefix(%s::vector, %s)::text", [vector_text(vector), dims]).fetchall()[0]
    short = vector[:dims].astype(np.float64)
    length = np.linalg.norm(short)
    assert np.fromstring(text.strip("[]"), sep=",") == pytest.approx(short / length if length else short, abs=1e-5)


def test_a_prefix_of_no_vector_or_no_length_is_none(connection: Connection) -> None:
    rows = connection.execute("SELECT pgsim.prefix(NULL, 3), pgsim.prefix('[1,2]', NULL)").fetchall()
    assert rows == [(None, None)]


@pytest.mark.parametrize("dims", [0, -1, 4])
def test_dims_that_the_vector_does_not_have_are_refused(connection: Connection, dims: int) -> None:
    with pytest.raises(psycopg.Error, match=f"dims is {dims}; the vector has 3 dimensions") as raised:
        connection.execute("SELECT pgsim.prefix('[1,2,3]'::vector, %s)", [dims])
    assert raised.value.sqlstate == "PS010"


def test_a_prefix_in_a_query_is_inlined(connection: Connection) -> None:
    connection.execute("CREATE TABLE v (e vector(3))")
    plan = connection.execute("EXPLAIN (VERBOSE) SELECT pgsim.prefix(e, 2) FROM v").fetchall()
    assert "l2_normalize(subvector(" in str(plan)
