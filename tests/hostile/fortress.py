"""A database to attack, and what proves that an attack changed nothing in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

# Runs a statement over $1 for each case, in a subtransaction that is undone: what it gave, or why it was refused.
ATTACK = """
CREATE FUNCTION pg_temp.attack(act text, verify text, cases jsonb[]) RETURNS SETOF jsonb
LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    given jsonb;
    result jsonb;
    hint text;
BEGIN
    FOREACH given IN ARRAY cases LOOP
        BEGIN
            EXECUTE act INTO result USING given;
            IF verify IS NOT NULL THEN
                EXECUTE verify INTO result USING given;
            END IF;
            RAISE SQLSTATE 'UNDO1';
        EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
            RETURN NEXT jsonb_build_object('gave', result);
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
            RETURN NEXT jsonb_build_object('sqlstate', SQLSTATE, 'message', SQLERRM, 'hint', hint);
        END;
    END LOOP;
END $$
"""

CATALOGUES = (
    "pg_namespace",
    "pg_class",
    "pg_attribute",
    "pg_attrdef",
    "pg_type",
    "pg_proc",
    "pg_constraint",
    "pg_index",
    "pg_trigger",
    "pg_policy",
    "pg_rewrite",
    "pg_operator",
    "pg_opclass",
    "pg_cast",
    "pg_extension",
    "pg_roles",
    "pg_auth_members",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_db_role_setting",
    "pg_description",
)
# What the databases of a server have in common: other tests change it too.
SHARED = ("pg_roles", "pg_auth_members", "pg_db_role_setting")
# Bookkeeping that any statement may change.
FREE = {
    "pg_class": "(to_jsonb(r) - '{relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid,relhasindex,"
    "relhastriggers}'::text[])::text"
}

SETTING_UP = """
CREATE TABLE victims (id bigint PRIMARY KEY, name text, size int, token uuid, tags text[], meta jsonb,
                      embedding vector(2) DEFAULT '[1,0]');
CREATE TABLE notes (title text PRIMARY KEY, body text);
CREATE TABLE pairs (a int, b text, PRIMARY KEY (a, b));
CREATE TABLE spare (title text PRIMARY KEY, body text, embedding vector(2));
CREATE TABLE authors (id int PRIMARY KEY, name text);
CREATE TABLE referring (id int PRIMARY KEY, author_id int REFERENCES authors);
INSERT INTO notes VALUES ('first', 'text');
INSERT INTO pairs VALUES (1, 'x');
SELECT pgsim.create_model('plain', 2), pgsim.create_model('other', 2);
SELECT pgsim.create_collection('victims', text_columns => '{name}'), pgsim.create_collection('notes'),
       pgsim.create_collection('pairs');
SELECT pgsim.create_version('victims', 'plain', column_name => 'embedding'), pgsim.create_version('victims', 'other'),
       pgsim.create_version('notes', 'plain'), pgsim.create_version('pairs', 'plain');
SELECT pgsim.upsert('notes', 'plain', '{first}', ARRAY['[1,0]'::vector]);
"""


@dataclass(frozen=True)
class Refusal:
    """An error that an attack met."""

    sqlstate: str
    message: str
    hint: str


@dataclass(frozen=True)
class Gave:
    """What an attack was answered."""

    value: object


@dataclass
class Fortress:
    """A database whose table ``victims`` has the strings of ``names`` in its rows, ids counting from 0."""

    connection: psycopg.Connection
    names: Sequence[str]
    known: dict[str, str] = field(default_factory=dict)

    def attack(self, act: str, cases: Iterable[object], verify: str | None = None) -> list[Gave | Refusal]:
        """Runs ``act``, then ``verify``, for each case; ``$1`` is the case as jsonb, the answer is one jsonb."""
        rows = self.connection.execute(
            "SELECT * FROM pg_temp.attack(%s, %s, %s::text[]::jsonb[])",
            [act, verify, [json.dumps(case) for case in cases]],
        )
        return [Gave(row["gave"]) if "gave" in row else Refusal(**row) for (row,) in rows]

    def snapshot(self) -> dict[str, str]:
        """A checksum of each catalogue, and of each table of the database."""
        tables = self.connection.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND relpersistence = 'p' "
            "AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1"
        ).fetchall()
        return self.checksums([*CATALOGUES, *(name for (name,) in tables)])

    def checksums(self, relations: Iterable[str]) -> dict[str, str]:
        whole_rows = " UNION ALL ".join(
            f"SELECT '{name}', md5(coalesce(string_agg(t.row, '' ORDER BY t.row), '')) "
            f'FROM (SELECT {FREE.get(name, "r::text")} COLLATE "C" AS row FROM {name} AS r) AS t'
            for name in relations
        )
        return dict(self.connection.execute(whole_rows).fetchall())
