"""Indexes built while the table is written: codes are what a fresh build gives, and a failed build leaves nothing."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from pgsim import errors
from pgsim.indexes import create_index_concurrently

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 20_000
VECTOR = "(SELECT array_agg(sin({} * j))::vector FROM generate_series(1, 16) AS j)"
CODES_THAT_ARE_WRONG = """
WITH rows AS (SELECT d.id, d.section, d.size, binary_quantize({vector}) AS code FROM docs AS d {joined})
SELECT count(*) FROM rows AS r FULL JOIN pgsim_data.{codes} AS k ON k.id = r.id
WHERE (r.id, r.section, r.size, r.code) IS DISTINCT FROM (k.id, k.section, k.size, k.code)
"""


class Docs:
    """A table of documents, registered with two filter columns and a version that adopts a column or has a table."""

    def __init__(self, dsn: str, *, adopted: bool, rows: int) -> None:
        self.dsn, self.adopted, self.rows = dsn, adopted, rows
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.run(
            "CREATE TABLE docs (id int PRIMARY KEY, section text, size int, embedding vector(16));"
            f"INSERT INTO docs SELECT i, 's' || i % 10, i, {VECTOR.format('i')} FROM generate_series(1, {rows}) AS i;"
            "SELECT pgsim.create_collection('docs', filter_columns => '{section,size}');"
            "SELECT pgsim.create_model('m', 16)"
        )
        if adopted:
            self.run("SELECT pgsim.create_version('docs', 'm', column_name => 'embedding')")
        else:
            self.run(
                "SELECT pgsim.create_version('docs', 'm');"
                "SELECT pgsim.upsert('docs', 'm', array_agg(id::text), array_agg(embedding)) FROM docs"
            )

    def run(self, statement: str) -> list[tuple[object, ...]]:
        cursor = self.connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def indexes(self) -> list[tuple[object, ...]]:
        return self.run("SELECT method, valid FROM pgsim.indexes ORDER BY method")

    def wrong_codes(self) -> int:
        """How many rows of the codes are not what the rows and their vectors say."""
        ((codes, version, column),) = self.run(
            "SELECT i.name, v.relation::text, v.column_name FROM pgsim.indexes AS i, pgsim.versions AS v "
            "WHERE i.method = 'codes'"
        )
        joined = "" if self.adopted else f"LEFT JOIN {version} AS v ON v.key = d.id"
        vector = f"{'d' if self.adopted else 'v'}.{column}"
        ((count,),) = self.run(CODES_THAT_ARE_WRONG.format(vector=vector, joined=joined, codes=codes))
        return int(str(count))

    def write(self, seed: int, stop: threading.Event) -> list[BaseException]:
        """Change rows of every kind, several in a transaction, until told to stop; the errors there were."""
        chance, failed = random.Random(seed), []
        vector = "[" + ",".join(["{:.3f}"] * 16) + "]"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            while not stop.is_set():
                # In order, so that two writers do not wait for one another.
                keys = sorted(chance.sample(range(1, self.rows + 100), chance.choice([1, 1, 5])))
                try:
                    with connection.transaction():
                        for key in keys:
                            given = vector.format(*(chance.gauss(0, 1) for _ in range(16)))
                            statement = chance.choice(
                                [
                                    "UPDATE docs SET section = 'changed', size = size + 1 WHERE id = %(key)s",
                                    "INSERT INTO docs (id, section) VALUES (%(key)s, 'new') ON CONFLICT DO NOTHING",
                                    "DELETE FROM docs WHERE id = %(key)s",
                                    "UPDATE docs SET embedding = %(vector)s WHERE id = %(key)s"
                                    if self.adopted
                                    else "SELECT pgsim.upsert('docs', 'm', ARRAY[%(key)s]::text[], "
                                    "ARRAY[%(vector)s]::vector[], skip_absent => true)",
                                ]
                            )
                            connection.execute(statement, {"key": key, "vector": given})
                except psycopg.Error as error:
                    failed.append(error)
        return failed


@pytest.fixture(params=[True, False], ids=["adopted", "own table"])
def docs(database_dsn: str, request: pytest.FixtureRequest) -> Iterator[Docs]:
    made = Docs(database_dsn, adopted=request.param, rows=ROWS)
    yield made
    made.connection.close()


@pytest.fixture
def few(database_dsn: str) -> Iterator[Docs]:
    made = Docs(database_dsn, adopted=True, rows=100)
    yield made
    made.connection.close()


def test_codes_built_while_rows_change_are_what_a_fresh_build_gives(docs: Docs) -> None:
    stop, failed = threading.Event(), list[BaseException]()
    writers = [threading.Thread(target=lambda i=i: failed.extend(docs.write(i, stop))) for i in range(2)]
    for writer in writers:
        writer.start()
    try:
        create_index_concurrently(docs.connection, "docs", method="codes")
    finally:
        stop.set()
        for writer in writers:
            writer.join(timeout=60)
    assert failed == []
    assert docs.indexes() == [("codes", True)]
    assert docs.wrong_codes() == 0


def test_the_first_index_of_the_full_width_brings_codes(few: Docs) -> None:
    name = create_index_concurrently(few.connection, "docs")
    assert name == "docs_embedding_hnsw"
    assert few.indexes() == [("codes", True), ("hnsw", True)]
    assert few.wrong_codes() == 0
    create_index_concurrently(few.connection, "docs", options={"m": 8})
    assert few.indexes() == [("codes", True), ("hnsw", True), ("hnsw", True)]


def test_a_partial_index_brings_none(few: Docs) -> None:
    create_index_concurrently(few.connection, "docs", where_filter={"section": "s1"})
    assert few.indexes() == [("hnsw", True)]


def test_codes_take_no_options_and_come_once(few: Docs) -> None:
    with pytest.raises(errors.InvalidArgument, match="do not go with codes"):
        create_index_concurrently(few.connection, "docs", method="codes", options={"m": 8})
    with pytest.raises(errors.InvalidArgument, match="codes hold the first dimensions, 1 to 16"):
        create_index_concurrently(few.connection, "docs", method="codes", dims=17)
    assert few.indexes() == []
    create_index_concurrently(few.connection, "docs", method="codes", dims=8, element="halfvec")
    with pytest.raises(errors.AlreadyExists):
        create_index_concurrently(few.connection, "docs", method="codes")
    assert few.indexes() == [("codes", True)]


def test_an_index_that_fails_takes_its_codes_with_it(few: Docs) -> None:
    few.run("UPDATE docs SET embedding = array_fill(1e6::real, ARRAY[16])::vector")
    with pytest.raises(psycopg.Error):
        create_index_concurrently(few.connection, "docs", element="halfvec")
    assert few.indexes() == []
    assert few.run("SELECT relname FROM pg_class WHERE relname ~ '^docs.*(codes|hnsw)'") == []
    assert few.run("SELECT tgname FROM pg_trigger WHERE tgname ~ 'codes'") == []


def test_codes_that_fail_leave_nothing_and_their_own_error(docs: Docs) -> None:
    docs.run("SET statement_timeout = '20ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        create_index_concurrently(docs.connection, "docs", method="codes")
    docs.run("RESET statement_timeout")
    assert docs.indexes() == []
    assert docs.run("SELECT relname FROM pg_class WHERE relname ~ '^docs.*codes'") == []
    assert docs.run("SELECT tgname FROM pg_trigger WHERE tgname ~ 'codes'") == []
    create_index_concurrently(docs.connection, "docs", method="codes")
    assert docs.wrong_codes() == 0


@pytest.mark.slow
def test_a_build_waits_for_a_long_transaction_and_gives_way_to_others(few: Docs) -> None:
    """While one writer takes its time, the next one does not queue behind the build."""
    built: list[str] = []

    def build() -> None:
        with psycopg.connect(few.dsn, autocommit=True) as connection:
            built.append(create_index_concurrently(connection, "docs", method="codes"))

    with psycopg.connect(few.dsn) as slow:
        slow.execute("UPDATE docs SET section = 'slow' WHERE id = 1")
        builder = threading.Thread(target=build)
        builder.start()
        for key in range(2, 20):
            # Past deadlock_timeout in all, and each of them well within it.
            few.run(
                f"SET lock_timeout = '900ms'; UPDATE docs SET section = 'quick' WHERE id = {key}; SELECT pg_sleep(.1)"
            )
        assert built == []
        slow.execute("UPDATE docs SET section = 'slow' WHERE id = 20")
    builder.join(timeout=60)
    assert len(built) == 1
    assert few.wrong_codes() == 0
