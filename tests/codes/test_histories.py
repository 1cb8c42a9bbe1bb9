"""After any history of writes codes hold, for each live row, what a fresh build gives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import psycopg
import pytest
from mirrored import Layout, Mirror, vector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.server import Server

    Statement = Callable[[Mirror, random.Random], str]

LAYOUTS = {
    "adopted column": Layout(),
    "version table": Layout(adopted=False),
    "adopted column, composite key": Layout(key={"tenant": ("text", "'t' || mod({n}, 3)"), "The No": ("int", "{n}")}),
    "version table, composite key": Layout(
        adopted=False, key={"tenant": ("text", "'t' || mod({n}, 3)"), "The No": ("int", "{n}")}
    ),
    "uuid key": Layout(key={"id": ("uuid", "md5(({n})::text)::uuid")}, metric="l2"),
    "text key in a version table": Layout(adopted=False, key={"select": ("text", "'k\"' || {n}")}, metric="ip"),
    "halfvec": Layout(element="halfvec", metric="l1"),
    "directions of a prefix": Layout(code=(4, "halfvec")),
    "directions in a version table of halfvec": Layout(adopted=False, element="halfvec", code=(8, "halfvec")),
    "signs of a prefix": Layout(metric="ip", code=(5, "bit")),
    "halfvec in a version table, unlogged": Layout(adopted=False, element="halfvec", persistence="UNLOGGED"),
}


@pytest.fixture
def mirror(request: pytest.FixtureRequest, server: Server, template: str) -> Iterator[Mirror]:
    with server.database("codes", template) as name, psycopg.connect(server.dsn(name), autocommit=True) as connection:
        yield request.param.create(connection)


def some(dice: random.Random, most: int = 90) -> str:
    """A condition that few rows meet."""
    return f"n IN ({', '.join(str(dice.randint(1, most)) for _ in range(dice.randint(1, 4)))})"


def free(dice: random.Random) -> str:
    """A set of numbers that no row has, as a rule."""
    start = dice.randint(61, 10**6)
    return f"generate_series({start}, {start + dice.randint(0, 5)})"


def move(mirror: Mirror, dice: random.Random) -> str:
    n = f"(n + {dice.randint(100, 10**6)})"
    return f'UPDATE "The Items" SET ({mirror.layout.key_columns}) = ROW({mirror.layout.key_of(n)}) WHERE {some(dice)}'


def shift(mirror: Mirror, dice: random.Random) -> str:
    """Each row takes the key of the one before it, in one statement."""
    first = dice.randint(1, 50)
    return f"""
        DELETE FROM "The Items" WHERE n = {first};
        UPDATE "The Items" SET ({mirror.layout.key_columns}) = ROW({mirror.layout.key_of("n - 1")}), n = n - 1
        WHERE n BETWEEN {first + 1} AND {first + 3}
    """


def replace(mirror: Mirror, dice: random.Random) -> str:
    """A row goes and another comes under its key."""
    number = dice.randint(1, 90)
    return f'DELETE FROM "The Items" WHERE n = {number}; {mirror.insert(f"generate_series({number}, {number})")} ' \
           "ON CONFLICT DO NOTHING"  # fmt: skip


def merge(mirror: Mirror, dice: random.Random) -> str:
    return f"""
        MERGE INTO "The Items" AS t USING generate_series({dice.randint(1, 50)}, 70, 7) AS s ON t.n = s
        WHEN MATCHED AND s % 3 = 0 THEN DELETE
        WHEN MATCHED THEN UPDATE SET section = 'merged', "Size" = "Size" + 1
        WHEN NOT MATCHED THEN
            INSERT (n, {mirror.layout.key_columns}, section) VALUES (s, {mirror.layout.key_of("s")}, 'new')
    """


def upsert(mirror: Mirror, dice: random.Random) -> str:
    return f"{mirror.insert(f'generate_series({dice.randint(1, 60)}, 70, 3)')} " \
           "ON CONFLICT (n) DO UPDATE SET section = excluded.section || '+', \"Size\" = -excluded.\"Size\""  # fmt: skip


def vectors(mirror: Mirror, dice: random.Random) -> str:
    if not mirror.layout.adopted:
        return mirror.store(f"generate_series({dice.randint(1, 60)}, 70, 5)", str(dice.random()))
    return f'UPDATE "The Items" SET embedding = {vector(f"n + {dice.random()}")} WHERE {some(dice)}'


def forget(mirror: Mirror, dice: random.Random) -> str:
    if mirror.layout.adopted:
        return f'UPDATE "The Items" SET embedding = NULL WHERE {some(dice)}'
    version = mirror.connection.execute("SELECT relation::text FROM pgsim.versions").fetchall()[0][0]
    first, *_ = ["key"] if len(mirror.layout.key) == 1 else ["key_1"]
    return f"DELETE FROM {version} WHERE hashtext({first}::text) % 5 = {dice.randint(0, 4)}"


def both(mirror: Mirror, dice: random.Random) -> str:
    if mirror.layout.adopted:
        return f"UPDATE \"The Items\" SET section = 'both', embedding = {vector('n + 0.5')} WHERE {some(dice)}"
    return f"UPDATE \"The Items\" SET section = 'both' WHERE {some(dice)}; {mirror.store('generate_series(1, 70, 9)')}"


def nested(mirror: Mirror, dice: random.Random) -> str:
    """Triggers of the user's write the row again, before and after pgsim's have seen it."""
    number = dice.randint(10**6, 10**9)
    return f"""
        {mirror.insert(f"generate_series({number}, {number + 2})")};
        UPDATE "The Items" SET note = 'again' WHERE n = {number};
        UPDATE "The Items" SET note = 'before', section = 'x' WHERE n = {number + 1};
        UPDATE "The Items" SET section = 'last' WHERE n = {number} AND {dice.randint(0, 1)} = 1
    """


STATEMENTS: list[Statement] = [
    lambda m, d: m.insert(free(d)),
    upsert, merge, move, shift, replace, vectors, vectors, forget, both, nested,
    lambda m, d: f"UPDATE \"The Items\" SET section = 'moved' WHERE {some(d)}",
    lambda m, d: f'UPDATE "The Items" SET "Size" = {d.randint(0, 9)}, tags = ARRAY[\'x\', NULL] WHERE {some(d)}',
    lambda m, d: f'UPDATE "The Items" SET section = NULL, "Size" = NULL, tags = NULL WHERE {some(d)}',
    lambda m, d: f"UPDATE \"The Items\" SET note = 'unrelated' WHERE {some(d)}",
    lambda m, d: f'DELETE FROM "The Items" WHERE {some(d)}',
    lambda m, d: 'DELETE FROM "The Items" WHERE n > 90',
    lambda m, d: f'{move(m, d)}; DELETE FROM "The Items" WHERE {some(d)}',
    # Rows without a text lose their vectors, of those that wait in the queue.
    lambda m, d: "SELECT count(*) FROM pgsim.next_batch('items', size => 100)",
]  # fmt: skip
TRIGGERS = """
CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.section := NEW.section || '!';
    IF NEW.note = 'before' AND TG_OP = 'UPDATE' THEN
        {vector}
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        UPDATE "The Items" SET section = 'again', "Size" = "Size" + 1 WHERE n = NEW.n;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER "A rewrites" BEFORE INSERT OR UPDATE ON "The Items" FOR EACH ROW EXECUTE FUNCTION rewrite();
CREATE TRIGGER "A writes again" AFTER INSERT ON "The Items" FOR EACH ROW EXECUTE FUNCTION again();
CREATE TRIGGER zz_writes_again AFTER UPDATE ON "The Items" FOR EACH ROW WHEN (NEW.note = 'again')
    EXECUTE FUNCTION again();
SELECT pgsim.sync_privileges('items');
"""


def run(mirror: Mirror, dice: random.Random, steps: int) -> list[str]:
    """A history of transactions, some with several statements, some rolled back, whole or to a savepoint."""
    history = []
    for _ in range(steps):
        statement = dice.choice(STATEMENTS)(mirror, dice)
        history.append(statement)
        match dice.randint(0, 5):
            case 0:
                ending = "ROLLBACK"
            case 1:
                other = dice.choice(STATEMENTS)(mirror, dice)
                statement += f"; SAVEPOINT s; {other}; ROLLBACK TO s; {dice.choice(STATEMENTS)(mirror, dice)}"
                ending = "COMMIT"
            case _:
                ending = "COMMIT"
        try:
            mirror.connection.execute(f"BEGIN; {statement}; {ending}")  # type: ignore[arg-type]
        except psycopg.errors.UniqueViolation:
            mirror.connection.execute("ROLLBACK")
        assert mirror.differing() == [], history[-1]
    return history


@pytest.mark.parametrize("mirror", LAYOUTS.values(), ids=LAYOUTS, indirect=True)
def test_codes_are_kept(mirror: Mirror) -> None:
    run(mirror, random.Random(1), 50)
    mirror.connection.execute('TRUNCATE "The Items" CASCADE')
    assert mirror.connection.execute(f"SELECT count(*) FROM {mirror.codes()}").fetchone() == (0,)
    run(mirror, random.Random(2), 5)
    assert mirror.connection.execute("SELECT * FROM pgsim.check()").fetchall() == []


@pytest.mark.parametrize("mirror", [Layout(), Layout(adopted=False)], ids=["adopted", "version table"], indirect=True)
def test_codes_are_kept_beside_triggers_that_write_the_rows_again(mirror: Mirror) -> None:
    changed = f"NEW.embedding := {vector('NEW.n + 0.25')};" if mirror.layout.adopted else "NULL;"
    mirror.connection.execute(TRIGGERS.replace("{vector}", changed))  # type: ignore[arg-type]
    run(mirror, random.Random(3), 40)
    assert mirror.connection.execute("SELECT * FROM pgsim.check()").fetchall() == []
