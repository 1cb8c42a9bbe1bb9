"""A SQLAlchemy expression as the predicate that ``pgsim.search`` takes: SQL text and the values it reads.

The expression is compiled by a PostgreSQL compiler that writes no value. Where SQLAlchemy puts a bound
parameter, this one puts ``($1->>'p0')::type``; what SQLAlchemy writes out as a quoted literal (the escape
character of LIKE, the flags of a regular expression) is read from ``$1`` too. So the text holds names and
operators only, and each value travels as a bound parameter of the statement that calls the function.

It also tells which columns of the table the expression reads, where that is sure: codes serve a search that
reads none but the columns they mirror.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Integer,
    Text,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    types,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect
from sqlalchemy.sql.operators import in_op

from pgsim.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import (
        BinaryExpression,
        ColumnClause,
        ColumnElement,
        ColumnExpressionArgument,
        Dialect,
        Function,
        Over,
        Select,
        Table,
        TextClause,
    )
    from sqlalchemy.types import TypeEngine

# SQLAlchemy does not know which functions are aggregates
_AGGREGATES = frozenset(
    {"any_value", "array_agg", "avg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "count", "every"}
    | {"json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg", "max", "min", "range_agg", "stddev"}
    | {"string_agg", "sum", "variance", "xmlagg"}
)

_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})

# named: the text is itself a value, in which no % is doubled
_DIALECT: Dialect = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]


class Predicate(NamedTuple):
    """What ``where_sql``, ``where_values`` and ``where_columns`` are given."""

    sql: str
    values: ColumnElement[object] | None
    columns: list[str] | None


def predicate(where: ColumnExpressionArgument[bool], table: Table) -> Predicate:
    """Turn a condition on the rows of ``table`` into text and values.

    ``sql`` is what stands after WHERE in ``SELECT 1 FROM table WHERE ...``. ``values`` is an SQL expression
    of type jsonb, ``{"p0": ..., "p1": ...}``, each value in its type's text form; None when there are none.
    ``columns`` are those of the table that the condition reads; None when that is not sure: it holds SQL text, a
    whole row or a system column, or a subquery reads the table again.

    Raises:
        InvalidArgument: the condition needs another table in FROM, a common table expression, an aggregate or
            a window function, or holds a value whose type is not known.
    """
    rows = select(literal_column("1", Integer())).select_from(table)
    head = f"{_PredicateCompiler(table, rows).string} \nWHERE "
    compiler = _PredicateCompiler(table, rows.where(where))
    if not compiler.string.startswith(head):
        raise InvalidArgument(
            f"where must be a condition on the rows of {table.fullname} alone; it adds to FROM or WITH.",
            detail=f"It compiles to: {compiler.string}",
            hint="Reach other tables by a subquery: Entity.relationship.any(...) or .has(...), "
            "column.in_(select(...)), exists().",
        )
    columns = sorted(compiler.columns) if compiler.sure else None
    return Predicate(compiler.string.removeprefix(head), _as_jsonb(compiler.names), columns)


def castable(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type to cast a value to: as PostgreSQL names it, and without a limit that would change the value.

    A cast to ``VARCHAR(3)`` cuts and one to ``NUMERIC(5, 2)`` rounds; comparing with such a column does not.
    """
    if type(type_) is types.JSON.JSONPathType:
        return ARRAY(Text())
    known = type_.dialect_impl(_DIALECT)
    unlimited = next((_UNLIMITED[base] for base in type(known).__mro__ if base in _UNLIMITED), None)
    return unlimited(known) if unlimited else known


def _as_jsonb(values: Collection[BindParameter[Any]]) -> ColumnElement[object] | None:
    if not values:
        return None
    names = ",".join(f"p{i}" for i in range(len(values)))
    texts = [cast(cast(value, castable(value.type)), Text()) for value in values]
    # two arrays, since jsonb_build_object takes no more than 100 arguments
    return func.jsonb_object(literal_column(f"'{{{names}}}'"), postgresql.array(texts))


class _List(types.UserDefinedType[list[Any]]):
    """The values of IN as one array, each bound as its own type binds it.

    SQLAlchemy's ARRAY would do, but renders a cast to ``VARCHAR(3)[]``, which cuts the values.
    """

    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        self.item = item

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], list[Any]]:
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        return lambda values: [process(value) for value in values] if process else list(values)

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str] | None:
        return ARRAY(self.item).dialect_impl(dialect).literal_processor(dialect)


# the nearest class of a type counts
_UNLIMITED: dict[type, Callable[[Any], TypeEngine[Any]]] = {
    _List: lambda known: ARRAY(castable(known.item), dimensions=1),
    postgresql.BIT: lambda _: postgresql.BIT(varying=True),
    postgresql.CITEXT: lambda known: known,
    postgresql.ENUM: lambda known: known,
    postgresql.INTERVAL: lambda _: postgresql.INTERVAL(),
    types.ARRAY: lambda known: ARRAY(castable(known.item_type), dimensions=known.dimensions),
    types.DateTime: lambda known: types.DateTime(known.timezone),
    types.JSON.JSONIntIndexType: lambda _: Integer(),
    types.JSON.JSONStrIndexType: lambda _: Text(),
    types.Numeric: lambda _: types.Numeric(),
    types.String: lambda _: types.String(),
    types.Text: lambda _: Text(),
    types.Time: lambda known: types.Time(known.timezone),
    types.TypeDecorator: lambda known: castable(known.impl_instance),
}


class _PredicateCompiler(PGCompiler):
    """Renders each parameter as a read from ``$1``; ``names`` says what each is called there.

    ``columns`` are the columns of the table that were rendered, and all that is read of its row if ``sure``.
    """

    def __init__(self, table: Table, statement: Select[int]) -> None:
        self.names: dict[BindParameter[Any], str] = {}
        self.columns: set[str] = set()
        self.sure = True
        self._table = table
        super().__init__(_DIALECT, statement)

    def visit_column(self, column: ColumnClause[Any], *args: Any, **kw: Any) -> str:
        within = len(self.stack) > 1
        if column.table is None:
            # What any(), has() and exists() select reads nothing of the row.
            self.sure &= column.is_literal and (column.name == "1" or (within and column.name == "*"))
        elif column.table == self._table:
            self.columns.add(str(column.name))
            self.sure &= not column.system and column.name not in _SYSTEM_COLUMNS
            if self._table.schema and not within:
                # Codes stand in for the table under its bare name. A subquery might know another of that name.
                return f"{self.preparer.quote(self._table.name)}.{self.preparer.quote(column.name)}"
            self.sure &= not self._table.schema
        return super().visit_column(column, *args, **kw)

    def visit_table(self, table: Table, *args: Any, **kw: Any) -> str:
        self.sure &= len(self.stack) == 1 or table != self._table
        return str(super().visit_table(table, *args, **kw))  # type: ignore[no-untyped-call]

    def visit_table_valued_column(self, element: Any, **kw: Any) -> str:
        self.sure = False
        return str(super().visit_table_valued_column(element, **kw))  # type: ignore[no-untyped-call]

    def visit_textclause(self, textclause: TextClause, *args: Any, **kw: Any) -> str:
        self.sure = False
        return str(super().visit_textclause(textclause, *args, **kw))  # type: ignore[no-untyped-call]

    def _read(self, value: BindParameter[Any]) -> str:
        known = castable(value.type)
        if isinstance(getattr(known, "item_type", known), types.NullType):
            raise InvalidArgument(
                f"where holds a value of unknown type: {value.key}.",
                hint="Name its type: bindparam(name, type_=Integer), or literal(value, Integer).",
            )
        name = self.names.setdefault(value, f"p{len(self.names)}")
        return f"($1->>'{name}')::{known.compile(dialect=_DIALECT)}"

    def visit_bindparam(self, bindparam: BindParameter[Any], *_: Any, **__: Any) -> str:
        if bindparam.expanding:
            raise InvalidArgument(
                f"where has a list of values outside of in_() and not_in(): {bindparam.key}.",
                hint="Give it as an array: literal(values, ARRAY(Integer)).",
            )
        return self._read(bindparam)

    def render_literal_value(self, value: Any, type_: TypeEngine[Any]) -> str:
        return self._read(literal(value, type_))

    def visit_in_op_binary(self, binary: BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        listed, inside = binary.right, operator is in_op
        if not (isinstance(listed, BindParameter) and listed.expanding):
            return self._generate_generic_binary(binary, " IN " if inside else " NOT IN ", **kw)
        if not (listed.value or listed.required or listed.callable):
            return "false" if inside else "true"
        left = self.process(binary.left, **kw)
        if isinstance(listed.type, types.TupleType):
            rows = self._rows(listed, listed.type.types)
            return f"({left} {'IN' if inside else 'NOT IN'} ({rows}))"
        if listed.type.bind_expression(listed) is not None:
            raise InvalidArgument(
                f"where has a list of {listed.type!r}, whose values are bound by an SQL expression each.",
                hint="Write or_() of comparisons with single values.",
            )
        array = bindparam(
            listed.key,
            listed.value,
            _List(listed.type),
            unique=listed.unique,
            required=listed.required,
            callable_=listed.callable,
        )
        return f"({left} {'= ANY' if inside else '<> ALL'} ({self._read(array)}))"

    visit_not_in_op_binary = visit_in_op_binary

    def _rows(self, tuples: BindParameter[Any], items: Sequence[TypeEngine[Any]]) -> str:
        if not tuples.value:
            raise InvalidArgument(
                f"where compares a tuple with a list to be given at execution: {tuples.key}.",
                hint="Give the list when the statement is made.",
            )
        columns = zip(items, zip(*tuples.value, strict=True), strict=True)
        arrays = ", ".join(self._read(literal(values, _List(item))) for item, values in columns)
        return f"SELECT * FROM unnest({arrays})"

    def visit_match_op_binary(
        self,
        binary: BinaryExpression[Any],
        operator: Any,  # noqa: ARG002
        **kw: Any,
    ) -> str:
        # otherwise a literal to be read as regconfig, which a value of type text is not
        config = binary.modifiers.get("postgresql_regconfig")
        query = func.plainto_tsquery(*([config] if config else []), binary.right)
        return self.process(binary.left.op("@@")(query), **kw)

    def _refuse_beyond_a_row(self, found: str) -> None:
        if len(self.stack) == 1:
            raise InvalidArgument(
                f"where must hold for one row at a time; it has {found}.",
                hint="Put it in a subquery: column == select(func.max(...)).scalar_subquery().",
            )

    def visit_function(self, func: Function[Any], *args: Any, **kw: Any) -> str:
        if func.name.lower() in _AGGREGATES:
            self._refuse_beyond_a_row(f"the aggregate {func.name}()")
        return super().visit_function(func, *args, **kw)

    def visit_over(self, over: Over[Any], **kw: Any) -> str:
        self._refuse_beyond_a_row("a window function")
        return str(super().visit_over(over, **kw))  # type: ignore[no-untyped-call]
