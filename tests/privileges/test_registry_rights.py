"""Only the owner of pgsim changes the registry, and only the owner of a table registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from conftest import ActingAs

CALLS = [
    "create_collection('documents')",
    "create_model('m', 3)",
    "create_embedding('documents', 'e', '{}')",
    "create_version('documents', 'toy')",
    "create_index('documents', 'toy')",
    "enqueue_missing('documents')",
    "sync_privileges('documents')",
    "drop_version('documents', 'toy', force => true)",
    "drop_embedding('documents', 'default')",
    "drop_collection('documents')",
    "drop_model('toy')",
    "drop_index('documents_pkey')",
    "check()",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_role_that_may_search_does_not_change_the_registry(
    library: psycopg.Connection, acting_as: ActingAs, call: str
) -> None:
    library.execute("GRANT ALL ON documents TO reader; SELECT pgsim.sync_privileges('documents')")
    with pytest.raises(psycopg.Error) as raised, acting_as("reader") as reader:
        reader.execute(f"SELECT pgsim.{call}")
    assert raised.value.sqlstate == "PS032"
    assert "reader" in str(raised.value)
    assert "GRANT" in (raised.value.diag.message_hint or "")


@pytest.mark.parametrize("call", [
    "create_collection('theirs', 'again')",
    "create_version('theirs', 'own')",
    "create_index('theirs', 'toy')",
    "sync_privileges('theirs')",
    "drop_version('theirs', 'toy', force => true)",
    "drop_collection('theirs')",
])  # fmt: skip
def test_the_owner_of_pgsim_does_not_touch_tables_of_others(
    library: psycopg.Connection, acting_as: ActingAs, call: str
) -> None:
    library.execute("""
        CREATE ROLE stranger;
        CREATE TABLE theirs (id int PRIMARY KEY);
        SELECT pgsim.create_collection('theirs'), pgsim.create_version('theirs', 'toy');
        ALTER TABLE theirs OWNER TO stranger; SELECT pgsim.sync_privileges('theirs');
    """)
    with pytest.raises(psycopg.Error) as raised, acting_as("owner") as owner:
        owner.execute(f"SELECT pgsim.{call}")
    assert raised.value.sqlstate == "PS032"
    assert "stranger" in str(raised.value)


@pytest.mark.parametrize("statement", [
    "INSERT INTO pgsim._collection (name, relation, key_columns, text_columns, text_config, filter_columns) "
    "VALUES ('x', 'pg_class', '{oid}', '{}', '', '{}')",
    "UPDATE pgsim._version SET relation = 'pg_authid'",
    "DELETE FROM pgsim._model",
    "TRUNCATE pgsim._queue",
    "INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (1, 'delete', '{1}')",
    "SELECT * FROM pgsim._queue",
    "UPDATE pgsim.versions SET state = 'retired'",
    "CREATE TABLE pgsim.mine (id int)",
    "CREATE TABLE pgsim_data.mine (id int)",
    "CREATE FUNCTION pgsim.search(text) RETURNS int LANGUAGE sql RETURN 1",
    "SELECT pgsim._drop_version(1)",
    "SELECT pgsim._register_index(1, 'documents_pkey', 3, 'vector', 'hnsw', NULL, '{}')",
    "SELECT pgsim._capture()",
    "CREATE TRIGGER mine AFTER INSERT ON own_table FOR EACH ROW EXECUTE FUNCTION pgsim._capture('1')",
])  # fmt: skip
def test_there_is_no_way_around_it(library: psycopg.Connection, acting_as: ActingAs, statement: str) -> None:
    library.execute("GRANT ALL ON documents TO reader; SELECT pgsim.sync_privileges('documents')")
    library.execute("CREATE TABLE own_table (id int); ALTER TABLE own_table OWNER TO reader")
    with pytest.raises(psycopg.Error) as raised, acting_as("reader") as reader:
        reader.execute(statement)  # type: ignore[arg-type]
    assert raised.value.sqlstate in {"42501", "55000"}


def test_everybody_may_read_what_is_registered(library: psycopg.Connection, acting_as: ActingAs) -> None:
    with acting_as("reader") as reader:
        for view in ("collections", "models", "embeddings", "versions", "indexes", "backfill_progress"):
            assert reader.execute(f"SELECT count(*) FROM pgsim.{view}").fetchone() != (0,)


def test_what_runs_as_its_owner_is_pinned_and_only_notes_things_down(connection: psycopg.Connection) -> None:
    definers = connection.execute(
        "SELECT proname, proconfig, prorettype::regtype::text, has_function_privilege('public', oid, 'EXECUTE') "
        "FROM pg_proc WHERE pronamespace = 'pgsim'::regnamespace AND prosecdef ORDER BY proname"
    ).fetchall()
    pinned = "search_path=pg_catalog, pg_temp"
    assert [(name, config[0], result, public) for name, config, result, public in definers] == [
        ("_capture", pinned, "trigger", False),
        ("_keep_codes", pinned, "trigger", False),
        ("_keep_inverted", pinned, "trigger", False),
        ("_keep_mapped", pinned, "trigger", False),
        ("_keep_text", pinned, "trigger", False),
        ("_lock_codes", pinned, "text[]", False),
        ("_note_removal", pinned, "trigger", False),
        ("_record_search", pinned, "void", True),
    ]
