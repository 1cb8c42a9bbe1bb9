"""search() on a real database: the rows that brute force finds, through the ORM, sync and async."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from library import Author, Base, Chapter, Document, Film, Item, Kind, Tag
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    Integer,
    MetaData,
    Table,
    any_,
    bindparam,
    case,
    cast,
    create_engine,
    delete,
    extract,
    func,
    insert,
    literal_column,
    make_url,
    null,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.schema import CreateSchema

from pgsim.sqlalchemy import hits, on_key, search

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERY = [0.6, -0.2, 0.4]
HOSTILE = 'it\'s 100%; -- $1 :name \\ "q" é'


def documents(count: int) -> list[Document]:
    rng = np.random.default_rng(7)
    authors = [Author(id=i, name=name) for i, name in enumerate(["Ada", "Bea", HOSTILE])]
    tags = [Tag(id=i, name=name) for i, name in enumerate(["red", "green", HOSTILE])]
    midnight = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return [
        Document(
            id=i,
            section=["python", "games", "50%"][i % 3],
            title=HOSTILE if i % 10 == 0 else f"Title {i}",
            size=i * 10,
            price=Decimal(i) / 4,
            weight=i / 10,
            isbn=f"978{i:04}",
            published=dt.date(2024, 1, 1) + dt.timedelta(days=i),
            updated=midnight + dt.timedelta(hours=i),
            loan=None if i % 2 else dt.timedelta(days=i, seconds=1.5),
            uid=uuid.UUID(int=i),
            kind=Kind.BOOK if i % 4 else Kind.PAPER,
            cover=bytes([0, i, 92]),
            lent=i % 5 == 0,
            labels=["a", HOSTILE] if i % 6 == 0 else ["b"],
            meta={"a": {"b": HOSTILE if i % 7 == 0 else "x"}, "n": i, "list": [i, "y"]},
            embedding=rng.normal(size=3).tolist(),
            author=authors[i % 3],
            tags=[tags[i % 3], tags[(i + 1) % 3]] if i % 4 else [],
        )
        for i in range(count)
    ]


FILTER_COLUMNS = ["section", "size", "lent", "labels", "meta", "published", "author_id", "kind"]


def adopt(session: Session, table: str, filter_columns: list[str] | None = None) -> None:
    """Make a table with a vector column a collection of that name."""
    session.execute(
        text("SELECT pgsim.create_collection(CAST(:name AS regclass), filter_columns => :filter_columns)"),
        {"name": table, "filter_columns": filter_columns or []},
    )
    session.execute(text("SELECT pgsim.create_version(:name, 'toy', column_name => 'embedding')"), {"name": table})


@pytest.fixture
def engine(database_dsn: str) -> Iterator[Engine]:
    engine = create_engine(make_url(database_dsn).set(drivername="postgresql+psycopg"))
    with Session(engine) as session:
        Base.metadata.create_all(session.connection())
        session.add_all(documents(60))
        session.add_all(
            Chapter(book=book, part=part, embedding=[part, len(book), 1])
            for book in ("Emma", "Kim's")
            for part in range(4)
        )
        session.add_all((Film if i % 3 == 0 else Item)(id=i, embedding=[1, i, 0]) for i in range(9))
        session.flush()
        session.execute(text("SELECT pgsim.create_model('toy', dim => 3)"))
        adopt(session, "documents", FILTER_COLUMNS)
        adopt(session, "chapters")
        adopt(session, "items", ["type"])
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def cosine_distance(vector: list[float], query: list[float] = QUERY) -> float:
    a, b = np.asarray(vector, np.float32), np.asarray(query, np.float32)
    return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def nearest(session: Session, *where: ColumnElement[bool], parameters: dict[str, Any] | None = None) -> list[int]:
    """Brute force: the ids of the documents that a plain SELECT finds, nearest first."""
    found = session.execute(select(Document).where(*where), parameters).scalars()
    return [each.id for each in sorted(found, key=lambda each: cosine_distance(each.embedding))]


def test_the_hits_are_those_of_brute_force_in_its_order(session: Session) -> None:
    found = session.execute(search(Document, vector=QUERY, k=7)).all()

    assert [document.id for document, _ in found] == nearest(session)[:7]
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)


CONDITIONS: dict[str, ColumnElement[bool]] = {
    "equals": Document.section == "python",
    "equals, longer than its column": Document.section == "python and more",
    "and, or, not": or_(Document.size > 300, ~(Document.lent & (Document.size < 100))),
    "in": Document.section.in_(["python", "50%"]),
    "in, longer than its column": Document.section.in_(["python and more"]),
    "in nothing": Document.section.in_([]),
    "in, with null": Document.size.in_([10, None]),
    "not in": Document.size.not_in([10, 20]),
    "not in nothing": Document.size.not_in([]),
    "not in, with null": Document.size.not_in([10, None]),
    "not in nothing, of a function of unknown type": func.lower(Document.title).not_in([]),
    "in a subquery": Document.author_id.in_(select(Author.id).where(Author.name == HOSTILE)),
    "tuple in": tuple_(Document.section, Document.size).in_([("python", 0), ("games", 10), ("games", 0)]),
    "tuple not in": tuple_(Document.section, Document.size).not_in([("python", 0)]),
    "between": Document.size.between(100, 200),
    "like": Document.title.like("Title 1%"),
    "ilike": Document.title.ilike("%TITLE 2_"),
    "contains, escaped": Document.section.contains("0%", autoescape=True),
    "regular expression": Document.title.regexp_match("^title [12]", "i"),
    "replaced by a regular expression": Document.title.regexp_replace("e", "E", "g") == "TitlE 3",
    "hostile text": Document.title == HOSTILE,
    "is null": Document.loan.is_(None),
    "is not null": Document.loan.is_not(None),
    "is distinct from": Document.loan.is_distinct_from(null()),
    "boolean": Document.lent.is_(True),
    "equal to any": any_(Document.labels) == HOSTILE,
    "array contains": Document.labels.contains(["a", HOSTILE]),
    "array overlaps": Document.labels.overlap(["a", "c"]),
    "array item": Document.labels[1] == "a",
    "json item": Document.meta["a"]["b"].astext == HOSTILE,
    "json path": Document.meta["a", "b"].astext == "x",
    "json number": Document.meta["n"].as_integer() > 20,
    "json array item": Document.meta["list"][1].astext == "y",
    "json contains": Document.meta.contains({"a": {"b": HOSTILE}}),
    "json has key": Document.meta.has_key("n"),
    "jsonpath": func.jsonb_path_exists(Document.meta, cast("$.n ? (@ > 30)", JSONPATH)),
    "function": func.length(Document.title) > 8,
    "function of unknown type": func.lower(Document.title).in_(["title 3", "title 4"]),
    "date": Document.published >= dt.date(2024, 2, 1),
    "part of a date": extract("month", Document.published) == 2,
    "time": Document.updated < dt.datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC),
    "interval": Document.loan > dt.timedelta(days=10, milliseconds=1500),
    "interval subtracted": Document.updated > func.now() - dt.timedelta(days=100_000),
    "uuid": Document.uid == uuid.UUID(int=7),
    "uuid in": Document.uid.in_([uuid.UUID(int=7), uuid.UUID(int=8)]),
    "decimal, finer than its column": Document.price > Decimal("4.9999"),
    "decimal in, finer than its column": Document.price.in_([Decimal("4.9999"), Decimal("5")]),
    "float": Document.weight == 0.3,
    "enum": Document.kind == Kind.PAPER,
    "enum in": Document.kind.in_([Kind.PAPER]),
    "bytes": Document.cover == bytes([0, 5, 92]),
    "bytes in": Document.cover.in_([bytes([0, 5, 92]), b"'"]),
    "type decorator": Document.isbn == "978-0003",
    "type decorator in": Document.isbn.in_(["978-0003", "978-0004"]),
    "remainder": Document.size % 30 == 10,
    "case": case((Document.size > 300, "big"), else_="small") == "big",
    "vector distance": Document.embedding.cosine_distance(QUERY) < 0.5,
    "full text": Document.title.match("titles", postgresql_regconfig="english"),
    "full text, by functions": func.to_tsvector("english", Document.title).bool_op("@@")(
        func.to_tsquery("english", "titles & 3")
    ),
    "two columns": Document.author_id * 100 > Document.size,
    "aggregate in a subquery": Document.size == select(func.max(Document.size)).scalar_subquery(),
    "literal column": literal_column("size % 20") == 0,
    "text": text("size > :least AND title LIKE '%1%'").bindparams(least=100),
    "relationship to many": Document.tags.any(Tag.name == HOSTILE),
    "relationship to none": ~Document.tags.any(),
    "relationship to one": Document.author.has(name="Ada"),
    "a hundred values": or_(*(Document.size == size for size in range(0, 2000, 20))),
}


def by_search(session: Session) -> dict[str, list[int]]:
    return {
        name: [each.id for each, _ in session.execute(search(Document, vector=QUERY, where=where, k=100))]
        for name, where in CONDITIONS.items()
    }


def by_select(session: Session) -> dict[str, list[int]]:
    return {name: nearest(session, where) for name, where in CONDITIONS.items()}


def test_where_chooses_the_rows_that_it_chooses_in_a_plain_select(session: Session) -> None:
    assert by_search(session) == by_select(session)


async def test_so_it_does_under_asyncpg(engine: Engine) -> None:
    pytest.importorskip("asyncpg")
    async_engine = create_async_engine(engine.url.set(drivername="postgresql+asyncpg"))

    async with AsyncSession(async_engine) as async_session:
        assert await async_session.run_sync(by_search) == await async_session.run_sync(by_select)
    await async_engine.dispose()


def test_where_reads_dates_in_whatever_style_the_session_writes_them(session: Session) -> None:
    expected = {name: nearest(session, CONDITIONS[name]) for name in ("date", "time", "interval")}
    session.execute(text("SET DateStyle = 'SQL, DMY'"))
    session.execute(text("SET IntervalStyle = sql_standard"))

    for name, ids in expected.items():
        statement = search(Document, vector=QUERY, where=CONDITIONS[name], k=100)
        assert session.scalars(statement.with_only_columns(Document.id)).all() == ids


def test_where_is_applied_before_the_k_hits_and_the_selects_own_where_after(session: Session) -> None:
    rare = Document.section == "50%"

    before = session.execute(search(Document, vector=QUERY, where=rare, k=5)).all()
    after = session.execute(search(Document, vector=QUERY, k=5).where(rare)).all()

    assert [document.id for document, _ in before] == nearest(session, rare)[:5]
    assert [document.id for document, _ in after] == [
        each for each in nearest(session)[:5] if each in nearest(session, rare)
    ]


def test_where_and_vector_may_be_given_at_execution(session: Session) -> None:
    statement = search(
        Document,
        vector=bindparam("q"),
        where=Document.section.in_(bindparam("sections")) & (Document.size > bindparam("least")),
        k=100,
    )

    for sections, least in ([["python"], 50], [["games", "50%"], 0], [[], 0]):
        parameters = {"sections": sections, "least": least}
        found = session.execute(statement, {"q": np.array(QUERY), **parameters}).all()
        where = (
            Document.section.in_(bindparam("sections", expanding=True)),
            Document.size > bindparam("least"),
        )
        assert [document.id for document, _ in found] == nearest(session, *where, parameters=parameters)


def test_searches_of_one_shape_are_compiled_once(engine: Engine) -> None:
    compiled: dict[Any, Any] = {}
    with Session(engine) as session, engine.connect() as connection:
        for sections in (["python"], ["games", "50%"]):
            where = Document.section.in_(sections) & Document.tags.any(Tag.name == "red")
            statement = search(Document.__table__, vector=QUERY, where=where)
            found = connection.execute(statement, execution_options={"compiled_cache": compiled})
            assert [row.id for row in found] == nearest(session, where)[:10]

    assert len(compiled) == 1


def test_a_composite_key_joins_by_each_of_its_columns(session: Session) -> None:
    query = [3.0, 5.0, 1.0]
    found = session.execute(search(Chapter, vector=query, where=Chapter.part > 0, k=3)).scalars().all()

    chapters = session.scalars(select(Chapter).where(Chapter.part > 0))
    assert found == sorted(chapters, key=lambda each: cosine_distance(each.embedding, query))[:3]


def test_a_single_table_subclass_gets_k_of_its_own_rows(session: Session) -> None:
    found = session.execute(search(Film, vector=[1, 4, 0], k=3)).all()

    assert sorted(film.id for film, _ in found) == [0, 3, 6]


def test_the_select_takes_joins_options_and_pages(session: Session) -> None:
    statement = search(Document, vector=QUERY, where=Document.tags.any(), k=20)
    page = (
        statement.join(Document.author).add_columns(Author.name).options(selectinload(Document.tags)).limit(5).offset(5)
    )

    found = session.execute(page).all()

    assert [document.id for document, _, _ in found] == nearest(session, Document.tags.any())[5:10]
    assert all(document.author.name == name and document.tags for document, _, name in found)
    assert session.scalar(statement.with_only_columns(func.count()).order_by(None)) == 20


def test_hits_give_distance_rank_and_details_to_a_select_of_ones_own(session: Session) -> None:
    found = hits(Document, vector=QUERY, k=3)
    statement = select(Document.id, Document.embedding, found.c.distance, found.c.rank, found.c.details)

    rows = session.execute(statement.join(found, on_key(Document, found)).order_by(found.c.rank)).all()

    assert [row.id for row in rows] == nearest(session)[:3]
    assert [row.rank for row in rows] == [1, 2, 3]
    distances = [cosine_distance(row.embedding) for row in rows]
    assert [row.distance for row in rows] == pytest.approx(distances, abs=1e-6)
    assert all(isinstance(row.details, dict) for row in rows)


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_pgvector_may_live_in_a_schema_off_the_search_path(engine: Engine, driver: str) -> None:
    pytest.importorskip(driver)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA extensions"))
        connection.execute(text("ALTER EXTENSION vector SET SCHEMA extensions"))
    async_engine = create_async_engine(engine.url.set(drivername=f"postgresql+{driver}"))

    async with AsyncSession(async_engine) as session:
        found = await session.scalars(search(Film, vector=[1, 4, 0], where=Film.id > 0))
        assert {film.id for film in found} == {3, 6}
    await async_engine.dispose()


def test_hits_may_stand_in_a_delete(session: Session) -> None:
    found = hits(Chapter, vector=[0, 4, 1], k=1)

    session.execute(delete(Chapter).where(on_key(Chapter, found)))

    assert session.get(Chapter, ("Emma", 0)) is None
    assert session.scalar(select(func.count()).select_from(Chapter)) == 7


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_an_async_session_runs_it_with_loading_options(engine: Engine, session: Session, driver: str) -> None:
    pytest.importorskip(driver)
    where = Document.section.in_(["python", "50%"]) & (Document.loan > dt.timedelta(days=3))
    statement = search(Document, vector=np.array(QUERY, np.float32), where=where, k=5)
    async_engine = create_async_engine(engine.url.set(drivername=f"postgresql+{driver}"))

    async with AsyncSession(async_engine) as async_session:
        found = (await async_session.execute(statement.options(selectinload(Document.tags)))).all()
    await async_engine.dispose()

    assert [document.id for document, _ in found] == nearest(session, where)[:5]
    assert any(document.tags for document, _ in found)


def strategies(session: Session, entity: type[Any] | Table, **arguments: Any) -> set[str]:
    """How the searches of an entity were answered."""
    found = hits(entity, vector=QUERY, k=100, **arguments)
    return set(session.scalars(select(found.c.details["strategy"].astext)))


def make_codes(session: Session, collection: str) -> None:
    session.execute(text("SELECT pgsim.create_index(:name, 'toy', method => 'codes')"), {"name": collection})


def test_codes_serve_whatever_reads_declared_columns_alone(session: Session) -> None:
    make_codes(session, "documents")
    served, refused = set[str](), dict[str, str]()
    for name, where in CONDITIONS.items():
        expected = nearest(session, where)
        statement = search(Document, vector=QUERY, where=where, k=100, mode="codes").with_only_columns(Document.id)
        try:
            with session.begin_nested():
                assert session.scalars(statement).all() == expected, name
                if expected:
                    assert strategies(session, Document, where=where, mode="codes") == {"codes"}, name
            served.add(name)
        except DBAPIError as error:
            refused[name] = str(error.orig)

    assert {"equals", "and, or, not", "in a subquery", "tuple in", "json item", "array overlaps"} <= served
    assert {"relationship to many", "relationship to one", "date", "enum in", "case", "two columns"} <= served
    assert {"like", "uuid", "vector distance", "text", "literal column", "aggregate in a subquery"} <= refused.keys()
    assert all("columns" in why for why in refused.values()), refused
    assert len(served) > len(CONDITIONS) / 3


def test_codes_serve_a_subclass_and_a_table_in_a_schema(session: Session) -> None:
    make_codes(session, "items")
    assert strategies(session, Film, where=Film.id > 0, mode="codes") == {"codes"}
    films = session.scalars(search(Film, vector=[1, 4, 0], where=Film.id > 0, mode="codes"))
    assert sorted(film.id for film in films) == [3, 6]

    shop = Table(
        "goods",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("Price (€)", Integer, key="price"),
        Column("embedding", VECTOR(3)),
        schema="my shop",
    )
    session.execute(CreateSchema("my shop"))
    shop.create(session.connection())
    session.execute(insert(shop), [{"id": i, "price": i * 10, "embedding": [1, i, 0]} for i in range(1, 9)])
    session.execute(text("SELECT pgsim.create_collection('\"my shop\".goods', filter_columns => ARRAY['Price (€)'])"))
    session.execute(text("SELECT pgsim.create_version('goods', 'toy', column_name => 'embedding')"))
    make_codes(session, "goods")

    assert strategies(session, shop, where=shop.c.price > 50, mode="codes") == {"codes"}
    rows = session.execute(search(shop, vector=[1, 4, 0], where=shop.c.price > 50, mode="codes")).all()
    assert [row.id for row in rows] == [6, 7, 8]


def test_a_filter_on_declared_columns_is_served_by_codes_without_being_asked_to(session: Session) -> None:
    session.execute(
        text(
            "CREATE TABLE many (id int PRIMARY KEY, section text, body text, embedding vector(48));"
            "INSERT INTO many SELECT i, 's' || mod(i, 5), repeat('x', 400), "
            "(SELECT array_agg(sin(i * j + j * j))::vector FROM generate_series(1, 48) AS j) "
            "FROM generate_series(1, 20000) AS i;"
            "SELECT pgsim.create_model('wide', 48), pgsim.create_collection('many', filter_columns => '{section}')"
        )
    )
    session.execute(text("SELECT pgsim.create_version('many', 'wide', column_name => 'embedding')"))
    session.execute(text("SELECT pgsim.create_index('many', 'wide', method => 'codes')"))
    session.execute(text("ANALYZE many"))
    many = Table("many", MetaData(), autoload_with=session.connection())
    query = np.random.default_rng(1).normal(size=48)

    found = hits(many, vector=query, where=many.c.section == "s3")
    assert set(session.scalars(select(found.c.details["strategy"].astext))) == {"codes"}
    found = hits(many, vector=query, where=(many.c.section == "s3") & (many.c.body != ""))
    assert "codes" not in set(session.scalars(select(found.c.details["strategy"].astext)))


def test_pages_follow_one_another(session: Session) -> None:
    def page(after: Any = None) -> list[Any]:
        found = hits(Document, vector=QUERY, where=Document.size > 50, k=7, after=after)
        columns = (Document.id, found.c.distance, found.c.key, found.c.rank)
        return list(session.execute(select(*columns).join(found, on_key(Document, found)).order_by(found.c.rank)))

    found, rows = [], page()
    while rows:
        found += rows
        rows = page(rows[-1])

    assert [row.id for row in found] == nearest(session, Document.size > 50)
    assert [row.rank for row in found] == list(range(1, len(found) + 1))
    assert page(found[6]._mapping) == found[7:14]


async def test_every_option_reaches_the_function(engine: Engine, session: Session) -> None:
    pytest.importorskip("asyncpg")
    limit = cosine_distance(next(d for d in session.scalars(select(Document)) if d.id == nearest(session)[9]).embedding)
    statement = search(
        Document,
        vector=QUERY,
        recall=0.99,
        max_distance=limit + 1e-6,
        distinct_on=Document.section,
        after={"distance": -1.0, "key": "0"},
    )
    seen: dict[str, int] = {}
    for each in nearest(session)[:10]:
        seen.setdefault(["python", "games", "50%"][each % 3], each)
    expected = list(seen.values())

    assert [document.id for document, _ in session.execute(statement)] == expected
    async_engine = create_async_engine(engine.url.set(drivername="postgresql+asyncpg"))
    async with AsyncSession(async_engine) as async_session:
        assert [document.id for document, _ in await async_session.execute(statement)] == expected
    await async_engine.dispose()
