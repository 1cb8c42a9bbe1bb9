"""The fused search as a SELECT of entities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pgsim.sqlalchemy import hits, on_key, search

if TYPE_CHECKING:
    from collections.abc import Iterator


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    lang: Mapped[str]
    stars: Mapped[int]
    body: Mapped[str]


@pytest.fixture
def session(database_dsn: str) -> Iterator[Session]:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE note (id int PRIMARY KEY, lang text, stars int, body text, embedding vector(2));"
            "INSERT INTO note VALUES (1, 'en', 1, 'a red boat', '[1,0]'), (2, 'en', 9, 'a red house', '[0.9,0.2]'),"
            " (3, 'de', 5, 'ein Boot', '[0,1]');"
            "SELECT pgsim.create_collection('note', text_columns => '{body}'); SELECT pgsim.create_model('m', 2);"
            "SELECT pgsim.create_version('note', 'm', column_name => 'embedding'); SELECT pgsim.enable_text('note')"
        )
    engine = create_engine(make_url(database_dsn).set(drivername="postgresql+psycopg"))
    with Session(engine) as session:
        yield session
    engine.dispose()


def test_words_and_vectors_are_one_select(session: Session) -> None:
    both = search(Note, vector=[1, 0], text_query="house", weights={"dense": 0.2, "text": 0.8})
    assert [note.id for note, _ in session.execute(both)] == [2, 1, 3]
    assert [note.id for note, _ in session.execute(search(Note, text_query="red house"))] == [2, 1]
    german = search(Note, vector=[1, 0], text_query="red", where=Note.lang == "de")
    assert [note.id for note, _ in session.execute(german)] == [3]


def test_legs_fusion_and_groups_are_options(session: Session) -> None:
    options = {"legs": {"stars": {"column": "stars"}}, "weights": {"dense": 0.1, "stars": 1}, "fusion": "minmax"}
    found = hits(Note, vector=[1, 0], candidates=50, **options)  # type: ignore[arg-type]
    rows = session.execute(
        select(Note.id, found.c.details["legs"]["stars"]["rank"].as_integer())
        .join(found, on_key(Note, found))
        .order_by(found.c.rank)
    ).all()
    assert rows == [(2, 1), (3, 2), (1, 3)]
    ranked = search(Note, vector=[1, 0], text_query="boat", fusion="rrf", rank_constant=1.0, k=1)
    assert session.execute(ranked).one()[0].id == 1
    capped = search(Note, vector=[1, 0], distinct_on=Note.lang, per_group=1, legs={"stars": {"column": "stars"}})
    assert {note.lang for note, _ in session.execute(capped)} == {"en", "de"}
