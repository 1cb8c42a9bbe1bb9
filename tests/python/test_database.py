"""Database and AsyncDatabase: the same calls, sync and async, over a DSN, a connection or a pool."""

from __future__ import annotations

import datetime
import inspect
import threading
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

import pgsim
from pgsim import calls, errors, fusions, trials
from pgsim.indexes import create_index_concurrently

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Letters:
    """Counts letters: every difference between two texts shows."""

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return np.array([text.lower().count(chr(97 + i)) for i in range(26)], np.float32)


class Faulty(Letters):
    """Fails at the text that says so."""

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        if any("fail" in text for text in texts):
            raise RuntimeError("out of luck")
        return super().embed_documents(texts)


@pytest.fixture
def dsn(database_dsn: str) -> str:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE notes (id int PRIMARY KEY, lang text, made date, tag uuid, body text)")
        connection.execute(
            "INSERT INTO notes SELECT i, CASE WHEN i <= 5 THEN 'en' ELSE 'de' END, date '2024-01-01' + i, "
            "md5(i::text)::uuid, 'note ' || repeat(chr(97 + i), i) FROM generate_series(1, 20) AS i"
        )
        connection.execute("SELECT pgsim.create_collection('notes', text_columns => '{body}')")
        connection.execute("SELECT pgsim.create_model('letters', 26); SELECT pgsim.create_version('notes', 'letters')")
    return database_dsn


def test_every_row_is_embedded_once_and_again_when_its_text_changes(dsn: str) -> None:
    seen: list[tuple[int, int]] = []
    with pgsim.Database(dsn) as db:
        assert db.embed("notes", Letters(), batch_size=6, progress=lambda done, total: seen.append((done, total))) == 20
        assert seen == [(6, 20), (12, 20), (18, 20), (20, 20)]
        assert db.embed("notes", Letters()) == 0
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("UPDATE notes SET body = 'zzz' WHERE id = 3; UPDATE notes SET lang = 'fr' WHERE id = 4")
            connection.execute("DELETE FROM notes WHERE id = 5; INSERT INTO notes (id, body) VALUES (99, 'qqq')")
        assert db.embed("notes", Letters()) == 2
        assert db.search_text("notes", "zzz", Letters(), k=1)[0].key == "3"
        assert db.search_text("notes", "qqq", Letters(), k=1)[0].key == "99"
        assert len(db.search_text("notes", "n", Letters(), k=100)) == 20
        assert db.pending("notes", "letters") == 0
        assert db.check() == []


def test_a_failing_embedder_loses_no_row(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE notes SET body = 'fail' WHERE id = 15")
    with pgsim.Database(dsn) as db:
        with pytest.raises(errors.EmbedderError, match="out of luck"):
            db.embed("notes", Faulty(), batch_size=4)
        stored = len(db.search_text("notes", "n", Letters(), k=100))
        assert stored < 20
        assert db.embed("notes", Letters()) == 20 - stored
        assert len(db.search_text("notes", "n", Letters(), k=100)) == 20


def test_two_workers_share_the_rows(dsn: str) -> None:
    meet = threading.Barrier(2)
    done: list[int] = []

    class Slow(Letters):
        met = False

        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            if not self.met:
                self.met = True
                meet.wait(timeout=30)
            return super().embed_documents(texts)

    def embed() -> None:
        with pgsim.Database(dsn) as db:
            done.append(db.embed("notes", Slow(), batch_size=3))

    with psycopg.connect(dsn, autocommit=True) as connection:
        # Two entries of the queue, so that each worker finds one.
        connection.execute("UPDATE notes SET body = body || 'x' WHERE id <= 10")
    workers = [threading.Thread(target=embed) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert sum(done) >= 20
    with pgsim.Database(dsn) as db:
        assert len(db.search_text("notes", "n", Letters(), k=100)) == 20
        assert db.pending("notes", "letters") == 0


def test_a_wrong_embedder_is_refused_before_a_row_is_taken(dsn: str) -> None:
    class Narrow(Letters):
        def embed_query(self, text: str) -> NDArray[np.float32]:
            return super().embed_query(text)[:3]

    with pgsim.Database(dsn) as db, pytest.raises(errors.DimensionMismatch, match="letters"):
        db.embed("notes", Narrow())


def test_prefixes_of_the_model_reach_the_embedder(dsn: str) -> None:
    texts: set[str] = set()

    class Listening(Letters):
        def embed_query(self, text: str) -> NDArray[np.float32]:
            texts.add(text)
            return super().embed_query(text)

    with pgsim.Database(dsn) as db:
        db.create_model("instructed", 26, query_prefix="query: ", document_prefix="passage: ")
        db.create_version("notes", "instructed")
        db.embed("notes", Listening(), model="instructed")
        db.search_text("notes", "boat", Listening(), model="instructed")
    assert "query: boat" in texts
    assert sum(text.startswith("passage: note") for text in texts) == 20


def test_filters_take_python_values(dsn: str) -> None:
    with pgsim.Database(dsn) as db:
        db.embed("notes", Letters())
        vector = Letters().embed_query("note")
        tag = uuid.UUID("c4ca4238-a0b9-2382-0dcc-509a6f75849b")
        for filter, keys in (
            ({"made": {"$lte": datetime.date(2024, 1, 3)}}, {"1", "2"}),
            ({"tag": tag}, {"1"}),
            ({"id": {"$in": (1, np.int64(2), Decimal(3))}}, {"1", "2", "3"}),
            ({"lang": {"$in": ["en"]}, "id": {"$gt": 3.5}}, {"4", "5"}),
        ):
            assert {hit.key for hit in db.search("notes", vector, filter=filter)} == keys


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), print, "a\0b", "\ud800", {"a": "\0"}, b"bytes"], ids=ascii
)
def test_what_json_cannot_say_is_refused_before_it_is_sent(dsn: str, value: object) -> None:
    with pgsim.Database(dsn) as db, pytest.raises(errors.InvalidFilterValue):
        db.search("notes", np.ones(26), filter={"lang": value})


@pytest.mark.parametrize(
    "vector", [[], [[1.0]], ["a"], [float("nan")] * 26, [np.inf] * 26, [1e39] * 26, None, "[1,2]"], ids=repr
)
def test_what_is_no_vector_is_refused_before_it_is_sent(dsn: str, vector: object) -> None:
    with pgsim.Database(dsn) as db:
        with pytest.raises(errors.InvalidVector):
            db.search("notes", vector)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidVector):
            db.upsert("notes", "letters", ["1"], [vector])  # type: ignore[list-item]


def test_errors_of_sql_are_errors_of_python(dsn: str) -> None:
    with pgsim.Database(dsn) as db:
        with pytest.raises(errors.UnknownCollection) as caught:
            db.search("nothing", [1.0])
        assert caught.value.hint
        assert isinstance(caught.value.__cause__, psycopg.Error)
        with pytest.raises(errors.UnknownRelation):
            db.create_collection("nothing.at_all")
        with pytest.raises(errors.InvalidArgument):
            db.search("no\0thing", [1.0])
        with pytest.raises(errors.AlreadyExists):
            db.create_model("letters", 26)


def test_a_database_without_pgsim_says_so(bare_dsn: str) -> None:
    with pgsim.Database(bare_dsn) as db, pytest.raises(errors.NotInstalled):
        db.search("notes", [1.0])


def test_calls_are_part_of_a_transaction_that_is_open(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        db = pgsim.Database(connection)
        connection.execute("SELECT 1")
        db.create_model("other", 3)
        with pytest.raises(errors.AlreadyExists):
            db.create_model("other", 3)
        connection.rollback()
        db.create_model("other", 3)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_pool_serves_calls(dsn: str) -> None:
    with ConnectionPool(dsn, min_size=1, max_size=2, open=True) as pool:
        assert pgsim.Database(pool).embed("notes", Letters()) == 20


async def test_async_calls_are_the_same_calls(dsn: str) -> None:
    async with pgsim.AsyncDatabase(dsn) as db:
        assert await db.embed("notes", Letters()) == 20
        hits = await db.search_text("notes", "note", Letters(), k=3, filter={"lang": "en"})
        assert [hit.rank for hit in hits] == [1, 2, 3]
        with pytest.raises(errors.UnknownCollection):
            await db.search("nothing", [1.0])
    async with AsyncConnectionPool(dsn, min_size=1, open=False) as pool:
        assert len(await pgsim.AsyncDatabase(pool).search("notes", np.ones(26), k=2)) == 2


def test_both_faces_have_the_same_methods_with_the_sql_names() -> None:
    public = {name for name in vars(pgsim.Database) if not name.startswith("_")}
    assert public == {name for name in vars(pgsim.AsyncDatabase) if not name.startswith("_")}
    for name in public - {"close", "connection", "embed", "fill_version", "fit_ladder", "tune_index", "tune_prefixes"}:
        told = inspect.signature(getattr(pgsim.Database, name))
        made = next(getattr(module, name) for module in (calls, fusions, trials) if hasattr(module, name))
        assert list(told.parameters)[1:] == list(inspect.signature(made).parameters)


def test_an_index_is_built_concurrently_also_on_partitions(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE parts (id int, body text, embedding vector(26), PRIMARY KEY (id)) PARTITION BY HASH (id);"
            "CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (id);"
            "CREATE TABLE parts_00 PARTITION OF parts_0 DEFAULT;"
            "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
            "SELECT pgsim.create_collection('parts');"
            "SELECT pgsim.create_version('parts', 'letters', column_name => 'embedding')"
        )
        name = create_index_concurrently(connection, "parts", options={"m": 8})
        valid = connection.execute("SELECT name, valid FROM pgsim.indexes").fetchall()
        assert valid == [(name.rpartition(".")[2], True)]
        leaves = connection.execute(
            "SELECT count(*) FROM pg_index WHERE indisvalid AND NOT indisprimary "
            "AND indrelid IN ('parts_00'::regclass, 'parts_1'::regclass)"
        ).fetchall()
        assert leaves == [(2,)]


def test_a_build_that_fails_leaves_nothing(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        with pytest.raises(errors.InvalidArgument):
            create_index_concurrently(connection, "notes", options={"lists": 3})
        connection.execute("SET maintenance_work_mem = '1MB'; SET statement_timeout = '1ms'")
        with pgsim.Database(dsn) as db:
            db.embed("notes", Letters())
        with pytest.raises(psycopg.Error):
            create_index_concurrently(connection, "notes")
        connection.execute("RESET statement_timeout")
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE '%hnsw%'").fetchall() == [(0,)]
    with psycopg.connect(dsn) as connection, pytest.raises(errors.WrongState):
        create_index_concurrently(connection, "notes")


@pytest.mark.parametrize("k", [2.5, 2**40, "ten"], ids=repr)
def test_a_number_that_sql_does_not_take_is_refused_as_such(dsn: str, k: object) -> None:
    with pgsim.Database(dsn) as db, pytest.raises((errors.InvalidArgument, psycopg.DataError)):
        db.search("notes", np.ones(26), k=k)  # type: ignore[arg-type]


def test_keys_are_given_as_they_are(dsn: str) -> None:
    with pgsim.Database(dsn) as db:
        assert db.upsert("notes", "letters", [1, np.int64(2)], np.ones((2, 26))) == 2
        assert list(db.fetch("notes", [2, "1"], columns=["id"])) == ["2", "1"]
        with pytest.raises(errors.InvalidKey):
            db.upsert("notes", "letters", [None], np.ones((1, 26)))
        with pytest.raises(errors.UnknownVersion):
            db.pending("notes", "nothing")


def test_an_index_dropped_by_hand_is_reported_and_built_again(dsn: str) -> None:
    with pgsim.Database(dsn) as db, psycopg.connect(dsn, autocommit=True) as connection:
        name = db.create_index("notes", options={"m": 8})
        connection.execute(f"DROP INDEX {name}".encode())
        (problem,) = db.check()
        connection.execute(problem.hint.encode())
        assert db.check() == []


def test_a_failed_build_on_partitions_leaves_nothing(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE parts (id int, embedding vector(26), PRIMARY KEY (id)) PARTITION BY HASH (id);"
            "CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
            "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
            "INSERT INTO parts SELECT i, array_fill(1e6::real, ARRAY[26])::vector FROM generate_series(1, 9) AS i;"
            "SELECT pgsim.create_collection('parts');"
            "SELECT pgsim.create_version('parts', 'letters', column_name => 'embedding')"
        )
        with pytest.raises(psycopg.Error):
            create_index_concurrently(connection, "parts", element="halfvec")
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ 'hnsw|^pgsim_'").fetchall() == [(0,)]
        create_index_concurrently(connection, "parts")
        create_index_concurrently(connection, "parts", options={"m": 8})
        assert connection.execute("SELECT count(*) FROM pgsim.indexes WHERE valid AND bytes > 0").fetchall() == [(2,)]
