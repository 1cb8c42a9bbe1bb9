"""BM25 beside the naive statements for it: the same best rows, their time, bytes, and what it takes to keep the index.

``PGSIM_CORPUS`` names a folder with the Debian corpus (docs.jsonl.gz, query_doc_ids.npy), whose queries are the
packages' summaries; without it the corpus is the standard library's documentation, whose queries are its first lines.
``--rows`` makes a larger table beside it, of texts mixed from pairs; with ``--keep`` it stays for the next run, which
only makes its text index anew.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.race import Contender, race
from benchmarks.report import at_most, database, publish
from pgsim.demo.corpus import read_standard_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from pgsim.steps import Row

K = 10
_SEARCH = "SELECT key, score FROM pgsim.search(text_query => %s, collection => %s)"
# What people write who have no text index of this kind: tables of words, documents and postings, joined, the form that
# promises are made beside; the same with the lengths copied into each posting, which saves a join and costs writers;
# and PostgreSQL's own rank.
_JOIN = "postings join (three tables)"
_POSTINGS = """
    SELECT p.id, sum(ln(1 + (s.rows - w.docs + 0.5) / (w.docs + 0.5))
                     * p.tf * 2.2 / (p.tf + 1.2 * (0.25 + 0.75 * d.length / s.average))) AS score
    FROM unnest(to_tsvector('english', %s)) AS u JOIN posting_word AS w ON w.lexeme = u.lexeme
    JOIN posting AS p ON p.lexeme = u.lexeme JOIN posting_document AS d ON d.id = p.id
    CROSS JOIN posting_statistics AS s GROUP BY p.id ORDER BY score DESC, p.id LIMIT 10
"""
_WIDE = _POSTINGS.replace("posting AS p", "wide_posting AS p").replace(
    "JOIN posting_document AS d ON d.id = p.id\n    CROSS", "CROSS"
).replace("d.length", "p.length")  # fmt: skip
_RANK = """
    SELECT i.id FROM item AS i, (
        SELECT string_agg(quote_literal(u.lexeme), ' | ')::tsquery AS q FROM unnest(to_tsvector('english', %s)) AS u
    ) AS t WHERE i.vector @@ t.q ORDER BY ts_rank_cd(i.vector, t.q) DESC, i.id LIMIT 10
"""


@dataclass(frozen=True)
class Texts:
    """``queries``: the key of the row that is sought, and the text to seek it by."""

    name: str
    bodies: Sequence[str]
    queries: Sequence[tuple[int, str]]


def _load() -> Texts:
    folder = os.environ.get("PGSIM_CORPUS")
    if not folder:
        entries = read_standard_library()
        bodies = [f"{entry.name} {entry.doc}" for entry in entries]
        queries = [(i + 1, entries[i].doc.partition("\n")[0]) for i in range(0, len(entries), 13)]
        return Texts("Python's standard library", bodies, queries)
    with gzip.open(Path(folder) / "docs.jsonl.gz", "rt", encoding="utf-8") as lines:
        packages = [json.loads(line) for line in lines]
    asked = np.load(Path(folder) / "query_doc_ids.npy").tolist()
    summaries = {package["id"]: package["summary"] for package in packages}
    return Texts("Debian packages", [package["body"] for package in packages], [(i, summaries[i]) for i in asked])


def _fill(connection: psycopg.Connection[Row], table: str, bodies: Iterator[str] | Sequence[str]) -> float:
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} (id integer PRIMARY KEY, body text)".encode())
    if not connection.execute(f"SELECT FROM {table} LIMIT 1".encode()).fetchall():
        with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for key, body in enumerate(bodies, start=1):
                copy.write_row((key, body))
        connection.execute(f"VACUUM ANALYZE {table}".encode())
    connection.execute("SELECT pgsim.create_collection(%s::regclass, text_columns => '{body}')", [table])
    started = time.perf_counter()
    connection.execute("SELECT pgsim.enable_text(%s)", [table])
    return time.perf_counter() - started


def _mixed(texts: Texts, rows: int) -> Iterator[str]:
    drawn = np.random.default_rng(0)
    for first, second in drawn.integers(len(texts.bodies), size=(rows, 2)).tolist():
        one, other = texts.bodies[first].split(), texts.bodies[second].split()
        yield " ".join(one[: (len(one) + 1) // 2] + other[len(other) // 2 :])


def _naive(connection: psycopg.Connection[Row]) -> None:
    connection.execute("""
        CREATE TABLE posting AS
            SELECT i.id, u.lexeme, sum(cardinality(u.positions))::float8 AS tf FROM item AS i
            CROSS JOIN LATERAL unnest(CASE WHEN octet_length(i.body) <= 12000 THEN ARRAY[i.body]
                                           ELSE pgsim._text_pieces(i.body) END) AS p (piece)
            CROSS JOIN LATERAL unnest(to_tsvector('english', p.piece)) AS u GROUP BY i.id, u.lexeme;
        CREATE INDEX ON posting (lexeme);
        CREATE TABLE posting_document AS SELECT id, sum(tf) AS length FROM posting GROUP BY id;
        ALTER TABLE posting_document ADD PRIMARY KEY (id);
        CREATE TABLE posting_word AS SELECT lexeme, count(*)::float8 AS docs FROM posting GROUP BY lexeme;
        ALTER TABLE posting_word ADD PRIMARY KEY (lexeme);
        CREATE TABLE posting_statistics AS
            SELECT count(*)::float8 AS rows, avg(length) AS average FROM posting_document;
        CREATE TABLE wide_posting AS SELECT p.*, d.length FROM posting AS p JOIN posting_document AS d USING (id);
        CREATE INDEX ON wide_posting (lexeme);
        ALTER TABLE item ADD COLUMN vector tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED;
        CREATE INDEX ON item USING gin (vector);
    """)
    connection.execute("VACUUM ANALYZE posting, posting_document, posting_word, posting_statistics, wide_posting, item")


def _contender(
    connection: psycopg.Connection[Row], name: str, statement: str, queries: Sequence[str], *more: object
) -> Contender:
    def answer(query: int) -> list[int]:
        rows = connection.execute(statement.encode(), [queries[query], *more]).fetchall()
        return [int(str(row[0])) for row in rows]

    return Contender(name, answer)


def _scores(connection: psycopg.Connection[Row], statement: str, *arguments: object) -> list[float]:
    return [float(str(row[1])) for row in connection.execute(statement.encode(), list(arguments)).fetchall()]


def _close(one: Sequence[float], other: Sequence[float], relative: float) -> bool:
    return len(one) == len(other) and np.allclose(one, other, rtol=relative, atol=0)


def _wrong(connection: psycopg.Connection[Row], queries: Sequence[str]) -> int:
    """How many answers have other scores than every row scored gives."""
    return sum(
        not _close(_scores(connection, _SEARCH, query, "item"), _scores(connection, _POSTINGS, query), 1e-9)
        for query in queries
    )


def _bm25s_differs(connection: psycopg.Connection[Row], queries: Sequence[str]) -> int | None:
    """How many answers bm25s scores otherwise, given the same words; None where it is not installed."""
    try:
        import bm25s  # noqa: PLC0415
    except ImportError:
        return None
    statement = "SELECT array_agg(lexeme), array_agg(tf::int) FROM posting GROUP BY id ORDER BY id"
    tokens = []
    for words, times in connection.execute(statement.encode()).fetchall():
        assert isinstance(words, list)
        assert isinstance(times, list)
        tokens.append([word for word, count in zip(words, times, strict=True) for _ in range(count)])
    model = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    model.index(tokens, show_progress=False)
    differs = 0
    for query in queries:
        asked = connection.execute("SELECT u.lexeme FROM unnest(to_tsvector('english', %s)) AS u", [query]).fetchall()
        known = [str(row[0]) for row in asked if str(row[0]) in model.vocab_dict]
        # It leaves the constant factor k1 + 1 out, and computes in single precision.
        scores = np.sort(model.get_scores(known))[::-1][:K] * 2.2 if known else np.zeros(0)
        differs += not _close(scores[scores > 0].tolist(), _scores(connection, _SEARCH, query, "item"), 1e-5)
    return differs


def _reciprocal_rank(connection: psycopg.Connection[Row], texts: Texts) -> float:
    total = 0.0
    for key, query in texts.queries:
        found = connection.execute(_SEARCH.encode(), [query, "item"]).fetchall()
        keys = [int(str(row[0])) for row in found]
        # A row of the same text is as good.
        same = (place for place, each in enumerate(keys, 1) if texts.bodies[each - 1] == texts.bodies[key - 1])
        total += 1 / next(same, math.inf)
    return total / len(texts.queries)


def _updates(connection: psycopg.Connection[Row], rows: int, times: int) -> float:
    connection.execute("SET synchronous_commit = off")
    seconds = []
    for i in range(times):
        key = i * 97 % rows + 1
        started = time.perf_counter()
        connection.execute("UPDATE item SET body = body || ' updated ' || %s WHERE id = %s", [str(i), key])
        seconds.append(time.perf_counter() - started)
    connection.execute("RESET synchronous_commit")
    return float(np.median(seconds))


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=300, help="how many are timed; quality is of all")
    parser.add_argument("--rows", type=int, default=0, help="of a larger table beside the corpus, 1000000 for instance")
    parser.add_argument("--keep", metavar="NAME", help="keep the larger table, in the database bench_NAME")
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    texts = _load()
    queries = [query for _, query in texts.queries[: arguments.queries]]
    # The prefix keeps a database that is no benchmark's from being taken for one.
    name = f"bench_{arguments.keep or 'text'}"
    large = f"large_{arguments.rows}"
    with database(name, postgres=arguments.postgres, keep=bool(arguments.keep)) as connection:
        connection.execute("DROP TABLE IF EXISTS item, posting, wide_posting")
        connection.execute("DROP TABLE IF EXISTS posting_document, posting_word, posting_statistics")
        seconds = _fill(connection, "item", texts.bodies)
        ((size,),) = connection.execute("SELECT bytes FROM pgsim.text_statistics('item')").fetchall()
        quality = _reciprocal_rank(connection, texts)
        _naive(connection)
        contenders = [
            _contender(connection, "pgsim", _SEARCH, queries, "item"),
            _contender(connection, _JOIN, _POSTINGS, queries),
            _contender(connection, "postings that hold the lengths", _WIDE, queries),
            _contender(connection, "ts_rank_cd over GIN", _RANK, queries),
        ]
        timed = race(contenders, range(len(queries)), warm_up=min(20, len(queries)))
        wrong, differs = _wrong(connection, queries), _bm25s_differs(connection, queries)
        larger: dict[str, float] = {}
        if arguments.rows:
            built = _fill(connection, large, _mixed(texts, arguments.rows))
            both = [_contender(connection, table, _SEARCH, queries, table) for table in ("item", large)]
            beside = race(both, range(len(queries)), warm_up=min(20, len(queries)))
            larger = {f"{arguments.rows} rows, built in {built:.0f} s": beside[large].median / beside["item"].median}
        connection.execute("ALTER TABLE item DROP COLUMN vector")
        update = _updates(connection, len(texts.bodies), min(200, len(texts.bodies)))
    mine = timed["pgsim"]
    rows = []
    for name, run in timed.items():
        ratios = (mine.median / run.median, mine.p95 / run.p95)
        times = (run.median * 1e3, run.p95 * 1e3)
        rows.append((name, *(f"{each:.2f}" for each in times), *(f"{each:.3f}" for each in ratios)))
    # On a few thousand rows all is fast, and other texts have other relevance.
    promised = (_JOIN, "ts_rank_cd over GIN") if "PGSIM_CORPUS" in os.environ else ()
    others = {name: timed[name] for name in promised}
    good = quality >= 0.625 if "PGSIM_CORPUS" in os.environ else None
    medians = {name: mine.median / run.median for name, run in others.items()}
    tails = {name: mine.p95 / run.p95 for name, run in others.items()}
    same = None if differs is None else differs == 0
    kept = publish(
        "text",
        f"Any-term BM25, best 10, on {texts.name}, {len(texts.bodies)} rows, {len(queries)} queries",
        ["statement", "#p50 ms", "#p95 ms", "#ratio p50", "#ratio p95"],
        rows,
        {
            f"every answer has the scores of ranking every row ({wrong} wrong)": wrong == 0,
            f"bm25s gives the same scores for the same words ({differs} differ)": same,
            **at_most("p50 at most 1/12 of a naive statement", medians, 1 / 12),
            **at_most("p95 at most 1/12 of a naive statement", tails, 1 / 12),
            **at_most("p50 on a larger table at most 8 times that on the corpus", larger, 8),
            f"MRR@10 of all {len(texts.queries)} queries at least .625 ({quality:.4f})": good,
            f"at most 45 MB ({int(str(size)) / 1e6:.1f} MB)": int(str(size)) <= 45e6,
            f"built in under 30 s ({seconds:.1f} s)": seconds < 30,
            f"an update of one row's text under 3 ms ({update * 1e3:.2f} ms)": update < 3e-3,
        },
        figures={"quality": quality, "bytes": size, "build": seconds, "update": update, "larger": larger},
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
