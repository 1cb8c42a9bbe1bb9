"""Writers of a table with codes: what they may do is what they might without, and they never fail for its sake."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from mirrored import Layout, Mirror, differing, vector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.server import Server

SECURED = """
CREATE ROLE keeper; CREATE ROLE writer; GRANT {librarian} TO keeper; GRANT CREATE ON SCHEMA public TO keeper;
SET LOCAL ROLE keeper;
CREATE TABLE note (id int PRIMARY KEY, tenant text, body text, embedding vector(8));
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON note TO writer;
SELECT pgsim.create_collection('note', filter_columns => '{{tenant}}'), pgsim.create_model('m', 8);
SELECT pgsim.create_version('note', 'm', column_name => 'embedding');
INSERT INTO note SELECT i, 'a', 'x', {vector} FROM generate_series(1, 5) AS i;
SELECT pgsim.create_index('note', 'm', method => 'codes');
RESET ROLE;
REVOKE ALL ON SCHEMA pgsim, pgsim_data FROM PUBLIC;
"""
WRITES = """
INSERT INTO note VALUES (11, 'a', 'x', {vector});
UPDATE note SET tenant = 'a', embedding = {vector}, body = 'y' WHERE id = 2;
UPDATE note SET id = 12 WHERE id = 3;
INSERT INTO note VALUES (4, 'a') ON CONFLICT (id) DO UPDATE SET body = excluded.body, embedding = excluded.embedding;
DELETE FROM note WHERE id = 5;
"""


@pytest.fixture(scope="session")
def librarian(server: Server) -> Iterator[str]:
    """A role that owns pgsim, and is no superuser."""
    name = server.unique_name("codes_librarian")
    with server.admin() as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        yield name
        admin.execute(f"DROP ROLE {name}")


@pytest.fixture(scope="session")
def librarian_dsn(server: Server, bare_template: str, built_sql: Path, librarian: str) -> Iterator[str]:
    from pgsim import install  # noqa: PLC0415

    with server.database("codes_librarian", bare_template, owner=librarian) as name:
        with psycopg.connect(server.dsn(name, user=librarian, password=librarian)) as connection:
            install.install(connection, root=built_sql)
        yield server.dsn(name)


@pytest.fixture
def notes(librarian_dsn: str, librarian: str) -> Iterator[psycopg.Connection]:
    """Five notes of tenant a with codes; `writer` may write them, without any right on pgsim."""
    with psycopg.connect(librarian_dsn) as connection:
        connection.execute(SECURED.format(librarian=librarian, vector=vector("3")).encode())
        yield connection
        connection.rollback()


def test_a_writer_needs_no_right_on_pgsim(notes: psycopg.Connection) -> None:
    notes.execute("SET LOCAL ROLE writer")
    notes.execute(WRITES.format(vector=vector("9")).encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege), notes.transaction():
        notes.execute("SELECT * FROM pgsim._index")
    notes.execute("RESET ROLE")
    assert differing(notes, "note", ["id"], ["tenant"]) == []
    notes.execute("SET LOCAL ROLE writer; TRUNCATE note; RESET ROLE")
    assert differing(notes, "note", ["id"], ["tenant"]) == []


def test_a_writer_under_forced_row_level_security_keeps_codes(notes: psycopg.Connection) -> None:
    notes.execute("""
        CREATE POLICY own ON note USING (tenant = 'a'); ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        ALTER TABLE note FORCE ROW LEVEL SECURITY; SELECT pgsim.sync_privileges('note')
    """)
    for role in ("writer", "keeper"):
        notes.execute("SAVEPOINT s")
        notes.execute(
            f"SET LOCAL ROLE {role}; SET LOCAL row_security = on; {WRITES.format(vector=vector('9'))}".encode()
        )
        notes.execute("RESET ROLE")
        assert differing(notes, "note", ["id"], ["tenant"]) == []
        notes.execute("ROLLBACK TO s")


@pytest.mark.parametrize("role", ["writer", "keeper"])
def test_nobody_under_row_level_security_reads_codes_and_only_pgsim_writes_them(
    notes: psycopg.Connection, role: str
) -> None:
    codes = notes.execute("SELECT relation::text FROM pgsim._index WHERE method = 'codes'").fetchall()[0][0]
    notes.execute("""
        GRANT USAGE ON SCHEMA pgsim, pgsim_data TO PUBLIC;
        CREATE POLICY own ON note USING (tenant = 'b'); ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        ALTER TABLE note FORCE ROW LEVEL SECURITY; SELECT pgsim.sync_privileges('note')
    """)
    notes.execute(f"SET LOCAL ROLE {role}")
    if role == "writer":
        assert notes.execute(f"SELECT * FROM {codes}").fetchall() == []
        for write in (
            f"DELETE FROM {codes}",
            f"UPDATE {codes} SET tenant = 'b'",
            f"INSERT INTO {codes} VALUES (99)",
            f"TRUNCATE {codes}",
            f"DROP TABLE {codes}",
            f"ALTER TABLE {codes} DISABLE ROW LEVEL SECURITY",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), notes.transaction():
                notes.execute(write.encode())
    again = "SELECT pgsim.create_index('note', 'm', method => 'codes')"
    with pytest.raises(psycopg.Error) as raised, notes.transaction():
        notes.execute(f"SELECT pgsim.drop_index('{codes}'::regclass); {again}")
    assert raised.value.sqlstate == "PS032"


def test_who_is_bound_by_row_level_security_makes_no_codes(notes: psycopg.Connection) -> None:
    notes.execute("""
        GRANT USAGE ON SCHEMA pgsim, pgsim_data TO PUBLIC; SELECT pgsim.drop_index(relation) FROM pgsim._index;
        CREATE POLICY own ON note USING (id < 3); ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        ALTER TABLE note FORCE ROW LEVEL SECURITY; SET LOCAL ROLE keeper;
    """)
    with pytest.raises(psycopg.Error) as raised, notes.transaction():
        notes.execute("SELECT pgsim.create_index('note', 'm', method => 'codes')")
    assert raised.value.sqlstate == "PS032"
    notes.execute("SELECT pgsim.create_index('note', 'm')")
    assert notes.execute("SELECT method FROM pgsim.indexes").fetchall() == [("hnsw",)]


@pytest.mark.parametrize("layout", [Layout(), Layout(adopted=False)], ids=["adopted", "version table"])
def test_an_update_of_other_columns_touches_no_codes(connection: psycopg.Connection, layout: Layout) -> None:
    mirror = layout.create(connection)
    rows = f"SELECT id, ctid, xmin FROM {mirror.codes()} ORDER BY id"
    before = connection.execute(rows.encode()).fetchall()
    read = connection.execute(f"SELECT pg_stat_get_xact_numscans('{mirror.codes()}'::regclass)").fetchone()
    connection.execute("""UPDATE "The Items" SET note = 'new', section = section, "Size" = "Size" + 0""")
    if layout.adopted:
        connection.execute("""UPDATE "The Items" SET embedding = embedding""")
    assert connection.execute(f"SELECT pg_stat_get_xact_numscans('{mirror.codes()}'::regclass)").fetchone() == read
    assert connection.execute(rows.encode()).fetchall() == before


LONG = "(SELECT string_agg(md5(j::text), '') FROM generate_series(1, 3200) AS j)"
TYPES = {
    "text": f"{LONG}",
    "varchar": f"{LONG}",
    '"char"': "'x'",
    "char(20)": "'x'",
    "text[]": f"ARRAY[left({LONG}, 10000), NULL]",
    "jsonb": f"jsonb_build_object('a', {LONG}, {LONG}, 1)",
    "json": f"json_build_object('a', {LONG})",
    "bytea": f"{LONG}::bytea",
    "numeric": "'1e4000'::numeric + 1",
    "money": "1.5::money",
    "bit varying": "'101'::bit varying",
    "tsvector": "'a b'::tsvector",
    "tstzrange": "'[2024-01-01,)'::tstzrange",
    "int4multirange": "'{[1,3)}'::int4multirange",
    "point": "'(1,2)'::point",
    "inet": "'::1'::inet",
    "interval": "'1 day'::interval",
    "colour": "'red'::colour",
    "filled": "'x'::filled",
    "long_word": f"{LONG}",
    "words": f"ARRAY[left({LONG}, 10000)]",
    "pair": "ROW(1, 'x')::pair",
    "vector(2)": "'[1,2]'::vector",
    "int GENERATED ALWAYS AS (id * 2) STORED": "DEFAULT",
    'text COLLATE "C"': f"{LONG}",
}


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted", "version table"])
def test_filter_columns_of_all_types_and_sizes(connection: psycopg.Connection, *, adopted: bool) -> None:
    names = [f"c{i}" for i in range(len(TYPES))]
    columns = ", ".join(f"{name} {type_}" for name, type_ in zip(names, TYPES, strict=True))
    connection.execute(
        f"""
        CREATE TYPE colour AS ENUM ('red'); CREATE TYPE pair AS (a int, b text);
        CREATE DOMAIN filled AS text NOT NULL CHECK (VALUE IS NOT NULL AND VALUE <> '');
        CREATE DOMAIN word AS text; CREATE DOMAIN long_word AS word; CREATE DOMAIN words AS text[];
        CREATE TABLE thing (id int PRIMARY KEY, {columns}, embedding vector(8));
        INSERT INTO thing (id, {", ".join(names)}) VALUES (0, {", ".join(TYPES.values())});
        SELECT pgsim.create_collection('thing', filter_columns => '{{{",".join(names)}}}'), pgsim.create_model('m', 8);
        SELECT pgsim.create_version('thing', 'm', column_name => {"'embedding'" if adopted else "NULL"});
        SELECT pgsim.create_index('thing', 'm');
        INSERT INTO thing (id, {", ".join(names)}) VALUES (1, {", ".join(TYPES.values())});
        SELECT pgsim.upsert('thing', 'm', '{{0,1}}', ARRAY[{vector("1")}, {vector("2")}]);
        INSERT INTO thing (id, {names[list(TYPES).index("filled")]}) VALUES (2, 'x');
        UPDATE thing SET c0 = 'short' WHERE id = 1;
        UPDATE thing SET id = 3 WHERE id = 1;
    """.encode()
    )
    assert differing(connection, "thing", ["id"], names) == []
    methods = dict(
        connection.execute(
            "SELECT a.attname, m.amname FROM pgsim._index AS i JOIN pg_index AS x ON x.indrelid = i.relation "
            "JOIN pg_class AS c ON c.oid = x.indexrelid JOIN pg_am AS m ON m.oid = c.relam "
            "JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0] WHERE NOT x.indisprimary"
        ).fetchall()
    )
    told = {type_: methods.get(name) for name, type_ in zip(names, TYPES, strict=True)}
    assert (told["text"], told["jsonb"], told["numeric"], told["colour"]) == ("hash", "gin", "btree", "btree")
    assert (told["bit varying"], told["text[]"], told["point"]) == (None, None, None)
    connection.execute("DELETE FROM thing")
    assert differing(connection, "thing", ["id"], names) == []


def test_codes_are_indexed_as_their_base_table_is(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE thing (id int PRIMARY KEY, name text, tags text[], embedding vector(8));
        CREATE INDEX ON thing (name); CREATE INDEX ON thing USING gin (tags);
        SELECT pgsim.create_collection('thing', filter_columns => '{name,tags}'), pgsim.create_model('m', 8);
        SELECT pgsim.create_version('thing', 'm', column_name => 'embedding');
        SELECT pgsim.create_index('thing', 'm', method => 'codes');
    """)
    methods = connection.execute(
        "SELECT m.amname FROM pgsim._index AS i JOIN pg_index AS x ON x.indrelid = i.relation "
        "JOIN pg_class AS c ON c.oid = x.indexrelid JOIN pg_am AS m ON m.oid = c.relam ORDER BY 1"
    )
    assert methods.fetchall() == [("btree",), ("btree",), ("gin",)]


CHANGES = {
    "renamed": "ALTER TABLE thing RENAME section TO part",
    "dropped": "ALTER TABLE thing DROP COLUMN section CASCADE",
    "another under its name": "ALTER TABLE thing RENAME section TO part; ALTER TABLE thing ADD section text",
    "trigger off": "ALTER TABLE thing DISABLE TRIGGER ALL",
}


@pytest.mark.parametrize("change", CHANGES)
def test_codes_that_are_not_kept_serve_no_search_and_no_writer_fails(
    connection: psycopg.Connection, change: str
) -> None:
    connection.execute(
        f"""
        CREATE TABLE thing (id int PRIMARY KEY, section text, size int, embedding vector(8));
        INSERT INTO thing SELECT i, 's', i, {vector("i")} FROM generate_series(1, 20) AS i;
        SELECT pgsim.create_collection('thing', filter_columns => '{{section,size}}'), pgsim.create_model('m', 8);
        SELECT pgsim.create_version('thing', 'm', column_name => 'embedding');
        SELECT pgsim.create_index('thing', 'm', method => 'codes');
    """.encode()
    )
    search = f"SELECT key FROM pgsim.search('thing', {vector('1')}, filter => '{{\"size\": 100}}', mode => %s)"
    assert connection.execute(search.encode(), ["codes"]).fetchall() == []
    told: list[str] = []
    connection.add_notice_handler(lambda d: told.append(d.message_primary or ""))
    connection.execute(CHANGES[change].encode())
    connection.execute("UPDATE thing SET size = 100 WHERE id = 7")
    for _ in range(2):
        with pytest.raises(psycopg.Error) as raised, connection.transaction():
            connection.execute(search.encode(), ["codes"])
        assert raised.value.sqlstate == "PS010"
        assert connection.execute(search.encode(), ["auto"]).fetchall() == [("7",)]
        assert connection.execute("SELECT * FROM pgsim.check()").fetchall() != []
        connection.execute(
            f"""
            INSERT INTO thing (id, size, embedding) VALUES (21, 1, {vector("5")});
            UPDATE thing SET size = 3 WHERE id = 21;
            UPDATE thing SET embedding = {vector("6")} WHERE id = 21; DELETE FROM thing WHERE id = 21
        """.encode()
        )
    warned = [message for message in told if message.startswith("pgsim no longer uses the codes of public.thing")]
    assert len(warned) == (1 if change in {"renamed", "dropped"} else 0)
    connection.execute("SELECT pgsim.drop_index(relation) FROM pgsim._index WHERE method = 'codes'")
    if change == "dropped":
        with pytest.raises(psycopg.Error) as raised, connection.transaction():
            connection.execute("SELECT pgsim.create_index('thing', 'm', method => 'codes')")
        assert raised.value.sqlstate == "PS005"
        connection.execute("SELECT pgsim.create_index('thing', 'm')")


def test_a_trigger_that_may_change_vectors_is_noticed(connection: psycopg.Connection) -> None:
    mirror = Layout().create(connection)
    connection.execute(
        f"""
        CREATE FUNCTION embed() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN NEW.embedding := {vector("NEW.n + 100")}; RETURN NEW; END $$;
        CREATE TRIGGER embed BEFORE UPDATE OF note ON "The Items" FOR EACH ROW EXECUTE FUNCTION embed();
    """.encode()
    )
    ((_, _, problem, hint),) = connection.execute("SELECT * FROM pgsim.check()").fetchall()
    assert "vector_any_update" in problem
    connection.execute(hint.encode())
    assert connection.execute("SELECT * FROM pgsim.check()").fetchall() == []
    connection.execute("UPDATE \"The Items\" SET note = 'new'")
    assert mirror.differing() == []


@pytest.mark.parametrize("layout", [Layout(), Layout(adopted=False)], ids=["adopted", "version table"])
def test_concurrent_writers_leave_codes_whole(database_dsn: str, layout: Layout) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        mirror = layout.create(connection, 30)

        def write(seed: int) -> None:
            dice = random.Random(seed)
            with psycopg.connect(database_dsn, autocommit=True) as own:
                writer = Mirror(own, layout)
                for step in range(40):
                    n = dice.randint(1, 30)
                    statement = dice.choice([
                        f'UPDATE "The Items" SET section = \'w{seed}{step}\' WHERE n = {n}',
                        f'DELETE FROM "The Items" WHERE n = {n}',
                        f"{writer.insert(f'generate_series({n}, {n + 1})')} ON CONFLICT DO NOTHING",
                        f'UPDATE "The Items" SET "Size" = {step}, id = id + {dice.choice([0, 1000])} WHERE n = {n}',
                        f'UPDATE "The Items" SET embedding = {vector(str(dice.random()))} WHERE n = {n}'
                        if layout.adopted else writer.store(f"generate_series({n}, {n + 2})", str(dice.random())),
                    ])  # fmt: skip
                    try:
                        own.execute(statement.encode())
                    except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation,
                            psycopg.errors.ForeignKeyViolation):  # fmt: skip
                        continue

        threads = [threading.Thread(target=write, args=[seed]) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert mirror.differing() == []
