"""What a type checker sees of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fixtures.type_checker import TypeCheck

SNIPPET = """
from typing import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Table, bindparam
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from pgsim import Hit
from pgsim.sqlalchemy import hits, on_key, search

class Base(DeclarativeBase): ...

class Document(Base):
    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    section: Mapped[str]
    embedding: Mapped[list[float]]

def use(session: Session, table: Table, a: NDArray[np.float32], b: Sequence[float], c: list[int], hit: Hit) -> None:
    statement = search(Document, vector=a, where=Document.section == "python")
    reveal_type(statement)
    for document, score in session.execute(statement.limit(3)):
        reveal_type(document)
        reveal_type(score)
    reveal_type(search(table, vector=b, where=table.c.section == "python"))
    reveal_type(on_key(Document, hits(Document, vector=c)))
    search(Document, vector=bindparam("q"), where=Document.section.in_(["a"]) & Document.section.like("b"))
    search(Document, vector=Document.embedding, filter={"size": {"$lt": 3}}, dims=[64, 128])
    search(Document, vector=a, recall=1, max_distance=0.5, after=hit, distinct_on=Document.section)
    search(table, vector=a, after={"distance": 0.5, "key": "3"}, distinct_on=table.c.section)
    search(Document, vector={"a": 1})
    search(Document, vector=a, where="section = 'python'")
    search(Document, vector=a, k="10")
    search(Document, vector=a, limit=10)
"""

REVEALED = [
    "sqlalchemy.sql.selectable.Select[snippet.Document, float]",
    "snippet.Document",
    "float",
    "sqlalchemy.sql.selectable.Select[*tuple[object, ...]]",
    "sqlalchemy.sql.elements.ColumnElement[bool]",
]


def test_rows_are_pairs_of_entity_and_score(type_check: TypeCheck) -> None:
    checked = type_check(SNIPPET)
    assert checked.revealed == REVEALED, checked.output
    assert {code for _, code in checked.errors} == {"call-overload"}, checked.output
    assert len({line for line, _ in checked.errors}) == 4, checked.output
