"""Codes are made, made while others write, mended, carried by pg_dump, and dropped."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from mirrored import Layout, Mirror, differing, vector

from pgsim import indexes, install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.server import Server

BOTH = pytest.mark.parametrize("layout", [Layout(), Layout(adopted=False)], ids=["adopted", "version table"])
TARGET = "FROM pgsim._target('items', 'm', 'default') AS t"
CREATE = f"SELECT pgsim._create_codes(t, false)::text {TARGET}"
OF_CODES = f"(t, i.relation, '{{section,Size,tags}}') {TARGET} JOIN pgsim._index AS i ON i.method = 'codes'"
FILL = f"SELECT pgsim._fill_codes{OF_CODES}"
FINISH = "SELECT pgsim._finish_codes(version_id) FROM pgsim._index WHERE method = 'codes'"
REPAIR = f"SELECT pgsim._repair_codes{OF_CODES}"


@pytest.fixture
def connection_of(database_dsn: str) -> Iterator[Callable[[], psycopg.Connection[tuple[Any, ...]]]]:
    """Opens connections in autocommit mode to one fresh database."""
    opened: list[psycopg.Connection[tuple[Any, ...]]] = []

    def connect() -> psycopg.Connection[tuple[Any, ...]]:
        opened.append(psycopg.connect(database_dsn, autocommit=True))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def finish(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    while not connection.execute(FINISH).fetchall()[0][0]:
        pass


@BOTH
def test_a_build_while_others_write_ends_as_a_fresh_one(
    connection_of: Callable[[], psycopg.Connection[tuple[Any, ...]]], layout: Layout
) -> None:
    mirror = layout.create(connection_of(), 2000, codes=False)
    done = threading.Event()

    def write(seed: int) -> None:
        dice = random.Random(seed)
        writer = Mirror(connection_of(), layout)
        while not done.is_set():
            n = dice.randint(1, 2000)
            try:
                writer.connection.execute(dice.choice([
                    f'UPDATE "The Items" SET section = \'w{dice.random()}\' WHERE n = {n}',
                    f'DELETE FROM "The Items" WHERE n = {n}',
                    f"{writer.insert(f'generate_series({n}, {n + 1})')} ON CONFLICT DO NOTHING",
                    f'UPDATE "The Items" SET id = id + 10000 WHERE n = {n}',
                    f'UPDATE "The Items" SET embedding = {vector(str(dice.random()))} WHERE n = {n}'
                    if layout.adopted else writer.store(f"generate_series({n}, {n + 2})", str(dice.random())),
                ]).encode())  # fmt: skip
            except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation):
                continue

    threads = [threading.Thread(target=write, args=[seed]) for seed in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            name = indexes.create_index_concurrently(connection_of(), "items", "m", method="codes")
            time.sleep(0.05)
            assert mirror.differing() == []
            mirror.connection.execute("SELECT pgsim.drop_index(%s::regclass)", [name])
    finally:
        done.set()
        for thread in threads:
            thread.join()


@BOTH
def test_codes_serve_until_others_are_whole_that_take_their_place(
    connection_of: Callable[[], psycopg.Connection[tuple[Any, ...]]], layout: Layout
) -> None:
    mirror = layout.create(connection_of(), 600)
    former, done, strategies = mirror.codes(), threading.Event(), []

    def write() -> None:
        writer, dice = Mirror(connection_of(), layout), random.Random(1)
        while not done.is_set():
            n = dice.randint(1, 600)
            writer.connection.execute(f"UPDATE \"The Items\" SET section = 'w{dice.random()}' WHERE n = {n}".encode())
            if not layout.adopted:
                writer.connection.execute(writer.store(f"generate_series({n}, {n})", str(dice.random())).encode())

    def search() -> None:
        reader = connection_of()
        while not done.is_set():
            told = reader.execute(
                "SELECT pgsim.explain_search('items', '[1,2,3,4,5,6,7,8]', filter => '{\"Size\": {\"$gt\": 300}}', "
                "recall => 0.5, mode => 'codes')"
            ).fetchall()[0][0]
            strategies.append(told["stages"][0]["strategy"])
            time.sleep(0.002)

    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(write), threads.submit(search)]
        try:
            builder = connection_of()
            for element in ("halfvec", "bit", "halfvec"):
                indexes.create_index_concurrently(
                    builder, "items", "m", method="codes", dims=6, element=element, replace=True
                )
                assert mirror.differing() == []
        finally:
            done.set()
        for each in running:
            each.result()
    assert len(strategies) > 20
    assert set(strategies) == {"codes"}
    made = mirror.connection.execute("SELECT dims, element, valid FROM pgsim.indexes").fetchall()
    assert made == [(6, "halfvec", True)]
    assert mirror.connection.execute("SELECT to_regclass(%s)", [former]).fetchall() != [(mirror.codes(),)]
    assert mirror.connection.execute("SELECT problem FROM pgsim.check('items')").fetchall() == []


def test_codes_that_were_to_take_a_place_and_failed_leave_those_that_serve(connection: psycopg.Connection) -> None:
    mirror = Layout().create(connection)
    beside = connection.execute(f"SELECT pgsim._create_codes(t, false, 6, 'bit', '{{}}', true)::text {TARGET}".encode())
    ((left,),) = beside.fetchall()
    assert mirror.differing() == []
    with pytest.raises(psycopg.Error, match="are being made in place of") as refused, connection.transaction():
        connection.execute(f"SELECT pgsim._create_codes(t, false, 6, 'bit', '{{}}', true) {TARGET}".encode())
    assert refused.value.sqlstate == "PS020"
    ((hint,),) = connection.execute("SELECT hint FROM pgsim.check('items') WHERE severity = 'warning'").fetchall()
    assert left in hint
    connection.execute(hint.encode())
    assert connection.execute("SELECT valid FROM pgsim.indexes").fetchall() == [(True,)]
    assert mirror.differing() == []


@BOTH
def test_nobody_waits_for_the_filling_of_codes(
    connection_of: Callable[[], psycopg.Connection[tuple[Any, ...]]], layout: Layout
) -> None:
    mirror = layout.create(connection_of(), codes=False)
    builder = connection_of()
    builder.execute(CREATE)
    with builder.transaction():
        builder.execute(FILL)
        mirror.connection.execute("SET lock_timeout = '1s'")
        mirror.connection.execute("UPDATE \"The Items\" SET section = 'meanwhile' WHERE n = 1")
        mirror.connection.execute('DELETE FROM "The Items" WHERE n = 2')
        mirror.connection.execute(mirror.insert("generate_series(100, 101)"))
        if not layout.adopted:
            mirror.connection.execute(mirror.store("generate_series(3, 101)", "0.5"))
    assert mirror.connection.execute("SELECT valid FROM pgsim.indexes").fetchall() == [(False,)]
    finish(builder)
    assert mirror.differing() == []
    assert mirror.connection.execute("SELECT valid FROM pgsim.indexes").fetchall() == [(True,)]


def test_a_vector_that_is_stored_while_its_row_is_mended_is_not_lost(
    connection_of: Callable[[], psycopg.Connection[tuple[Any, ...]]],
) -> None:
    mirror = Layout(adopted=False).create(connection_of(), codes=False)
    mirror.connection.execute("DELETE FROM pgsim_data.items_m_1 WHERE key = 2")
    builder, worker = connection_of(), connection_of()
    builder.execute(CREATE)
    builder.execute(FILL)
    builder.execute("UPDATE \"The Items\" SET section = 'meanwhile' WHERE n < 4")
    builder.execute(FINISH)
    worker.execute("BEGIN")
    worker.execute(mirror.store("generate_series(1, 2)", "0.5"))
    worker.execute("UPDATE pgsim_data.items_m_1 SET embedding = '[1,1,-1,-1,1,1,-1,-1]' WHERE key = 3")
    finishing = threading.Thread(target=finish, args=[builder])
    finishing.start()
    while not mirror.connection.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                                        "AND datname = current_database()").fetchall():  # fmt: skip
        time.sleep(0.01)
    worker.execute("COMMIT")
    finishing.join()
    assert mirror.differing() == []


@BOTH
def test_damage_is_mended(connection: psycopg.Connection, layout: Layout) -> None:
    mirror = layout.create(connection)
    codes = mirror.codes()
    connection.execute(
        f"""
        DELETE FROM {codes} WHERE id < 4; UPDATE {codes} SET section = NULL WHERE id = 5;
        UPDATE {codes} SET code = ~code WHERE id IN (6, 7); UPDATE {codes} SET code = NULL WHERE id = 8;
        INSERT INTO {codes} (id, section, code) VALUES (1000, 's1', B'00000000');
    """.encode()
    )
    assert len(mirror.differing()) == 7
    assert connection.execute(REPAIR.encode()).fetchall() == [(8,)]
    assert mirror.differing() == []
    assert connection.execute(f"SELECT count(*) FROM {codes}".encode()).fetchall() == [(60,)]
    assert connection.execute(REPAIR.encode()).fetchall() == [(0,)]


def test_the_first_index_of_the_full_width_brings_codes_where_filter_columns_are_declared(
    connection: psycopg.Connection,
) -> None:
    connection.execute("""
        CREATE TABLE plain (id int PRIMARY KEY, size int); CREATE TABLE thing (id int PRIMARY KEY, size int);
        SELECT pgsim.create_collection('plain'), pgsim.create_collection('thing', filter_columns => '{size}');
        SELECT pgsim.create_model('m', 8, matryoshka => '{4}');
        SELECT pgsim.create_version('plain', 'm'), pgsim.create_version('thing', 'm');
        SELECT pgsim.create_index('plain', 'm'), pgsim.create_index('thing', 'm', dims => 4);
    """)
    methods = "SELECT collection, method, dims FROM pgsim.indexes WHERE valid AND bytes > 0 ORDER BY 1, 2, 3"
    assert connection.execute(methods).fetchall() == [("plain", "hnsw", 8), ("thing", "hnsw", 4)]
    connection.execute("SELECT pgsim.create_index('thing', 'm')")
    assert connection.execute(methods).fetchall()[1:] == [
        ("thing", "codes", 8),
        ("thing", "hnsw", 4),
        ("thing", "hnsw", 8),
    ]
    connection.execute("SELECT pgsim.create_index('thing', 'm', element => 'halfvec')")
    assert connection.execute("SELECT count(*) FROM pgsim.indexes WHERE method = 'codes'").fetchone() == (1,)
    connection.execute("SELECT pgsim.create_index('plain', 'm', method => 'codes')")
    assert connection.execute("SELECT * FROM pgsim.check()").fetchall() == []


WRONG = {
    "more than there is": ("dims => 9", "PS010"),
    "nothing": ("dims => 0", "PS010"),
    "another element": ("element => 'vector'", "PS010"),
    "a part of the rows": ("""where_filter => '{"size": 1}'""", "PS010"),
    "options": ("""options => '{"m": 4}'""", "PS010"),
    "a second time": ("", "PS020"),
    "no such embedding": ("embedding => 'title'", "PS003"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_codes_take_no_arguments_but_what_they_are_of(connection: psycopg.Connection, wrong: str) -> None:
    Layout().create(connection)
    argument, sqlstate = WRONG[wrong]
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(
            f"SELECT pgsim.create_index('items', 'm', method => 'codes'{argument and ', ' + argument})".encode()
        )
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint


REFUSED = {
    "a partitioned table": ("(id int PRIMARY KEY, size int) PARTITION BY RANGE (id)", "PS010"),
    "a column called code": ("(id int PRIMARY KEY, size int, code text)", "PS010"),
    "a virtual column": ("(id int PRIMARY KEY, size int GENERATED ALWAYS AS (id * 2) VIRTUAL)", "PS010"),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_where_codes_cannot_be_the_index_is_made_all_the_same(
    connection: psycopg.Connection, server: Server, refused: str
) -> None:
    table, sqlstate = REFUSED[refused]
    if "VIRTUAL" in table and server.version < 18:
        pytest.skip("PostgreSQL 18 has virtual columns")
    connection.execute(
        f"""
        CREATE TABLE thing {table}; SELECT pgsim.create_model('m', 8);
        SELECT pgsim.create_collection('thing', filter_columns => '{{{"size,code" if "code" in table else "size"}}}');
        SELECT pgsim.create_version('thing', 'm');
    """.encode()
    )
    with pytest.raises(psycopg.Error) as raised, connection.transaction():
        connection.execute("SELECT pgsim.create_index('thing', 'm', method => 'codes')")
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint
    connection.execute("SELECT pgsim.create_index('thing', 'm')")
    assert connection.execute("SELECT method FROM pgsim.indexes").fetchall() == [("hnsw",)]


def test_a_transaction_that_does_not_see_all_rows_makes_no_codes(
    connection_of: Callable[[], psycopg.Connection[tuple[Any, ...]]],
) -> None:
    connection = connection_of()
    Layout().create(connection, codes=False)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(psycopg.Error) as raised, connection.transaction():
        connection.execute("SELECT pgsim.create_index('items', 'm', method => 'codes')")
    assert raised.value.sqlstate == "PS035"
    with connection.transaction():
        connection.execute("SELECT pgsim.create_index('items', 'm')")
    assert connection.execute("SELECT method FROM pgsim.indexes").fetchall() == [("hnsw",)]


DROPS = {
    "codes": "SELECT pgsim.drop_index(relation) FROM pgsim._index WHERE method = 'codes'",
    "version": "SELECT pgsim.drop_version('items', 'm', force => true)",
    "collection": "SELECT pgsim.drop_collection('items')",
    "table": "DROP TABLE \"The Items\" CASCADE; SELECT pgsim.drop_collection('items')",
    "version, its table dropped before": "DROP TABLE pgsim_data.items_m_{id};"
    "SELECT pgsim.drop_version('items', 'm', force => true)",
    "collection, its codes dropped before": "DROP TABLE {codes}; SELECT pgsim.drop_collection('items')",
}


@BOTH
@pytest.mark.parametrize("drop", DROPS)
def test_nothing_is_left_of_codes_that_were_dropped(connection: psycopg.Connection, layout: Layout, drop: str) -> None:
    mirror = layout.create(connection)
    ((version,),) = connection.execute("SELECT id FROM pgsim.versions").fetchall()
    if layout.adopted and "{id}" in DROPS[drop]:
        pytest.skip("an adopted column has no version table")
    connection.execute(DROPS[drop].format(id=version, codes=mirror.codes()).encode())
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'pgsim_data'::regnamespace AND relname LIKE '%codes%'"
    assert connection.execute(left).fetchall() == []
    assert connection.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE '!pgsim%'").fetchall() == []
    assert connection.execute("SELECT * FROM pgsim._index").fetchall() == []
    if drop != "table":
        connection.execute(
            f'{mirror.insert("generate_series(500, 501)")}; DELETE FROM "The Items" WHERE n < 9'.encode()
        )


def test_codes_whose_table_was_dropped_fail_no_writer_and_no_search(connection: psycopg.Connection) -> None:
    mirror = Layout().create(connection)
    connection.execute(f"DROP TABLE {mirror.codes()}".encode())
    connection.execute(f'{mirror.insert("generate_series(500, 501)")}; DELETE FROM "The Items" WHERE n < 9'.encode())
    connection.execute('UPDATE "The Items" SET section = \'x\'; TRUNCATE "The Items"')
    assert connection.execute(f"SELECT * FROM pgsim.search('items', {vector('1')})".encode()).fetchall() == []
    problems = connection.execute("SELECT problem, hint FROM pgsim.check()").fetchall()
    assert [problem.split()[-2:] for problem, _ in problems] == [["are", "gone"]]
    connection.execute(problems[0][1].encode())
    assert connection.execute("SELECT * FROM pgsim.check()").fetchall() == []
    assert mirror.differing() == []


def test_versions_have_codes_of_their_own(connection: psycopg.Connection) -> None:
    mirror = Layout().create(connection)
    connection.execute("""
        SELECT pgsim.create_model('n', 8); SELECT pgsim.create_version('items', 'n');
        SELECT pgsim.create_index('items', 'n', method => 'codes');
    """)
    connection.execute(mirror.store("generate_series(1, 20)").replace("'m'", "'n'").encode())
    connection.execute(f"{mirror.insert('generate_series(100, 110)')}; UPDATE \"The Items\" SET section = 'x'".encode())
    tables = connection.execute("SELECT relation::text FROM pgsim._index ORDER BY id").fetchall()
    counts = [
        connection.execute(f"SELECT count(*), count(code) FROM {table} WHERE section = 'x'".encode()).fetchone()
        for (table,) in tables
    ]
    assert counts == [(71, 71), (71, 20)]
    version = connection.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'n'").fetchall()[0][0]
    connection.execute(f"DROP TABLE {version}".encode())
    connection.execute("SELECT pgsim.sync_privileges('items'); SELECT pgsim.drop_version('items', 'n', force => true)")
    connection.execute("UPDATE \"The Items\" SET section = 'y'")
    assert mirror.differing() == []


def test_codes_of_vectors_without_direction_tell_the_others_apart(connection: psycopg.Connection) -> None:
    mirror = Layout().create(connection, 1500, codes=False)
    connection.execute(
        """UPDATE "The Items" SET embedding = '[0,0,0,0,0,0,0,0]' WHERE n % 20 = 0; ANALYZE "The Items" """
    )
    connection.execute("SELECT pgsim.create_index('items', 'm', method => 'codes')")
    assert mirror.differing() == []
    assert connection.execute("SELECT margins FROM pgsim._calibration WHERE 'NaN' = ANY (margins)").fetchall() == []
    assert connection.execute("SELECT count(margins) FROM pgsim._calibration").fetchone() == (1,)


def test_pgvector_in_another_schema(bare_dsn: str) -> None:
    with psycopg.connect(bare_dsn, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "Ext Schema"; ALTER EXTENSION vector SET SCHEMA "Ext Schema"')
        install.install(connection)
        connection.execute("""
            CREATE TABLE thing (id int PRIMARY KEY, size int, embedding "Ext Schema".vector(2));
            INSERT INTO thing SELECT i, i, format('[1,%s]', i)::"Ext Schema".vector FROM generate_series(1, 9) i;
            SELECT pgsim.create_collection('thing', filter_columns => '{size}'); SELECT pgsim.create_model('m', 2);
            SELECT pgsim.create_version('thing', 'm', column_name => 'embedding');
            SELECT pgsim.create_index('thing', 'm', method => 'codes');
            UPDATE thing SET size = 100, embedding = '[-1,-9]' WHERE id = 9;
            INSERT INTO thing VALUES (10, 100, '[-1,-8]');
        """)
        found = connection.execute(
            "SELECT key FROM pgsim.search('thing', '[-1,-8]', filter => '{\"size\": 100}', mode => 'codes')"
        )
        assert found.fetchall() == [("10",), ("9",)]
        connection.execute('SET search_path = "Ext Schema", public')
        assert differing(connection, "thing", ["id"], ["size"]) == []


@BOTH
def test_a_restored_database_keeps_codes(server: Server, database_dsn: str, layout: Layout) -> None:
    if server.bin_dir is None:
        pytest.skip("pg_dump and psql are not at hand")
    with psycopg.connect(database_dsn) as connection:
        layout.create(connection)
        connection.execute("""
            CREATE POLICY everybody ON "The Items" USING (true); ALTER TABLE "The Items" ENABLE ROW LEVEL SECURITY;
            GRANT SELECT ON "The Items" TO PUBLIC; SELECT pgsim.sync_privileges('items');
        """)
    dump = subprocess.run([server.bin_dir / "pg_dump", database_dsn], check=True, capture_output=True).stdout
    with server.database("restored") as name:
        subprocess.run(
            [server.bin_dir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", server.dsn(name)],
            input=dump, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with psycopg.connect(server.dsn(name), autocommit=True) as connection:
            restored = Mirror(connection, layout)
            assert restored.differing() == []
            restored.add("generate_series(100, 110)")
            connection.execute(
                'UPDATE "The Items" SET section = \'new\' WHERE n < 5; DELETE FROM "The Items" WHERE n = 6'
            )
            assert restored.differing() == []
            assert connection.execute("SELECT * FROM pgsim.check()").fetchall() == []
            found = connection.execute(
                f"SELECT DISTINCT details ->> 'strategy', count(*) FROM pgsim.search('items', {vector('1')}, "
                "filter => '{\"section\": \"new\"}', mode => 'codes') GROUP BY 1".encode()
            )
            assert found.fetchall() == [("codes", 4)]
            connection.execute("SELECT pgsim.drop_collection('items')")
