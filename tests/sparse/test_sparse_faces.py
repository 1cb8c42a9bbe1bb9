"""Sparse vectors from Python: as pgvector has them, as mappings, and in SQLAlchemy's statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from cookbook import DIM, drawn, make, sparse
from pgvector import SparseVector
from sqlalchemy import bindparam, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import pgsim
from pgsim.errors import DimensionMismatch, InvalidVector, UnknownVersion
from pgsim.sqlalchemy import search
from pgsim.vectors import sparse_text

if TYPE_CHECKING:
    from cookbook import Recipes

QUERY = drawn(np.random.default_rng(7), 1, 6)[0]
DENSE = [0.3, -1.0, 0.2, 0.5]


class Base(DeclarativeBase):
    pass


class Recipe(Base):
    __tablename__ = "recipe"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


@pytest.fixture
def db(recipes: Recipes) -> pgsim.Database:
    return pgsim.Database(recipes.connection)


def mapping(vector: np.ndarray) -> dict[int, float]:
    return {int(i): float(vector[i]) for i in np.flatnonzero(vector)}


def test_vectors_are_stored_and_searched_as_pgvector_has_them_or_as_mappings(db: pgsim.Database) -> None:
    db.upsert("recipe", "terms", [1, 2], sparse_vectors=[sparse(QUERY * 50), mapping(QUERY * 40)], embedding="sparse")
    hits = db.search("recipe", sparse_query=mapping(QUERY), k=2)
    assert [hit.key for hit in hits] == ["1", "2"]
    assert hits[1].score == pytest.approx(40 * float(QUERY @ QUERY))
    assert hits == db.search("recipe", sparse_query=sparse(QUERY), k=2)
    assert hits == db.search("recipe", sparse_query=sparse(QUERY), k=2, model="terms", embedding="sparse")


def test_recall_is_measured_with_queries_of_either_kind(db: pgsim.Database) -> None:
    got = db.recall("recipe", sparse_queries=[mapping(QUERY), sparse(QUERY)], embedding="sparse", k=3)
    assert (got.searches, got.mean_recall, got.strategies) == (2, 1, {"exact": 2})
    assert db.recall("recipe", embedding="sparse", sample=4, k=3).searches == 4


def test_it_is_a_leg_of_every_call(db: pgsim.Database) -> None:
    fused = db.search(
        "recipe", DENSE, sparse_query=mapping(QUERY), weights={"dense": 0.1, "sparse": 0.9}, model="small"
    )
    assert fused[0].details["legs"]["sparse"]["rank"] == 1  # type: ignore[index]
    own: dict[str, dict[str, object]] = {"terms": {"sparse_query": sparse(QUERY), "embedding": "sparse"}}
    by_leg = db.search("recipe", DENSE, legs=own, weights={"dense": 0.1, "terms": 0.9})
    assert [(hit.key, hit.score) for hit in by_leg] == [(hit.key, hit.score) for hit in fused]
    assert db.explain_search("recipe", sparse_query=mapping(QUERY))["strategy"] == "sparse"
    assert db.search_batch("recipe", sparse_queries=[mapping(QUERY), sparse(QUERY)], k=3)[1] == db.search(
        "recipe", sparse_query=sparse(QUERY), k=3
    )
    assert db.search_parents("recipe", "kind", sparse_query=mapping(QUERY))[0].rank == 1


def test_indices_count_from_0_in_python_and_from_1_in_sql() -> None:
    assert sparse_text({0: 1.0, 3: 0.5}, 7) == "{1:1.0,4:0.5}/7"
    assert sparse_text(SparseVector({3: 0.5, 0: 1.0, 5: 0.0}, 7)) == "{1:1.0,4:0.5}/7"


@pytest.mark.parametrize(
    "vector",
    [
        {DIM: 1.0},
        {-1: 1.0},
        {0.5: 1.0},
        {True: 1.0},
        {0: float("nan")},
        {0: float("inf")},
        {0: 1e39},
        {0: "1"},
        [1.0, 2.0],
        "{1:1}/300",
        SparseVector({DIM: 1.0}, DIM),
    ],
)
def test_what_is_no_sparse_vector_is_refused_before_a_statement_is_sent(db: pgsim.Database, vector: Any) -> None:
    with pytest.raises(InvalidVector) as raised:
        db.search("recipe", sparse_query=vector)
    assert raised.value.hint
    with pytest.raises(InvalidVector):
        db.upsert("recipe", "terms", [1], sparse_vectors=[vector], embedding="sparse")


def test_errors_have_their_classes(db: pgsim.Database) -> None:
    with pytest.raises(DimensionMismatch), db.connection() as connection, connection.transaction():
        db.search("recipe", sparse_query=SparseVector({1: 1.0}, 7))
    with pytest.raises(DimensionMismatch), db.connection() as connection, connection.transaction():
        db.upsert("recipe", "terms", [1], [DENSE], embedding="sparse")
    with db.connection() as connection:
        connection.execute("SELECT pgsim.drop_embedding('recipe', 'sparse')")
    with pytest.raises(UnknownVersion), db.connection() as connection, connection.transaction():
        db.search("recipe", sparse_query={1: 1.0})


def test_a_statement_takes_one_now_or_when_it_runs(database_dsn: str) -> None:
    with psycopg.connect(database_dsn) as connection:
        recipes = make(connection)
        expected = [int(row[0]) for row in recipes.search(QUERY, k=4)]
    engine = create_engine(make_url(database_dsn).set(drivername="postgresql+psycopg"))
    with Session(engine) as session:
        now = search(Recipe, sparse_query=sparse(QUERY), k=4)
        assert [recipe.id for recipe, _ in session.execute(now)] == expected
        later = search(Recipe, sparse_query=bindparam("q"), k=4)
        assert [recipe.id for recipe, _ in session.execute(later, {"q": sparse(QUERY)})] == expected
        fused = search(Recipe, vector=DENSE, sparse_query=sparse(QUERY), k=3)
        assert len(session.execute(fused).all()) == 3
    engine.dispose()
    with pytest.raises(InvalidVector, match="SparseVector"):
        search(Recipe, sparse_query={1: 2.0})  # type: ignore[arg-type]
