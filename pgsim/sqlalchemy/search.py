"""``pgsim.search`` as a SELECT: of entities with their scores, or of the bare hits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar, Unpack, overload

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    Double,
    Integer,
    Table,
    Text,
    and_,
    cast,
    column,
    func,
    inspect,
    literal,
    literal_column,
    select,
    type_coerce,
    types,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapper, QueryableAttribute
from sqlalchemy.sql.roles import ExpressionElementRole

from pgsim.errors import InvalidArgument, NoPrimaryKey
from pgsim.options import SearchOptions, spelled_out, sql_arguments
from pgsim.sqlalchemy.predicate import castable, predicate
from pgsim.vectors import as_vector, sparse_text, vector_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pgvector import SparseVector
    from sqlalchemy import ColumnElement, ColumnExpressionArgument, Dialect, Function, Select, TableValuedAlias
    from sqlalchemy.types import TypeEngine

    from pgsim.vectors import Vector

    QueryVector: TypeAlias = Vector | ExpressionElementRole[object]

_Entity = TypeVar("_Entity")


class _VectorText(types.UserDefinedType[Any]):
    """A vector bound as text without a cast, so that it takes the type of the function's argument.

    A cast would have to name pgvector's type, whose schema need not be on the search path.
    """

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:  # noqa: ARG002
        return lambda value: value if value is None or isinstance(value, str) else vector_text(as_vector(value))

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:  # noqa: ARG002
        return lambda value: "'" + str(value).replace("'", "''") + "'"


class _SparseText(_VectorText):
    """A sparse vector bound likewise."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:  # noqa: ARG002
        return lambda value: value if value is None or isinstance(value, str) else sparse_text(value)


# In the order of the SQL function's parameters, so that searches of one shape are one statement.
_TYPES: dict[str, TypeEngine[Any]] = {
    "k": Integer(),
    "filter": JSONB(),
    "text_query": Text(),
    "sparse_query": _SparseText(),
    "model": Text(),
    "embedding": Text(),
    "recall": Double(),
    "mode": Text(),
    "dims": ARRAY(Integer()),
    "fusion": Text(),
    "weights": JSONB(),
    "text_form": Text(),
    "legs": JSONB(),
    "rank_constant": Double(),
    "candidates": Integer(),
    "oversample": Integer(),
    "max_distance": Double(),
    "after": JSONB(),
    "distinct_on": Text(),
    "per_group": Integer(),
}


class EntityOptions(SearchOptions, total=False):
    """Options of a search for entities.

    Attributes:
        where: a condition on the entity's table, of any form SQLAlchemy can write.
        collection: the collection's name; by default the table's.
        distinct_on: a column of the entity's table, of whose every value only the nearest row comes.
        sparse_query: a sparse vector, or a parameter that is given as one at execution.
    """

    where: ColumnExpressionArgument[bool] | None
    collection: str | None
    distinct_on: str | ExpressionElementRole[object] | None
    sparse_query: SparseVector | ExpressionElementRole[object] | None


@overload
def search(
    entity: type[_Entity], *, vector: QueryVector | None = None, **options: Unpack[EntityOptions]
) -> Select[_Entity, float]: ...
@overload
def search(
    entity: Table, *, vector: QueryVector | None = None, **options: Unpack[EntityOptions]
) -> Select[*tuple[object, ...]]: ...
@spelled_out(EntityOptions)
def search(
    entity: type[object] | Table, *, vector: QueryVector | None = None, **options: Unpack[EntityOptions]
) -> Select[*tuple[object, ...]]:
    """The k entities nearest to a vector, each with its score, best first.

    The result is a plain Select: join to it, add loading options, page through it, run it on a Session or an
    AsyncSession. What is added by ``.where()`` filters the k hits; ``where`` and ``filter`` choose among all
    rows, so that k rows come back when k rows match.

    Args:
        entity: a class mapped to one table, or a Table: the columns of its rows come before the score then.
        vector: the query, ``(d,)``: a sequence of floats, a numpy array, ``bindparam(name)`` to be given as
            either at execution, or an SQL expression of type vector; none where text or legs alone are searched.
        where: a condition on the entity's table, of any form SQLAlchemy can write. Values are bound, and
            ``bindparam(name)`` may be given at execution.
        filter: a condition in pgsim's filter language. Rows must satisfy both when both are given.
        k: how many rows, 1 to 10,000.
        collection: the collection's name; by default the table's.
        model: the model whose version is searched; by default the active one.
        embedding: the embedding of the collection.
        recall: the share of the exact answer that is to be found, on average, .5 to 1 (.95).
        mode: ``auto`` takes what costs least at that recall; ``exact``, ``codes`` or ``ann``.
        dims: prefix lengths, shortest first: one searches it alone, of several each ranks what the one before kept;
            by default the full width.
        oversample: how many times k rows the shortest of several keeps; by default what the recall asks for.
        max_distance: rows farther away are left out.
        after: the last row of the page before: one with ``distance``, ``key`` and ``rank`` of :func:`hits`, a
            mapping of them, or a :class:`pgsim.Hit`.
        distinct_on: a column of the table, as attribute or name, of whose every value only the nearest row comes.
        per_group: how many rows of one value of ``distinct_on`` may come (1).
        text_query: words to look for, fused with the vector's search; alone, ranked by BM25.
        text_form: how they are read (``any``).
        sparse_query: a sparse vector, fused with the others; alone, ranked by itself: a `pgvector.SparseVector`, or
            ``bindparam(name)`` to be given as one at execution.
        legs: more legs by their names: other vectors, texts, or columns that rank by themselves.
        fusion: ``minmax``, ``relative_score``, ``tmm``, ``dbsf``, ``rrf``, or a fusion kept by `create_fusion`.
        weights: of each leg by its name; 0 leaves it out.
        rank_constant: of ``rrf`` (60).
        candidates: how many rows each leg gives (200, or twice k where that is more).

    Raises:
        InvalidVector: the vector is not ``(d,)``, d > 0, of finite float32 numbers.
        InvalidArgument: the entity is not mapped to one table, where is not a condition on its rows, distinct_on is
            not a column of theirs, or a number is none.
        NoPrimaryKey: the table has no primary key.
    """
    found = hits(entity, vector=vector, **options)
    scored = select(entity, found.c.score).join_from(entity, found, on_key(entity, found))
    return scored.order_by(found.c.rank)


@spelled_out(EntityOptions)
def hits(
    entity: type[object] | Table, *, vector: QueryVector | None = None, **options: Unpack[EntityOptions]
) -> TableValuedAlias:
    """The call of ``pgsim.search`` itself, as a table to select from.

    Its columns are ``key`` (text), ``score`` (higher is better), ``distance`` (the metric's own; NULL of a row that
    the vector did not find), ``rank`` (from 1) and ``details`` (jsonb). Join it to the entity by :func:`on_key`.
    Arguments and errors are those of :func:`search`.
    """
    table = _table(entity)
    collection = options.get("collection")
    sparse: object = options.get("sparse_query")
    later = sparse if isinstance(sparse, BindParameter) else None
    given = sql_arguments(
        {
            **options,
            "distinct_on": _column_name(options.get("distinct_on"), table),
            "sparse_query": None if later is not None else sparse,
        }
    )
    arguments: dict[str, ColumnElement[Any] | ExpressionElementRole[object] | None] = {
        "collection": literal(table.name if collection is None else collection, Text()),
        "query": None
        if vector is None and (later is not None or given.keys() & {"text_query", "sparse_query", "legs"})
        else _query(vector),
        "sparse_query": None if later is None else type_coerce(later, _SparseText()),
        **{name: _literal(given[name], type_) for name, type_ in _TYPES.items() if name in given},
        **_where(entity, table, options.get("where")),
    }
    return _found(func.pgsim.search, arguments)


class VersionsOptions(TypedDict, total=False):
    """Options of a search in two versions, as `EntityOptions` has them.

    Attributes:
        target: the model that rows move to; by default that of the younger version.
    """

    where: ColumnExpressionArgument[bool] | None
    filter: Mapping[str, object] | None
    k: int | None
    collection: str | None
    embedding: str | None
    recall: float | None
    mode: str | None
    target: str | None


@overload
def search_versions(
    entity: type[_Entity], queries: Mapping[str, Vector], **options: Unpack[VersionsOptions]
) -> Select[_Entity, float]: ...
@overload
def search_versions(
    entity: Table, queries: Mapping[str, Vector], **options: Unpack[VersionsOptions]
) -> Select[*tuple[object, ...]]: ...
@spelled_out(VersionsOptions)
def search_versions(
    entity: type[object] | Table, queries: Mapping[str, Vector], **options: Unpack[VersionsOptions]
) -> Select[*tuple[object, ...]]:
    """The k entities nearest to a query in two versions at once, while rows move from one to the other.

    A row that has a vector of the new model is ranked by that, every other one by its old vector. With no row moved,
    or all, the answer is that of :func:`search` in the one version. The result is a plain Select, as there.

    Args:
        entity: a class mapped to one table, or a Table.
        queries: the query's vector ``(d,)`` by each of the two models.
        where: a condition on the entity's table, of any form SQLAlchemy can write.
        filter: a condition in pgsim's filter language. Rows must satisfy both when both are given.
        k: how many rows, 1 to 10,000.
        collection: the collection's name; by default the table's.
        embedding: the embedding of the collection.
        recall: the share of the exact answer that is to be found, on average, .5 to 1 (.95).
        mode: ``auto`` takes what costs least at that recall; ``exact``, ``codes`` or ``ann``.
        target: the model that rows move to; by default that of the younger version.

    Raises:
        InvalidVector: a vector is not ``(d,)``, d > 0, of finite float32 numbers.
        InvalidArgument: the entity is not mapped to one table, or where is not a condition on its rows.
        NoPrimaryKey: the table has no primary key.
    """
    found = version_hits(entity, queries, **options)
    scored = select(entity, found.c.score).join_from(entity, found, on_key(entity, found))
    return scored.order_by(found.c.rank)


@spelled_out(VersionsOptions)
def version_hits(
    entity: type[object] | Table, queries: Mapping[str, Vector], **options: Unpack[VersionsOptions]
) -> TableValuedAlias:
    """The call of ``pgsim.search_versions`` itself, as a table to select from; its columns are those of :func:`hits`.

    ``details["model"]`` says which model ranked a row. Arguments and errors are those of :func:`search_versions`.
    """
    table = _table(entity)
    collection, target = options.get("collection"), options.get("target")
    given = sql_arguments(options)
    vectors = {model: [float(number) for number in as_vector(query)] for model, query in queries.items()}
    arguments: dict[str, ColumnElement[Any] | ExpressionElementRole[object] | None] = {
        "collection": literal(table.name if collection is None else collection, Text()),
        "queries": literal(vectors, JSONB()),
        **{name: _literal(given[name], type_) for name, type_ in _TYPES.items() if name in given},
        "target": None if target is None else literal(target, Text()),
        **_where(entity, table, options.get("where")),
    }
    return _found(func.pgsim.search_versions, arguments)


def _where(
    entity: type[object] | Table, table: Table, where: ColumnExpressionArgument[bool] | None
) -> dict[str, ColumnElement[Any] | ExpressionElementRole[object] | None]:
    conditions = [condition for condition in (_discriminator(entity), where) if condition is not None]
    if not conditions:
        return {}
    sql, values, columns = predicate(and_(*conditions), table)
    return {
        "where_sql": literal(sql, Text()),
        "where_values": values,
        "where_columns": None if columns is None else literal(columns, ARRAY(Text())),
    }


def _found(
    function: Callable[..., Function[Any]],
    arguments: Mapping[str, ColumnElement[Any] | ExpressionElementRole[object] | None],
) -> TableValuedAlias:
    named = (literal_column(name).op("=>")(value) for name, value in arguments.items() if value is not None)
    return function(*named).table_valued(
        column("key", Text()),
        column("score", Double()),
        column("distance", Double()),
        column("rank", Integer()),
        column("details", JSONB()),
    )


def on_key(entity: type[object] | Table, found: TableValuedAlias) -> ColumnElement[bool]:
    """The condition that joins the rows of an entity to its hits, by the primary key.

    Raises:
        NoPrimaryKey: the table has none.
        InvalidArgument: the entity is not mapped to one table.
    """
    table = _table(entity)
    key = table.primary_key.columns
    if not key:
        raise NoPrimaryKey(
            f"{table.fullname} has no primary key that SQLAlchemy knows of.",
            hint="Declare primary_key=True on the columns that are the collection's key.",
        )
    parts = cast(found.c.key, JSONB)
    texts = [found.c.key] if len(key) == 1 else [parts.op("->>")(literal(part.name, Text())) for part in key]
    return and_(*(part == cast(text, castable(part.type)) for part, text in zip(key, texts, strict=True)))


def _literal(value: object, type_: TypeEngine[Any]) -> BindParameter[Any]:
    return literal(json.loads(str(value)) if isinstance(type_, JSONB) else value, type_)


def _column_name(given: object, table: Table) -> str | None:
    if given is None or isinstance(given, str):
        return given
    found = given.expression if isinstance(given, QueryableAttribute) else given
    if isinstance(found, Column) and found.table == table:
        return str(found.name)
    raise InvalidArgument(
        f"distinct_on is {given}, which is not a column of {table.fullname}.",
        hint="Give a mapped column, Entity.column, or a column's name.",
    )


def _query(vector: QueryVector | None) -> ExpressionElementRole[object]:
    if isinstance(vector, BindParameter) and isinstance(vector.type, types.NullType):
        return type_coerce(vector, _VectorText())
    if isinstance(vector, ExpressionElementRole):
        return vector
    # None is refused as everything else that is no vector.
    return literal(vector_text(as_vector(vector)), _VectorText())  # type: ignore[arg-type]


def _table(entity: type[object] | Table) -> Table:
    if isinstance(entity, Table):
        return entity
    mapper = inspect(entity, raiseerr=False)
    if isinstance(mapper, Mapper) and isinstance(mapper.selectable, Table):
        return mapper.selectable
    raise InvalidArgument(
        f"{entity!r} is not a class mapped to one table, nor a Table.",
        hint="Search the class itself instead of aliased(...), and the base class of joined inheritance; "
        "to select something else, join it to hits(...) by on_key(...).",
    )


def _discriminator(entity: type[object] | Table) -> ColumnElement[bool] | None:
    """What tells the rows of a single-table inheritance subclass from the others."""
    mapper = inspect(entity)
    if not isinstance(mapper, Mapper) or not mapper.single or mapper.polymorphic_on is None:
        return None
    return mapper.polymorphic_on.in_([each.polymorphic_identity for each in mapper.self_and_descendants])
