"""A SQLAlchemy expression becomes SQL text that holds no value, and the values it reads."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library import Author, Document, Kind, Tag
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    any_,
    bindparam,
    case,
    column,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased

from pgsim.errors import InvalidArgument
from pgsim.sqlalchemy.predicate import predicate

DOCUMENTS: FromClause = Document.__table__
assert isinstance(DOCUMENTS, Table)


def compiled(where: ColumnElement[bool], table: Table = DOCUMENTS) -> tuple[str, str, list[Any]]:
    """The predicate's text, the text of its values, and what is bound there, in order."""
    sql, values, _ = predicate(where, table)
    if values is None:
        return sql, "", []
    statement = values.compile(dialect=postgresql.dialect())
    return sql, str(statement), list(statement.params.values())


def test_a_value_is_read_by_name_and_bound_as_its_type() -> None:
    sql, values, bound = compiled(Document.section == "python")

    assert sql == "documents.section = ($1->>'p0')::VARCHAR"
    assert values == "jsonb_object('{p0}', ARRAY[CAST(CAST(%(section_1)s::VARCHAR AS VARCHAR) AS TEXT)])"
    assert bound == ["python"]


ONE, DAY = uuid.UUID(int=1), dt.date(2024, 2, 29)
NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 500)


@pytest.mark.parametrize(
    ("where", "sql", "bound"),
    [
        (
            or_(Document.size > 3, ~(Document.lent & (Document.size < 1))),
            "documents.size > ($1->>'p0')::INTEGER OR NOT (documents.lent AND documents.size < ($1->>'p1')::INTEGER)",
            [3, 1],
        ),
        (Document.size.in_([1, 2]), "(documents.size = ANY (($1->>'p0')::INTEGER[]))", [[1, 2]]),
        (~Document.size.in_([1, 2]), "(documents.size <> ALL (($1->>'p0')::INTEGER[]))", [[1, 2]]),
        (Document.size.in_([]), "false", []),
        (Document.size.not_in([]), "true", []),
        (
            tuple_(Document.section, Document.size).in_([("a", 1), ("b", 2)]),
            "((documents.section, documents.size) IN "
            "(SELECT * FROM unnest(($1->>'p0')::VARCHAR[], ($1->>'p1')::INTEGER[])))",
            [("a", "b"), (1, 2)],
        ),
        (
            Document.size.between(1, 2),
            "documents.size BETWEEN ($1->>'p0')::INTEGER AND ($1->>'p1')::INTEGER",
            [1, 2],
        ),
        (Document.title.like("50%"), "documents.title LIKE ($1->>'p0')::TEXT", ["50%"]),
        (
            Document.title.icontains("50%", autoescape=True),
            "(documents.title ILIKE '%' || ($1->>'p0')::TEXT || '%' ESCAPE ($1->>'p1')::VARCHAR)",
            ["50/%", "/"],
        ),
        (
            Document.title.regexp_match("^a", "n"),
            "documents.title ~ CONCAT('(?', ($1->>'p0')::VARCHAR, ')', ($1->>'p1')::TEXT)",
            ["n", "^a"],
        ),
        (Document.size % 3 == 1, "documents.size % ($1->>'p0')::INTEGER = ($1->>'p1')::INTEGER", [3, 1]),
        (Document.loan.is_(None), "documents.loan IS NULL", []),
        (Document.lent.is_(True), "documents.lent IS true", []),
        (literal(True, Boolean), "($1->>'p0')::BOOLEAN", [True]),
        (true(), "true", []),
        (any_(Document.labels) == "a", "($1->>'p0')::TEXT = ANY (documents.labels)", ["a"]),
        (Document.labels.contains(["a"]), "documents.labels @> ($1->>'p0')::TEXT[]", [["a"]]),
        (Document.meta.contains({"a": 1}), "documents.meta @> ($1->>'p0')::JSONB", [{"a": 1}]),
        (
            Document.meta["a", "b"].astext == "x",
            "(documents.meta #>> ($1->>'p0')::TEXT[]) = ($1->>'p1')::TEXT",
            [("a", "b"), "x"],
        ),
        (
            Document.meta["a"].as_integer() > 3,
            "CAST((documents.meta ->> ($1->>'p0')::TEXT) AS INTEGER) > ($1->>'p1')::INTEGER",
            ["a", 3],
        ),
        (Document.meta.has_key("a"), "documents.meta ? ($1->>'p0')::VARCHAR", ["a"]),
        (func.lower(Document.title) == "x", "lower(documents.title) = ($1->>'p0')::VARCHAR", ["x"]),
        (
            Document.title.match("word", postgresql_regconfig="english"),
            "documents.title @@ plainto_tsquery(($1->>'p0')::REGCONFIG, ($1->>'p1')::TEXT)",
            ["english", "word"],
        ),
        (
            case((Document.size > 3, "big"), else_="small") == "big",
            "CASE WHEN (documents.size > ($1->>'p0')::INTEGER) THEN ($1->>'p1')::VARCHAR "
            "ELSE ($1->>'p2')::VARCHAR END = ($1->>'p3')::VARCHAR",
            [3, "big", "small", "big"],
        ),
        (Document.published < DAY, "documents.published < ($1->>'p0')::DATE", [DAY]),
        (
            Document.updated > func.now() - dt.timedelta(days=1),
            "documents.updated > now() - ($1->>'p0')::INTERVAL",
            [dt.timedelta(days=1)],
        ),
        (Document.uid == ONE, "documents.uid = ($1->>'p0')::UUID", [ONE]),
        (Document.price > Decimal("1.005"), "documents.price > ($1->>'p0')::NUMERIC", [Decimal("1.005")]),
        (Document.kind == Kind.BOOK, "documents.kind = ($1->>'p0')::kind", [Kind.BOOK]),
        (Document.kind.in_([Kind.BOOK]), "(documents.kind = ANY (($1->>'p0')::kind[]))", [[Kind.BOOK]]),
        (Document.cover == b"\0%", "documents.cover = ($1->>'p0')::BYTEA", [b"\0%"]),
        (Document.isbn == "97-8", "documents.isbn = ($1->>'p0')::VARCHAR", ["97-8"]),
        (literal_column("size") > 3, "size > ($1->>'p0')::INTEGER", [3]),
        (text("size > :n").bindparams(n=3), "size > ($1->>'p0')::INTEGER", [3]),
        (
            Document.tags.any(Tag.name == "x"),
            "EXISTS (SELECT 1 \nFROM tags, document_tags \nWHERE documents.id = document_tags.document_id "
            "AND tags.id = document_tags.tag_id AND tags.name = ($1->>'p0')::VARCHAR)",
            ["x"],
        ),
        (
            Document.author.has(name="x"),
            "EXISTS (SELECT 1 \nFROM authors \n"
            "WHERE authors.id = documents.author_id AND authors.name = ($1->>'p0')::VARCHAR)",
            ["x"],
        ),
        (
            Document.author_id.in_(select(Author.id).where(Author.name == "x")),
            "documents.author_id IN (SELECT authors.id \nFROM authors \nWHERE authors.name = ($1->>'p0')::VARCHAR)",
            ["x"],
        ),
        (
            Document.size == select(func.max(Document.size)).scalar_subquery(),
            "documents.size = (SELECT max(documents.size) AS max_1 \nFROM documents)",
            [],
        ),
    ],
    ids=str,
)
def test_every_form_of_condition(where: ColumnElement[bool], sql: str, bound: list[Any]) -> None:
    text_, _, bound_ = compiled(where)

    assert text_ == sql
    assert bound_ == bound


def test_a_value_used_twice_is_bound_once() -> None:
    least = bindparam("least", 3)

    sql, _, bound = compiled(or_(Document.size > least, Document.author_id > least))

    assert sql.count("$1") == 2
    assert bound == [3]


def test_names_are_quoted_as_the_server_wants_them_with_single_percents() -> None:
    table = Table('50% "off"', MetaData(), Column("a:b %", Integer), schema="My shop")

    sql, _, _ = compiled(table.c["a:b %"] % 2 == 1, table)

    assert sql == """"50% ""off\"""."a:b %" % ($1->>'p0')::INTEGER = ($1->>'p1')::INTEGER"""


def test_no_limit_of_a_column_cuts_or_rounds_a_value() -> None:
    table = Table(
        "t",
        MetaData(),
        Column("code", String(2)),
        Column("codes", postgresql.ARRAY(String(2))),
        Column("at", postgresql.TIMESTAMP(precision=0)),
        Column("folded", postgresql.CITEXT),
    )
    columns = ((table.c.code, "abc"), (table.c.codes, ["abc"]), (table.c.at, NOON), (table.c.folded, "A"))

    assert [compiled(column == value, table)[0].partition("::")[2] for column, value in columns] == [
        "VARCHAR",
        "VARCHAR[]",
        "TIMESTAMP WITHOUT TIME ZONE",
        "CITEXT",
    ]


hostile = st.text(alphabet=st.sampled_from("'\"%:\\$1{},;-/*?()né\N{SNOWMAN}\n\t ")) | st.text()


@given(a=hostile, b=hostile, many=st.lists(hostile, min_size=1))
def test_the_text_is_the_same_whatever_the_values(a: str, b: str, many: list[str]) -> None:
    def where(a: str, b: str, many: list[str]) -> ColumnElement[bool]:
        return or_(
            Document.title == a,
            Document.title.contains(b, autoescape=True),
            Document.title.like(a, escape=b),
            Document.title.regexp_match(a, flags=f"{b}x"),
            Document.title.match(a, postgresql_regconfig=f"{b}x"),
            Document.section.in_(many),
            tuple_(Document.section, Document.title).in_([(each, a) for each in many]),
            Document.labels.overlap(many),
            Document.meta[a].astext == b,
            Document.meta.contains({a: many}),
            Document.cover == a.encode(),
            func.coalesce(Document.title, a) == literal(b),
            Document.tags.any(Tag.name == a),
            text("title = :a").bindparams(a=a),
        )

    assert compiled(where(a, b, many))[:2] == compiled(where("x", "y", ["z"]))[:2]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (Author.name == "x", "the rows of documents alone; it adds to FROM"),
        (Document.author_id == Author.id, "the rows of documents alone; it adds to FROM"),
        (aliased(Document).size > 3, "the rows of documents alone; it adds to FROM"),
        (
            Document.size.in_(select(select(Author.id).cte("all_authors").c.id)),
            "the rows of documents alone; it adds to FROM or WITH",
        ),
        (func.count() > 3, r"the aggregate count\(\)"),
        (func.max(Document.size) > 3, r"the aggregate max\(\)"),
        (func.row_number().over(order_by=Document.id) < 3, "a window function"),
        (func.lower(Document.title) == bindparam("title"), "a value of unknown type: title"),
        (func.f(bindparam("ids", [1], expanding=True), type_=Boolean), r"outside of in_\(\)"),
        (
            tuple_(Document.section, Document.size).in_(bindparam("pairs")),
            "a tuple with a list to be given at execution",
        ),
    ],
    ids=str,
)
def test_what_is_no_condition_on_one_row_is_refused_with_a_hint(where: ColumnElement[bool], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message) as refused:
        predicate(where, DOCUMENTS)

    assert refused.value.hint


def test_a_list_whose_values_are_expressions_is_refused() -> None:
    class Folded(TypeDecorator[str]):
        impl = String
        cache_ok = True

        def bind_expression(self, bindparam: Any) -> ColumnElement[str]:
            return func.lower(bindparam)

    table = Table("t", MetaData(), Column("name", Folded))

    assert "CAST(lower(%(name_1)s::VARCHAR) AS VARCHAR)" in compiled(table.c.name == "A", table)[1]
    with pytest.raises(InvalidArgument, match="Folded"):
        predicate(table.c.name.in_(["A"]), table)


def test_exists_correlates_to_the_row() -> None:
    assert compiled(exists().where(Author.id == Document.author_id))[0] == (
        "EXISTS (SELECT * \nFROM authors \nWHERE authors.id = documents.author_id)"
    )


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        (Document.section == "python", ["section"]),
        (or_(Document.size > 3, ~(Document.lent & (Document.size < 1))), ["lent", "size"]),
        (tuple_(Document.section, Document.size).in_([("a", 1)]), ["section", "size"]),
        (Document.labels[1] == "a", ["labels"]),
        (Document.meta["a", "b"].astext == "x", ["meta"]),
        (func.lower(Document.title).in_(["x"]), ["title"]),
        (case((Document.size > 3, "big"), else_=Document.section) == "big", ["section", "size"]),
        (true(), []),
        (Document.author_id.in_(select(Author.id).where(Author.name == "x")), ["author_id"]),
        (Document.author.has(name="x"), ["author_id"]),
        (Document.tags.any(Tag.name == "x"), ["id"]),
        (exists().where(Author.id == Document.author_id), ["author_id"]),
        (select(func.count()).where(Author.id == Document.author_id).scalar_subquery() > 3, ["author_id"]),
    ],
    ids=str,
)
def test_it_tells_which_columns_of_the_row_are_read(where: ColumnElement[bool], columns: list[str]) -> None:
    assert predicate(where, DOCUMENTS).columns == columns


@pytest.mark.parametrize(
    "where",
    [
        text("size > 3"),
        Document.section.in_(["a"]) & text("size > 3"),
        literal_column("size") > 3,
        literal_column("(documents)::text") == "x",
        column("size", Integer) > 3,
        exists(select(literal_column("size")).where(Author.id == Document.author_id)),
        func.row_to_json(DOCUMENTS.table_valued()).is_not(None),
        Document.size == select(func.max(Document.size)).scalar_subquery(),
        Document.size > select(func.avg(aliased(Document).size)).scalar_subquery(),
        Document.id.in_(select(Document.id).where(Document.size > 3)),
    ],
    ids=str,
)
def test_it_does_not_tell_where_it_is_not_sure(where: ColumnElement[bool]) -> None:
    assert predicate(where, DOCUMENTS).columns is None


def test_what_only_the_table_itself_has_is_not_told_as_a_column() -> None:
    table = Table("t", MetaData(), Column("id", Integer), Column("xmin", Integer, system=True), Column("ctid", String))

    assert predicate(table.c.xmin > 3, table).columns is None
    assert predicate(table.c.ctid == "(0,1)", table).columns is None
    assert predicate(table.c.id > 3, table).columns == ["id"]


def test_a_column_goes_by_the_name_that_the_database_knows() -> None:
    table = Table("t", MetaData(), Column("Größe, %", Integer, key="size"))

    assert predicate(table.c.size > 3, table).columns == ["Größe, %"]


def test_a_table_goes_by_its_bare_name_but_where_a_subquery_might_know_another() -> None:
    metadata = MetaData()
    notes = Table("notes", metadata, Column("id", Integer, primary_key=True), schema="s")
    other = Table("notes", metadata, Column("id", Integer, primary_key=True), schema="t")

    assert predicate(notes.c.id > 3, notes)[::2] == ("notes.id > ($1->>'p0')::INTEGER", ["id"])
    assert predicate(exists().where(other.c.id == notes.c.id), notes)[::2] == (
        "EXISTS (SELECT * \nFROM t.notes \nWHERE t.notes.id = s.notes.id)",
        None,
    )
