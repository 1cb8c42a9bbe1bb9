"""Indexes of vectors and texts built CONCURRENTLY: while the table is read and written."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, LiteralString, TypeVar

import psycopg
from psycopg import sql

from pgsim.database import translated
from pgsim.errors import InvalidArgument, WrongState
from pgsim.json_values import json_text
from pgsim.options import finite_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pgsim.steps import Row

T = TypeVar("T")

_STATEMENT = """
SELECT s.version_id, s.name, s.definition, s.full_dims, s.full_element, s.relation::oid
FROM pgsim._index_statement(%(collection)s, %(model)s, %(embedding)s, %(dims)s, %(element)s, %(method)s,
                            %(where_filter)s::jsonb, %(options)s::jsonb) AS s
"""
_REGISTER = """
SELECT pgsim._register_index(%(version_id)s, %(name)s, %(dims)s, %(element)s, %(method)s,
                             %(where_filter)s::jsonb, %(options)s::jsonb)::text
"""
_WANTS_CODES = """
SELECT pgsim._wants_codes(t, %(dims)s, %(where_filter)s::jsonb)
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t
"""
_LOCK_VERSION = """
SELECT t.model, t.version_id
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t JOIN pgsim._version AS v ON v.id = t.version_id
FOR NO KEY UPDATE OF v
"""
_CREATE_CODES = """
SELECT c.codes::oid, c.codes::text
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t
CROSS JOIN LATERAL pgsim._check_codes(t, %(dims)s, %(element)s, %(where_filter)s::jsonb, %(options)s::jsonb)
CROSS JOIN LATERAL pgsim._create_codes(t, false, %(dims)s, %(element)s, %(options)s::jsonb, %(replace)s) AS c (codes)
"""
_FILL_CODES = """
SELECT pgsim._fill_codes(t, %(codes)s::oid::regclass, c.filter_columns)
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t JOIN pgsim.collections AS c ON c.name = t.collection
"""
_FINISH_CODES = """
SELECT pgsim._finish_codes(%(version_id)s, i.place) FROM pgsim._index AS i WHERE i.relation = %(codes)s::oid
"""
_LEAVING_CODES = """
SELECT i.relation::oid FROM pgsim._index AS i
WHERE i.version_id = %(version_id)s AND i.method = 'codes' AND i.place = 'leaving'
"""
# Everybody may read which transactions run: each holds a lock on its own number.
_RUNNING = """
SELECT array_agg(l.virtualtransaction) FROM pg_catalog.pg_locks AS l
WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
  AND l.virtualtransaction = ANY (coalesce(%(these)s, ARRAY[l.virtualtransaction]))
"""
_CREATE_INVERTED = """
SELECT pgsim._create_inverted(t, %(dims)s, %(element)s, %(where_filter)s::jsonb, %(options)s::jsonb, false)
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t
"""
_INVERTED = """
SELECT i.name, t.version::oid, pgsim._inverted_definition(t)
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t JOIN pgsim._index AS i ON i.id = %(id)s
"""
_FILL_INVERTED = """
SELECT pgsim._fill_inverted(t, i.relation)
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t JOIN pgsim._index AS i ON i.id = %(id)s
"""
_FINISH_INVERTED = """
SELECT pgsim._finish_inverted(t, %(id)s)::text FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t
"""
_BEGIN_TEXT = """
SELECT pgsim._begin_text(%(collection)s, %(text_config)s::regconfig, %(weights)s::jsonb, %(k1)s::float8, %(b)s::float8,
                         %(backend)s)::oid
"""
_RELATION = """
SELECT n.nspname, c.relname, c.relkind = 'p',
       ARRAY(SELECT i.inhrelid::oid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid ORDER BY 1)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = %s
"""

# So few that whoever writes one of them does not wait longer than for any other row that somebody has just changed.
_TEXTS_AT_ONCE = 200

# A search that began before its codes were replaced is over by then, or belongs to a transaction that nobody waits for.
_LONGEST_SEARCH = 20.0


def create_index_concurrently(
    connection: psycopg.Connection[Row],
    collection: str,
    model: str | None = None,
    *,
    embedding: str = "default",
    dims: int | None = None,
    element: str | None = None,
    method: str = "hnsw",
    where_filter: Mapping[str, object] | None = None,
    options: Mapping[str, object] | None = None,
    replace: bool = False,
) -> str:
    """Build an index as `Database.create_index` does, without making writers wait; its name.

    Of a partitioned table each partition's index is built so, and attached. Codes, asked for by ``method`` or made
    beside the first index of the full width, are filled while rows change, and searches use them once they are whole;
    so is an inverted index of sparse vectors.
    When a build fails, what it left behind is dropped.

    Args:
        connection: one in autocommit mode, outside a transaction.
        replace: codes take the place of those there are, which serve until the new ones are whole.

    Raises:
        WrongState: the connection is inside a transaction, or not in autocommit mode.
        PgsimError: as the SQL function create_index.
    """
    _require_autocommit(connection, "Database.create_index, which makes writers wait")
    arguments: dict[str, object] = {
        "collection": collection,
        "model": model,
        "embedding": embedding,
        "dims": dims,
        "element": element,
        "method": method,
        "where_filter": json_text(where_filter),
        "options": json_text(options or {}),
        "replace": replace,
    }
    if replace and method != "codes":
        raise InvalidArgument("replace is for codes", hint="Build another index beside the first, then drop that.")
    with translated(), connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        if method == "codes":
            return _build_codes(cursor, arguments)[1]
        if method == "inverted":
            return _build_inverted(cursor, arguments)
        statement = cursor.execute(_STATEMENT, arguments).fetchall()[0]
        codes: object = None
        if "slice" not in (options or {}) and cursor.execute(_WANTS_CODES, arguments).fetchall()[0][0]:
            # First, since they take a small part of the time: one that fails late has lost the least.
            codes, _ = _build_codes(cursor, arguments | {"element": None, "options": "{}"})
        try:
            return _build_index(cursor, statement, arguments)
        except BaseException:
            _drop_codes(cursor, codes)
            raise


def enable_text_concurrently(
    connection: psycopg.Connection[Row],
    collection: str,
    *,
    text_config: str | None = None,
    weights: Mapping[str, float] | None = None,
    k1: float = 1.2,
    b: float = 0.75,
    backend: str = "pgsim",
) -> None:
    """Make a text index as `Database.enable_text` does, in several transactions, none of which holds writers for long.

    It waits less than deadlock_timeout for a lock on the table, so that a long transaction of somebody else's does not
    stop all others behind it, and tries again; what has been filled is kept meanwhile. Searches by text say that the
    index is being made until it is whole. When a step fails, what was made is dropped. With another extension's
    backend it is `Database.enable_text`.

    Args:
        connection: one in autocommit mode, outside a transaction.

    Raises:
        WrongState: the connection is inside a transaction, or not in autocommit mode.
        PgsimError: as the SQL function enable_text.
    """
    _require_autocommit(connection, "Database.enable_text, which makes writers wait until the transaction ends")
    arguments: dict[str, object] = {
        "collection": collection,
        "text_config": text_config,
        "weights": json_text(weights),
        "k1": finite_number("k1", k1),
        "b": finite_number("b", b),
        "backend": backend,
    }
    with translated(), connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        made = {"documents": _value(cursor, _BEGIN_TEXT, arguments)}
        if made["documents"] is None:
            return
        try:
            _giving_way(cursor, partial(cursor.execute, "SELECT pgsim._watch_text(%(documents)s::oid)", made))
            keys = _value(cursor, "SELECT pgsim._changed_texts(%(documents)s::oid)", made)
            changed = keys if isinstance(keys, list) else []
            for first in range(0, len(changed), _TEXTS_AT_ONCE):
                some = made | {"keys": changed[first : first + _TEXTS_AT_ONCE]}
                repair = "SELECT pgsim._repair_text(%(documents)s::oid, %(keys)s::text[])"
                _giving_way(cursor, partial(cursor.execute, repair, some))
            cursor.execute("SELECT pgsim._finish_text(%(documents)s::oid)", made)
        except BaseException:
            _drop_text(cursor, made)
            raise


def _require_autocommit(connection: psycopg.Connection[Row], otherwise: str) -> None:
    if not connection.autocommit or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise WrongState(
            "an index cannot be built CONCURRENTLY inside a transaction",
            hint=f"Use a connection with autocommit=True, or {otherwise}.",
        )


def _drop_text(cursor: psycopg.Cursor[Row], made: dict[str, object]) -> None:
    if cursor.connection.closed:
        return
    with cursor.connection.transaction():
        # It may have been a timeout that ended the build.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT pgsim.disable_text(c.name) FROM pgsim._collection AS c "
            "JOIN pgsim._text AS x ON x.collection_id = c.id WHERE x.documents = %(documents)s::oid",
            made,
        )


def _build_index(cursor: psycopg.Cursor[Row], statement: Row, arguments: dict[str, object]) -> str:
    version_id, name, definition, full_dims, full_element, relation = statement
    built_so_far: list[sql.Identifier] = []
    try:
        _build(cursor, relation, str(name), str(definition), built_so_far)
    except BaseException:
        for part in built_so_far:
            cursor.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(part))
        raise
    registered = cursor.execute(
        _REGISTER,
        arguments | {"version_id": version_id, "name": name, "dims": full_dims, "element": full_element},
    ).fetchall()
    return str(registered[0][0])


def _build_codes(cursor: psycopg.Cursor[Row], arguments: dict[str, object]) -> tuple[object, str]:
    version_id, codes, name, pinned = _giving_way(cursor, partial(_create_codes, cursor, arguments))
    try:
        _giving_way(cursor, partial(_value, cursor, _FILL_CODES, pinned | {"codes": codes}))
        while (
            _giving_way(cursor, partial(_value, cursor, _FINISH_CODES, {"version_id": version_id, "codes": codes}))
            is False
        ):
            pass
    except BaseException:
        _drop_codes(cursor, codes)
        raise
    if arguments["replace"]:
        _drop_leaving(cursor, version_id)
    return codes, str(name)


def _drop_leaving(cursor: psycopg.Cursor[Row], version_id: object) -> None:
    """Drop the codes whose place others have taken, once nobody reads them."""
    replaced = cursor.execute(_LEAVING_CODES, {"version_id": version_id}).fetchall()
    running = _value(cursor, _RUNNING, {"these": None}) if replaced else None
    waited = time.monotonic()
    while running and time.monotonic() - waited < _LONGEST_SEARCH:
        time.sleep(0.02)
        running = _value(cursor, _RUNNING, {"these": running})
    for (codes,) in replaced:
        _giving_way(cursor, partial(_drop_codes, cursor, codes))


def _build_inverted(cursor: psycopg.Cursor[Row], arguments: dict[str, object]) -> str:
    of, name, relation, definition, pinned = _giving_way(cursor, partial(_create_inverted, cursor, arguments))
    try:
        # Whoever writes from here on keeps the bounds, so that what is read now misses nothing.
        _value(cursor, _FILL_INVERTED, pinned | {"id": of})
        _build(cursor, relation, str(name), str(definition), [])
        return str(_giving_way(cursor, partial(_value, cursor, _FINISH_INVERTED, pinned | {"id": of})))
    except BaseException:
        if not cursor.connection.closed:
            with cursor.connection.transaction():
                # It may have been a timeout that ended the build.
                cursor.execute("SET LOCAL statement_timeout = 0")
                cursor.execute("SELECT pgsim._drop_inverted(i.id) FROM pgsim._index AS i WHERE i.id = %s", [of])
        raise


def _create_inverted(
    cursor: psycopg.Cursor[Row], arguments: dict[str, object]
) -> tuple[object, object, object, object, dict[str, object]]:
    cursor.execute("SELECT pgsim._require_registrar()")
    model, _ = cursor.execute(_LOCK_VERSION, arguments).fetchall()[0]
    # Another version may become the active one meanwhile.
    pinned = arguments | {"model": model}
    of = _value(cursor, _CREATE_INVERTED, pinned)
    name, relation, definition = cursor.execute(_INVERTED, pinned | {"id": of}).fetchall()[0]
    return of, name, relation, definition, pinned


def _create_codes(
    cursor: psycopg.Cursor[Row], arguments: dict[str, object]
) -> tuple[object, object, object, dict[str, object]]:
    cursor.execute("SELECT pgsim._require_registrar()")
    model, version_id = cursor.execute(_LOCK_VERSION, arguments).fetchall()[0]
    # Another version may become the active one meanwhile.
    pinned = arguments | {"model": model}
    codes, name = cursor.execute(_CREATE_CODES, pinned).fetchall()[0]
    return version_id, codes, name, pinned


def _value(cursor: psycopg.Cursor[Row], statement: LiteralString, arguments: dict[str, object]) -> object:
    return cursor.execute(statement, arguments).fetchall()[0][0]


def _giving_way(cursor: psycopg.Cursor[Row], step: Callable[[], T], times: int = 60) -> T:
    """Do a step in a transaction that waits less than deadlock_timeout for a lock, and again when it did not get it.

    So writers never queue behind it for long, nor does a deadlock end one of them.
    """
    while True:
        times -= 1
        try:
            with cursor.connection.transaction():
                cursor.execute("SET LOCAL lock_timeout = '500ms'")
                return step()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if not times:
                raise
            time.sleep(0.5)


def _drop_codes(cursor: psycopg.Cursor[Row], codes: object) -> None:
    if codes is None or cursor.connection.closed:
        return
    with cursor.connection.transaction():
        # It may have been a timeout that ended the build.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT pgsim.drop_index(i.relation) FROM pgsim._index AS i WHERE i.relation = %s::oid", [codes])


def _build(
    cursor: psycopg.Cursor[Row], relation: object, name: str, definition: str, built: list[sql.Identifier]
) -> sql.Identifier:
    schema, table, partitioned, children = cursor.execute(_RELATION, [relation]).fetchall()[0]
    index = sql.Identifier(str(schema), name)
    built.append(index)
    cursor.execute(
        sql.SQL("CREATE INDEX {how} {name} ON {only} {table} ").format(
            how=sql.SQL("" if partitioned else "CONCURRENTLY"),
            name=sql.Identifier(name),
            only=sql.SQL("ONLY" if partitioned else ""),
            table=sql.Identifier(str(schema), str(table)),
        )
        + sql.SQL(definition.replace("{", "{{").replace("}", "}}")).format()
    )
    for child in children if partitioned and isinstance(children, list) else []:
        # Told from every other index by the oids: of the parent's index, and of the partition.
        parent = cursor.execute("SELECT %s::regclass::oid", [index.as_string()]).fetchall()[0][0]
        part = _build(cursor, child, f"pgsim_{parent}_{child}", definition, built)
        cursor.execute(sql.SQL("ALTER INDEX {} ATTACH PARTITION {}").format(index, part))
    return index
