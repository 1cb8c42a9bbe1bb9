"""Every pair of rows is what some query asks for: what words find, and what one short vector a row can find at all.

A vector of few dimensions cannot put every pair of rows at the top for some query, however it was trained (Weller et
al. 2025, On the theoretical limitations of embedding-based retrieval). Here each two rows share a word, and a query is
such a word. The vectors are the best of their width: singular vectors of the table of rows and words itself.
"""

from __future__ import annotations

import argparse
import sys
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import at_least, at_most, database, publish
from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from numpy.typing import NDArray

    from pgsim.steps import Row

SYLLABLES = [first + second for first in "bdfgklmnprtvz" for second in "aeiou"]


def _words(number: int) -> list[str]:
    """Different words that no stemmer shortens."""
    size = len(SYLLABLES)
    return [f"{SYLLABLES[i // size // size]}{SYLLABLES[i // size % size]}{SYLLABLES[i % size]}b" for i in range(number)]


def _load(connection: psycopg.Connection[Row], texts: Sequence[str]) -> None:
    connection.execute("CREATE TABLE person (id int PRIMARY KEY, likes text NOT NULL)")
    connection.execute(
        "INSERT INTO person SELECT o, t FROM unnest(%s::text[]) WITH ORDINALITY AS u (t, o)", [list(texts)]
    )
    connection.execute("SELECT pgsim.create_collection('person', text_columns => '{likes}', text_config => 'simple')")
    connection.execute("SELECT pgsim.enable_text('person')")


def _found(connection: psycopg.Connection[Row], call: str, given: dict[str, object]) -> set[int]:
    rows = connection.execute(f"SELECT key FROM pgsim.search('person', k => 2, {call})".encode(), given).fetchall()
    return {int(str(key)) for (key,) in rows}


def _found_sparse(connection: psycopg.Connection[Row], shared: NDArray[np.float64]) -> list[set[int]]:
    """The same by a sparse vector a row, of a dimension for each word."""
    rows, width = shared.shape
    connection.execute(
        "SELECT pgsim.create_model('words', %s, metric => 'ip', element => 'sparsevec'), "
        "pgsim.create_embedding('person', 'sparse', '{}'), pgsim.create_version('person', 'words', 'sparse')",
        [width],
    )
    sparse = [f"{{{','.join(f'{place + 1}:1' for place in np.flatnonzero(row))}}}/{width}" for row in shared]
    connection.execute(
        "SELECT pgsim.upsert('person', 'words', %s, sparse_vectors => %s::sparsevec[], embedding => 'sparse')",
        [[str(i + 1) for i in range(rows)], sparse],
    )
    call = "sparse_query => %(query)s"
    return [_found(connection, call, {"query": f"{{{place + 1}:1}}/{width}"}) for place in range(width)]


def _recall(found: Sequence[set[int]], pairs: Sequence[tuple[int, int]]) -> float:
    return float(np.mean([len(each & {a + 1, b + 1}) / 2 for each, (a, b) in zip(found, pairs, strict=True)]))


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=46, help="of which every pair is a query's answer")
    parser.add_argument("--dims", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    pairs = list(combinations(range(arguments.rows), 2))
    words = _words(len(pairs))
    shared = np.zeros((arguments.rows, len(pairs)))
    for place, pair in enumerate(pairs):
        shared[pair, place] = 1
    left, weights, right = np.linalg.svd(shared, full_matrices=False)
    texts = [" ".join(word for word, has in zip(words, row, strict=True) if has) for row in shared]

    recalls: dict[str, float] = {}
    with database("bench_pairs", postgres=arguments.postgres) as connection:
        _load(connection, texts)
        found = [_found(connection, "text_query => %(text)s", {"text": word}) for word in words]
        recalls["words"] = _recall(found, pairs)
        recalls["a sparse vector"] = _recall(_found_sparse(connection, shared), pairs)
        for dims in arguments.dims:
            rows = (left[:, :dims] * weights[:dims]).astype(np.float32)
            queries = right[:dims].T.astype(np.float32)
            connection.execute("SELECT pgsim.create_model(%s, %s, metric => 'ip')", [f"svd {dims}", dims])
            connection.execute("SELECT pgsim.create_version('person', %s)", [f"svd {dims}"])
            connection.execute(
                "SELECT pgsim.upsert('person', %s, %s, %s::vector[])",
                [f"svd {dims}", [str(i + 1) for i in range(len(rows))], vectors_text(rows)],
            )
            call = "query => %(query)s, model => %(model)s, mode => 'exact'"
            found = [
                _found(connection, call, {"query": vector_text(query), "model": f"svd {dims}"}) for query in queries
            ]
            recalls[f"a vector of {dims} dimensions"] = _recall(found, pairs)
    whole = {name: recalls[name] for name in ("words", "a sparse vector")}
    short = {name: value for name, value in recalls.items() if name not in whole}
    kept = publish(
        "pairs",
        f"{arguments.rows} rows, of which each of {len(pairs)} pairs is what a query asks for; ratio of what is found",
        ["", "#recall at 2"],
        [(name, f"{value:.3f}") for name, value in recalls.items()],
        {
            **at_least("words and sparse vectors find every pair", whole, 1.0),
            **at_most("no short vector finds nine in ten", short, 0.9),
        },
        figures=recalls,
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
