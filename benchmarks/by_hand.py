"""What an expert would write in place of a search, each statement with the parameter that just reaches the recall."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.race import Contender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from benchmarks.corpus import Corpus, Shape
    from benchmarks.truth import Truth
    from pgsim.steps import Row

EF = (40, 100, 200, 400, 800)
KEPT = (50, 100, 200, 400, 800, 1600)


class ByHand:
    """Statements over ``item``, and over a narrow table of codes that this makes.

    ``texts``: the queries as pgvector's text. The settings of pgvector that are tried stay set on the connection.
    """

    def __init__(self, connection: psycopg.Connection[Row], corpus: Corpus, texts: Sequence[str], k: int) -> None:
        self._connection = connection
        self._texts = texts
        self._k = k
        connection.execute("SET hnsw.iterative_scan = relaxed_order")
        columns = ", ".join(corpus.filter_columns)
        connection.execute(
            f"CREATE TABLE code AS SELECT id, {columns}, binary_quantize(embedding)::bit({corpus.dim}) AS code "
            f"FROM item; ALTER TABLE code ADD PRIMARY KEY (id)".encode()
        )
        corpus.index_filters(connection, "code")

    def contenders(self, shape: Shape, truth: Truth, recall: float, queries: int) -> list[Contender]:
        """The exact statement, and of the others those that reach the recall on the first queries."""
        found = [Contender("exact", partial(self._run, self._exact(shape)))]
        for ef in EF:
            self._connection.execute(f"SET hnsw.ef_search = {ef}".encode())
            answer = partial(self._run, self._by_index(shape, ef))
            if _reaches(answer, truth, recall, queries):
                found.append(Contender(f"{self._plan(shape, ef)}, ef {ef}", answer))
                break
        for kept in KEPT:
            answer = partial(self._run, self._by_codes(shape, kept))
            if _reaches(answer, truth, recall, queries):
                found.append(Contender(f"codes, {kept} kept", answer))
                break
        return found

    def _plan(self, shape: Shape, ef: int) -> str:
        """What PostgreSQL makes of the statement that is meant for a vector index."""
        explain = b"EXPLAIN " + self._by_index(shape, ef)
        lines = self._connection.execute(explain, {"query": self._texts[0]}).fetchall()
        read = re.search(r"Index Scan using (\w*hnsw\w*)", "\n".join(str(line) for (line,) in lines))
        if read is None:
            return "as planned"
        found = self._connection.execute(
            "SELECT FROM pg_index WHERE indexrelid = %s::regclass AND indpred IS NOT NULL", [read[1]]
        )
        return "partial HNSW" if found.rowcount else "HNSW"

    def _run(self, statement: bytes, query: int) -> list[int]:
        rows = self._connection.execute(statement, {"query": self._texts[query]}).fetchall()
        return [int(str(key)) for (key,) in rows]

    def _exact(self, shape: Shape) -> bytes:
        # Adding 0 keeps the statement off the vector index.
        return (
            f"SELECT id FROM item WHERE {shape.predicate} "
            f"ORDER BY (embedding <=> %(query)s::vector) + 0 LIMIT {self._k}".encode()
        )

    def _by_index(self, shape: Shape, ef: int) -> bytes:
        # The plan depends on ef; one text for all would keep the plan that was prepared for the first.
        return (
            f"SELECT /* ef {ef} */ id FROM item WHERE {shape.predicate} "
            f"ORDER BY embedding <=> %(query)s::vector LIMIT {self._k}"
        ).encode()

    def _by_codes(self, shape: Shape, kept: int) -> bytes:
        # A subquery, so that a prepared statement quantizes the query once and not for each row.
        return (
            f"SELECT i.id FROM (SELECT id FROM code WHERE {shape.predicate} "
            f"ORDER BY code <~> (SELECT binary_quantize(%(query)s::vector)) LIMIT {kept}) AS c "
            f"JOIN item AS i ON i.id = c.id ORDER BY i.embedding <=> %(query)s::vector LIMIT {self._k}"
        ).encode()


def _reaches(answer: Callable[[int], list[int]], truth: Truth, recall: float, queries: int) -> bool:
    answers = [answer(query) for query in range(queries)]
    return truth.short(answers) == 0 and truth.mean_recall(answers) >= recall
