"""pgsim's own side: searches as a client sends them, and what they say of themselves."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.race import Contender

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from benchmarks.corpus import Shape
    from pgsim.steps import Row

K = 10
RECALL = 0.99
DEFAULT_RECALL = 0.95
_ARGUMENTS = "%s, query => %s, k => %s, filter => %s::jsonb, recall => %s"


def pgsim(
    connection: psycopg.Connection[Row], collection: str, shape: Shape, texts: Sequence[str], recall: float | None
) -> Contender:
    """A search at a recall, or at the default one; ``texts``: the queries as pgvector's text."""
    statement = f"SELECT key, distance FROM pgsim.search({_ARGUMENTS})".encode()
    filter = _filter(shape)

    def answer(query: int) -> list[int]:
        rows = connection.execute(statement, [collection, texts[query], K, filter, recall]).fetchall()
        return [int(str(key)) for key, _ in rows]

    return Contender(f"{collection}, {'default' if recall is None else recall}", answer)


def planning(
    connection: psycopg.Connection[Row], collection: str, shape: Shape, texts: Sequence[str]
) -> tuple[float, str]:
    """The median seconds of planning at a recall of .99, and the strategy most often taken."""
    statement = (
        f"SELECT e -> 'seconds' ->> 'plan', e ->> 'strategy' FROM pgsim.explain_search({_ARGUMENTS}) AS e"
    ).encode()
    values = [[collection, text, K, _filter(shape), RECALL] for text in texts]
    told = [connection.execute(statement, each).fetchall()[0] for each in values]
    strategies = Counter(str(strategy) for _, strategy in told)
    return float(np.median([float(str(seconds)) for seconds, _ in told])), strategies.most_common(1)[0][0]


def calibrate(connection: psycopg.Connection[Row], collection: str) -> None:
    """Measure costs and recalls on this table, as a user would."""
    if has_function(connection, "calibrate"):
        connection.execute("SELECT pgsim.calibrate(%s)", [collection])


def has_function(connection: psycopg.Connection[Row], name: str) -> bool:
    """Whether this release of pgsim has a function."""
    found = connection.execute(
        "SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'pgsim'::regnamespace AND proname = %s", [name]
    )
    return found.fetchone() is not None


def _filter(shape: Shape) -> str | None:
    return None if shape.filter is None else json.dumps(shape.filter)
