"""What search() and hits() compile to, without a database."""

from __future__ import annotations

import inspect
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from library import Author, Chapter, Document, Film, Item, Person, Reader, Tag
from sqlalchemy import Column, FromClause, Integer, MetaData, Select, Table, bindparam, func, select
from sqlalchemy.dialects.postgresql import asyncpg, psycopg
from sqlalchemy.orm import aliased, load_only, selectinload

from pgsim import Hit
from pgsim.errors import InvalidArgument, InvalidVector, NoPrimaryKey
from pgsim.sqlalchemy import hits, on_key, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Dialect

DOCUMENTS: FromClause = Document.__table__
PSYCOPG: Dialect = psycopg.dialect()
PLAIN = "pgsim.search(collection => %(param_1)s::VARCHAR, query => %(param_2)s)"
ASYNCPG: Dialect = asyncpg.dialect()


def compiled(statement: Select[*tuple[Any, ...]], dialect: Dialect = PSYCOPG) -> tuple[str, dict[str, Any]]:
    """The text after the columns, and the parameters."""
    result = statement.compile(dialect=dialect)
    return f"FROM {str(result).partition('FROM ')[2]}", dict(result.params)


def ids(entity: type[Any] | Table, **arguments: Any) -> Select[int]:
    """A search of which only the first column is selected, for a short text."""
    statement = search(entity, **arguments)
    return statement.with_only_columns(next(iter(statement.selected_columns)))


def test_a_search_is_a_join_of_the_table_to_its_hits_in_rank_order() -> None:
    sql, parameters = compiled(ids(Document, vector=[1, 2.5, -3]))

    assert sql == (
        f"FROM documents JOIN {PLAIN} AS anon_1 ON documents.id = CAST(anon_1.key AS INTEGER) ORDER BY anon_1.rank"
    )
    assert parameters == {"param_1": "documents", "param_2": "[1.0,2.5,-3.0]"}


def test_every_argument_is_passed_by_name_when_it_is_not_the_default() -> None:
    sql, parameters = compiled(
        ids(
            Document,
            vector=[1, 2, 3],
            where=Document.section == "python",
            filter={"size": {"$lt": 100}},
            k=5,
            collection="papers",
            model="minilm",
            embedding="title",
            recall=0.99,
            mode="exact",
            dims=[64, 128],
            oversample=4,
            max_distance=0.5,
            after={"distance": 0.25, "key": "7", "rank": 5},
            distinct_on=Document.section,
        )
    )

    assert sql == (
        "FROM documents JOIN pgsim.search(collection => %(param_1)s::VARCHAR, query => %(param_2)s, "
        "k => %(param_3)s::INTEGER, filter => %(param_4)s::JSONB, model => %(param_5)s::VARCHAR, "
        "embedding => %(param_6)s::VARCHAR, recall => %(param_7)s, mode => %(param_8)s::VARCHAR, "
        "dims => %(param_9)s::INTEGER[], oversample => %(param_10)s::INTEGER, max_distance => %(param_11)s, "
        "after => %(param_12)s::JSONB, distinct_on => %(param_13)s::VARCHAR, where_sql => %(param_14)s::VARCHAR, "
        "where_values => jsonb_object('{p0}', ARRAY[CAST(CAST(%(section_1)s::VARCHAR AS VARCHAR) AS TEXT)]), "
        "where_columns => %(param_15)s::TEXT[]) "
        "AS anon_1 ON documents.id = CAST(anon_1.key AS INTEGER) ORDER BY anon_1.rank"
    )
    assert list(parameters.values()) == [
        "papers",
        "[1.0,2.0,3.0]",
        5,
        {"size": {"$lt": 100}},
        "minilm",
        "title",
        0.99,
        "exact",
        [64, 128],
        4,
        0.5,
        {"distance": 0.25, "key": "7", "rank": 5},
        "section",
        "documents.section = ($1->>'p0')::VARCHAR",
        "python",
        ["section"],
    ]


def test_an_argument_that_is_not_given_is_left_to_the_sql_function() -> None:
    assert PLAIN in compiled(ids(Document, vector=[1, 2.5, -3], model=None, recall=None, after=None, where=None))[0]


def test_each_column_of_a_composite_key_is_joined() -> None:
    sql, parameters = compiled(ids(Chapter, vector=[1, 2, 3]))

    assert sql == (
        "FROM chapters JOIN pgsim.search(collection => %(param_1)s::VARCHAR, query => %(param_2)s) AS anon_1 "
        "ON chapters.book = CAST(CAST(anon_1.key AS JSONB) ->> %(param_3)s::VARCHAR AS VARCHAR) "
        "AND chapters.part = CAST(CAST(anon_1.key AS JSONB) ->> %(param_4)s::VARCHAR AS INTEGER) "
        "ORDER BY anon_1.rank"
    )
    assert (parameters["param_3"], parameters["param_4"]) == ("book", "part")


def test_a_table_is_an_entity_of_its_columns() -> None:
    table = Table("notes", MetaData(), Column("id", Integer, primary_key=True), Column("size", Integer), schema="s")

    statement = search(table, vector=[1.0], where=table.c.size > 3)

    assert [column.name for column in statement.selected_columns] == ["id", "size", "score"]
    _, parameters = compiled(statement)
    assert parameters["param_1"] == "notes"
    assert parameters["param_3"] == "notes.size > ($1->>'p0')::INTEGER"


def test_a_single_table_subclass_is_told_apart_before_the_hits_are_chosen() -> None:
    _, parameters = compiled(ids(Film, vector=[1.0], where=Film.id > 3))

    assert parameters["param_3"] == "(items.type = ANY (($1->>'p0')::VARCHAR[])) AND items.id > ($1->>'p1')::INTEGER"
    assert [parameters["param_4"], parameters["param_5"]] == [["film"], ["id", "type"]]
    assert "where_sql" not in compiled(ids(Item, vector=[1.0]))[0]


@pytest.mark.parametrize("dialect", [PSYCOPG, ASYNCPG], ids=["psycopg", "asyncpg"])
def test_a_vector_is_bound_as_text_without_a_cast(dialect: Dialect) -> None:
    sql, parameters = compiled(ids(Document, vector=np.array([0.1, 2, 1e-7], np.float32)), dialect)

    assert f"query => {'%(param_2)s' if dialect is PSYCOPG else '$2'})" in sql
    numbers = [float(number) for number in parameters["param_2"].strip("[]").split(",")]
    assert np.array_equal(np.array(numbers, np.float32), np.array([0.1, 2, 1e-7], np.float32))


def test_a_vector_given_at_execution_becomes_text_then() -> None:
    result = search(Document, vector=bindparam("q")).compile(dialect=PSYCOPG)
    to_text = result.binds["q"].type.dialect_impl(PSYCOPG).bind_processor(PSYCOPG)

    assert "query => %(q)s)" in str(result)
    assert to_text is not None
    assert [to_text(value) for value in ([1, 2], np.ones(2), "[1,2]", None)] == [
        "[1.0,2.0]",
        "[1.0,1.0]",
        "[1,2]",
        None,
    ]
    with pytest.raises(InvalidVector):
        to_text([np.nan])


def test_a_vector_may_be_an_expression() -> None:
    another = select(Document.embedding).where(Document.id == 7).scalar_subquery()

    assert "query => (SELECT documents.embedding" in compiled(ids(Document, vector=another))[0]


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0, float("nan")], "finite float32 numbers; number 1 is nan"),
        ([float("-inf"), 1.0], "finite float32 numbers; number 0 is -inf"),
        ([1e39], r"finite float32 numbers; number 0 is 1e\+39"),
        ([], r"shape must be \(d,\), d > 0; this one has \(0,\)"),
        (1.0, r"shape must be \(d,\), d > 0; this one has \(\)"),
        ([[1.0, 2.0]], r"this one has \(1, 2\)"),
        (np.zeros((2, 3)), r"this one has \(2, 3\)"),
        ([[1.0], [1.0, 2.0]], "numbers, not list"),
        ("[1,2]", "numbers, not str"),
        (["1", "2"], "numbers, not list"),
        ([1j], "numbers, not list"),
        (None, "numbers, not NoneType"),
        ({1.0, 2.0}, "numbers, not set"),
    ],
    ids=repr,
)
def test_what_is_no_vector_is_refused_before_a_statement_is_made(vector: Any, message: str) -> None:
    with pytest.raises(InvalidVector, match=message) as refused:
        search(Document, vector=vector)

    assert refused.value.hint


@pytest.mark.parametrize("entity", [aliased(Document), Reader, Author.name, int, "documents", select(Document)])
def test_what_is_not_one_mapped_table_is_refused(entity: Any) -> None:
    with pytest.raises(InvalidArgument, match="not a class mapped to one table, nor a Table") as refused:
        search(entity, vector=[1.0])

    assert "on_key" in str(refused.value.hint)


def test_the_base_of_joined_inheritance_is_one_table() -> None:
    assert compiled(ids(Person, vector=[1.0]))[0].startswith("FROM people JOIN pgsim.search(")


def test_a_table_without_a_key_is_refused() -> None:
    with pytest.raises(NoPrimaryKey, match="notes has no primary key"):
        search(Table("notes", MetaData(), Column("id", Integer)), vector=[1.0])


def cache_key(statement: Select[*tuple[Any, ...]]) -> Any:
    key = statement._generate_cache_key()
    assert key is not None
    return key.key


def a_search(sections: Sequence[str], vector: Sequence[float], size: int) -> Select[Document, float]:
    where = Document.section.in_(sections) & (Document.size > size) & Document.tags.any(Tag.name == sections[0])
    return search(Document, vector=vector, where=where, filter={"size": size})


def test_searches_of_one_shape_have_one_cache_key() -> None:
    assert cache_key(a_search(["a"], [1, 2], 3)) == cache_key(a_search(["b", "c"], [3, 4], 5))
    assert cache_key(a_search(["a"], [1, 2], 3)) != cache_key(search(Document, vector=[1, 2]))


def test_a_cached_statement_takes_the_values_of_the_next_search() -> None:
    first, second = a_search(["a"], [1, 2], 3), a_search(["b", "c"], [3, 4], 5)
    keys = first._generate_cache_key(), second._generate_cache_key()
    assert keys[0] is not None
    assert keys[1] is not None
    cached = first.compile(dialect=PSYCOPG, cache_key=keys[0])

    values = cached.construct_params(extracted_parameters=keys[1].bindparams)

    assert values == second.compile(dialect=PSYCOPG).params


def test_the_select_composes() -> None:
    statement = (
        search(Document, vector=[1, 2, 3])
        .join(Document.author)
        .where(Author.name == "Ada")
        .options(load_only(Document.title), selectinload(Document.tags))
        .with_only_columns(Document.id, Author.name)
        .limit(5)
        .offset(10)
    )

    assert compiled(statement)[0] == (
        f"FROM documents JOIN {PLAIN} AS anon_1 "
        "ON documents.id = CAST(anon_1.key AS INTEGER) JOIN authors ON authors.id = documents.author_id \n"
        "WHERE authors.name = %(name_1)s::VARCHAR ORDER BY anon_1.rank \n"
        " LIMIT %(param_3)s::INTEGER OFFSET %(param_4)s::INTEGER"
    )


def test_two_searches_fuse_in_one_statement() -> None:
    near, far = (
        hits(Document, vector=[1, 2, 3], k=50),
        hits(Document, vector=[3, 2, 1], embedding="title", k=50),
    )
    statement = (
        select(Document.id, (1 / (60 + near.c.rank) + 1 / (60 + far.c.rank)).label("fused"))
        .join(near, on_key(Document, near))
        .join(far, on_key(Document, far))
    )

    sql, _ = compiled(statement)
    assert "AS anon_1 ON documents.id = CAST(anon_1.key AS INTEGER) JOIN pgsim.search(" in sql
    assert "AS anon_2 ON documents.id = CAST(anon_2.key AS INTEGER)" in sql


def test_hits_are_a_table_of_typed_columns() -> None:
    found = hits(Document, vector=[1, 2, 3])

    assert {column.name: column.type.compile(PSYCOPG) for column in found.c} == {
        "key": "TEXT",
        "score": "DOUBLE PRECISION",
        "distance": "DOUBLE PRECISION",
        "rank": "INTEGER",
        "details": "JSONB",
    }


def test_a_statement_prints_with_its_values_for_reading() -> None:
    statement = ids(
        Document, vector=[1, 2], where=Document.section.in_(["it's", "b"]) & (func.now() > Document.updated)
    )

    printed = str(statement.compile(dialect=PSYCOPG, compile_kwargs={"literal_binds": True}))

    assert "query => '[1.0,2.0]'" in printed
    assert "'it''s'" in printed


@pytest.mark.parametrize("k", [2.5, "5", True])
def test_a_number_of_rows_that_is_none_is_refused_and_not_rounded(k: object) -> None:
    with pytest.raises(InvalidArgument, match="not a whole number"):
        search(Document, vector=[1.0, 2.0, 3.0], k=k)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "recall", [float("nan"), float("inf"), "0.9", True, 10**400], ids=["nan", "inf", "text", "bool", "huge"]
)
def test_a_recall_that_is_no_number_is_refused(recall: object) -> None:
    with pytest.raises(InvalidArgument, match=r"recall is .*, not a finite number"):
        search(Document, vector=[1.0, 2.0, 3.0], recall=recall)  # type: ignore[call-overload]


def test_a_misspelt_option_is_refused_as_python_does() -> None:
    for function in (search, hits):
        with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'limit'"):
            function(Document, vector=[1.0], limit=3)  # type: ignore[call-overload]


def test_help_shows_every_option() -> None:
    for function in (search, hits):
        assert list(inspect.signature(function).parameters) == [
            *("entity", "vector", "k", "filter", "model", "embedding", "recall", "mode"),
            *("fusion", "weights", "text_form", "legs", "rank_constant", "candidates", "text_query"),
            *("dims", "oversample", "max_distance", "after", "per_group", "where", "collection", "distinct_on"),
            "sparse_query",
        ]


def test_a_page_goes_on_after_a_hit_or_what_has_its_columns() -> None:
    place = {"distance": 0.5, "key": "3", "rank": 10}
    for after in (place, place | {"score": 0.5}, Hit("3", 0.5, 0.5, 10, {}), namedtuple("Row", place)(**place)):
        assert compiled(ids(Document, vector=[1.0], after=after))[1]["param_3"] == place


@pytest.mark.parametrize(
    "after",
    ["3", {}, {"key": "3"}, {"distance": 0.5}, {"distance": 0.5, "key": 3}, {"distance": float("nan"), "key": "3"}],
    ids=repr,
)
def test_a_place_without_distance_and_key_is_refused(after: Any) -> None:
    with pytest.raises(InvalidArgument, match="after"):
        search(Document, vector=[1.0], after=after)


@pytest.mark.parametrize(
    "column", [Document.section, DOCUMENTS.c.section, "section"], ids=["attribute", "column", "name"]
)
def test_distinct_on_takes_an_attribute_a_column_or_a_name(column: Any) -> None:
    assert compiled(ids(Document, vector=[1.0], distinct_on=column))[1]["param_3"] == "section"


@pytest.mark.parametrize(
    "column", [Author.name, Document.tags, func.lower(Document.section), aliased(Document).size, 3]
)
def test_distinct_on_takes_nothing_else(column: Any) -> None:
    with pytest.raises(InvalidArgument, match="not a column of documents"):
        search(Document, vector=[1.0], distinct_on=column)
