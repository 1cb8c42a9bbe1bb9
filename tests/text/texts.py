"""A table with a text index, what a search of it should find, and how the index differs from what it should hold."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

CREATE = """
CREATE TABLE book (id int PRIMARY KEY, shelf text, title text, body text, pages int);
SELECT pgsim.create_collection('book', text_columns => '{title,body}', text_config => 'simple');
"""


def create(connection: Connection, rows: Iterable[tuple[int, str, str, str]] = (), enable: str = "'book'") -> None:
    """The table ``book`` with these rows (id, shelf, title, body), registered, and its text index."""
    connection.execute(CREATE)
    insert(connection, rows)
    connection.execute(f"SELECT pgsim.enable_text({enable})".encode())


def insert(connection: Connection, rows: Iterable[tuple[int, str, str, str]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO book VALUES (%s, %s, %s, %s)", list(rows))


@dataclass(frozen=True)
class Answer:
    """Keys and scores, best first, and what the search tells of itself."""

    keys: list[str]
    scores: list[float]
    details: dict[str, Any]


def search(
    connection: Connection,
    query: str,
    k: int = 10,
    *,
    form: str = "any",
    predicate: str | None = None,
    values: dict[str, object] | None = None,
    collection: str = "book",
    explained: bool = False,
) -> Answer:
    """The text leg of a search; ``predicate`` over the table reads its values from $1."""
    statement = """
        SELECT r.keys, r.scores, r.details FROM pgsim._collection AS c
        CROSS JOIN LATERAL pgsim._run_text(c, %s, %s, %s, %s, %s, %s, current_setting('search_path'))
        AS r WHERE c.name = %s
    """
    given = [query, k, predicate, json.dumps(values or {}), explained, form, collection]
    ((keys, scores, details),) = connection.execute(statement, given).fetchall()
    return Answer(keys, scores, details)


def counts(
    connection: Connection, config: str = "simple", columns: tuple[tuple[str, float], ...] = (("title", 1), ("body", 1))
) -> dict[str, dict[str, float]]:
    """How often each row of the table has each word, by the weights of its columns."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for column, weight in columns:
        rows = connection.execute(
            f"SELECT b.id::text, u.lexeme, cardinality(u.positions) FROM book AS b "
            f"CROSS JOIN LATERAL unnest(to_tsvector('{config}', b.{column})) AS u".encode()
        )
        for key, word, times in rows:
            found[key][word] = found[key].get(word, 0) + weight * times
    return dict(found)


def bm25(
    documents: dict[str, dict[str, float]], words: Iterable[str], *, k1: float = 1.2, b: float = 0.75
) -> dict[str, float]:
    """The score of every row that has one of the words, in Lucene's form of BM25."""
    lengths = {key: sum(times.values()) for key, times in documents.items()}
    average = sum(lengths.values()) / max(len(lengths), 1)
    having = Counter(word for times in documents.values() for word in times)
    scores: dict[str, float] = {}
    for key, times in documents.items():
        parts = []
        for word in set(words) & set(times):
            idf = math.log(1 + (len(documents) - having[word] + 0.5) / (having[word] + 0.5))
            norm = k1 * (1 - b + b * lengths[key] / average)
            parts.append(idf * times[word] * (k1 + 1) / (times[word] + norm))
        if parts:
            scores[key] = math.fsum(parts)
    return scores


def best(scores: dict[str, float], k: int) -> list[tuple[str, float]]:
    """The k best, ties in the order of their keys."""
    return sorted(scores.items(), key=lambda each: (-round(each[1], 9), int(each[0])))[:k]


def agrees(answer: Answer, expected: list[tuple[str, float]]) -> bool:
    """Whether an answer is what was expected; rows whose scores a rounding error keeps apart may change places."""
    if len(answer.keys) != len(expected):
        return False
    if any(abs(given - wanted) > 1e-6 for given, (_, wanted) in zip(answer.scores, expected, strict=True)):
        return False
    return all(
        key == wanted or abs(score - dict(expected).get(key, expected[-1][1])) < 1e-6
        for key, score, (wanted, _) in zip(answer.keys, answer.scores, expected, strict=True)
    )


def statistics(connection: Connection, table: str = "book") -> tuple[dict[str, int], dict[str, float]]:
    """What the index of a collection says: in how many rows each word is, and the length of each row."""
    ((documents, vocabulary, changes),) = connection.execute(
        "SELECT x.documents::text, x.vocabulary::text, x.changes::text FROM pgsim._text AS x "
        "JOIN pgsim._collection AS c ON c.id = x.collection_id WHERE c.name = %s",
        [table],
    ).fetchall()
    words = connection.execute(
        f"SELECT v.lexeme, sum(v.docs + h.docs)::int FROM {vocabulary} AS v CROSS JOIN LATERAL "
        f"(SELECT coalesce(sum(h.docs), 0) AS docs FROM {changes} AS h WHERE h.term = v.term) AS h GROUP BY 1".encode()
    ).fetchall()
    lengths = connection.execute(f"SELECT key::text, length FROM {documents}".encode()).fetchall()
    ((rows, length),) = connection.execute(
        f"SELECT coalesce(sum(docs), 0), coalesce(sum(length), 0)::float8 FROM {changes} WHERE term = 0".encode()
    ).fetchall()
    assert (rows, length) == (len(lengths), sum(each for _, each in lengths))
    return {word: docs for word, docs in words if docs}, dict(lengths)


def true_statistics(connection: Connection) -> tuple[dict[str, int], dict[str, float]]:
    """The same, from the rows of the table."""
    documents = counts(connection)
    words = Counter(word for times in documents.values() for word in times)
    return dict(words), {key: sum(times.values()) for key, times in documents.items()}
