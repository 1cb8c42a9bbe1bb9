"""A text index follows its table, in the writer's own transaction, and no writer waits for another."""

from __future__ import annotations

import json
import random
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from texts import create, insert, search, statistics, true_statistics

if TYPE_CHECKING:
    from collections.abc import Sequence


def _problems(connection: psycopg.Connection) -> Sequence[tuple[object, ...]]:
    return connection.execute("SELECT problem, hint FROM pgsim.check('book')").fetchall()


CHANGES = {
    "insert": "INSERT INTO book VALUES (10, 'a', 'new fox', 'found here')",
    "insert many": "INSERT INTO book SELECT i, 'a', 'fox ' || i, repeat('dog ', i % 7) "
    "FROM generate_series(10, 500) AS i",
    "insert nothing": "INSERT INTO book SELECT 11, 'a', 'x', 'y' WHERE false",
    "insert without words": "INSERT INTO book VALUES (10, 'a', NULL, ''), (11, 'a', ' ', NULL)",
    "update a text": "UPDATE book SET body = 'other words, and a dog' WHERE id = 1",
    "update how often": "UPDATE book SET body = body || ' fox fox' WHERE id = 1",
    "update all": "UPDATE book SET title = title || ' again'",
    "update another column": "UPDATE book SET pages = 7",
    "update to nothing": "UPDATE book SET body = NULL, title = '' WHERE id = 2",
    "update a key": "UPDATE book SET id = id + 100",
    "update a key and a text": "UPDATE book SET id = 77, body = 'moved' WHERE id = 2",
    "keys in a row": "UPDATE book SET id = 50 WHERE id = 3; UPDATE book SET id = 3 WHERE id = 2",
    "delete": "DELETE FROM book WHERE id = 1",
    "delete all": "DELETE FROM book",
    "truncate": "TRUNCATE book",
    "truncate and insert": "TRUNCATE book; INSERT INTO book VALUES (1, 'a', 'fox', 'fox')",
    "upsert": "INSERT INTO book VALUES (1, 'a', 'up', 'sert'), (12, 'a', 'up', 'dog') "
    "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    "merge": "MERGE INTO book AS b USING (VALUES (1, 'one'), (13, 'thirteen'), (2, NULL)) AS n (id, body) "
    "ON n.id = b.id "
    "WHEN MATCHED AND n.body IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET body = n.body "
    "WHEN NOT MATCHED THEN INSERT VALUES (n.id, 'a', 'merged', n.body)",
    "delete and insert": "DELETE FROM book WHERE id = 1; INSERT INTO book VALUES (1, 'a', 'back', 'again')",
    "in a subtransaction": "DO $$ BEGIN BEGIN UPDATE book SET body = 'gone'; DELETE FROM book WHERE id = 1; "
    "RAISE 'no'; "
    "EXCEPTION WHEN raise_exception THEN UPDATE book SET body = 'kept' WHERE id = 2; END; END $$",
}


@pytest.fixture
def books(connection: psycopg.Connection) -> psycopg.Connection:
    rows = [(1, "a", "The fox", "a fox and a dog"), (2, "a", "Dogs", "dog dog fox"), (3, "b", "None", "")]
    create(connection, rows)
    return connection


@pytest.mark.parametrize("change", CHANGES)
def test_statistics_are_exact_after_every_change(books: psycopg.Connection, change: str) -> None:
    books.execute(CHANGES[change].encode())
    assert statistics(books) == true_statistics(books)
    assert _problems(books) == []


def test_a_copy_is_indexed(books: psycopg.Connection) -> None:
    with books.cursor().copy("COPY book (id, body) FROM STDIN") as copy:
        copy.write_row((100, "copied fox"))
    assert search(books, "copied").keys == ["100"]
    assert statistics(books) == true_statistics(books)


def test_many_changes_of_a_word_are_added_up(books: psycopg.Connection) -> None:
    for i in range(100, 160):
        insert(books, [(i, "a", "fox", f"once {i}")])
    ((pending,),) = books.execute("SELECT pending FROM pgsim.text_statistics('book')").fetchall()
    assert pending < 40
    assert statistics(books) == true_statistics(books)


def test_an_update_of_other_columns_writes_nothing(books: psycopg.Connection) -> None:
    rows = "SELECT ctid, key FROM pgsim_data.book_text_{}_documents"
    ((number,),) = books.execute("SELECT id FROM pgsim._collection WHERE name = 'book'").fetchall()
    before = books.execute(rows.format(number).encode()).fetchall()
    books.execute("UPDATE book SET pages = 3, shelf = 'z'; UPDATE book SET body = body")
    assert books.execute(rows.format(number).encode()).fetchall() == before


def test_what_a_trigger_of_the_user_changes_further_is_indexed(books: psycopg.Connection) -> None:
    books.execute("""
        CREATE FUNCTION extend() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN UPDATE book SET body = body || ' extended' WHERE id = NEW.id; RETURN NULL; END $$;
        CREATE TRIGGER extend AFTER INSERT ON book FOR EACH ROW EXECUTE FUNCTION extend();
        INSERT INTO book VALUES (20, 'a', 'title', 'text');
    """)
    assert search(books, "extended").keys == ["20"]
    assert statistics(books) == true_statistics(books)


def test_a_dropped_column_is_told_and_never_fails_a_writer(books: psycopg.Connection) -> None:
    books.execute("ALTER TABLE book RENAME COLUMN body TO content")
    books.execute("UPDATE book SET content = 'changed'; INSERT INTO book VALUES (30, 'a', 'x', 'y')")
    ((problem, _),) = [each for each in _problems(books) if "text index" in str(each[0])] or [("", "")]
    assert "has no column body" in str(_problems(books)) or "not kept up" in str(problem)
    with pytest.raises(psycopg.DatabaseError, match="not kept up") as raised, books.transaction():
        search(books, "fox")
    assert raised.value.sqlstate == "PS035"


@pytest.mark.parametrize("change", ["RENAME COLUMN body TO content", "DROP COLUMN body CASCADE"])
def test_a_text_index_whose_column_is_gone_says_so_on_every_path(books: psycopg.Connection, change: str) -> None:
    books.execute(f"ALTER TABLE book {change}".encode())
    for call in (
        "SELECT * FROM pgsim.search('book', text_query => '\"red fox\" -owl', text_form => 'websearch')",
        "SELECT * FROM pgsim.search('book', text_query => 'fox')",
        "SELECT pgsim.snippet('book', '1', 'fox')",
    ):
        with pytest.raises(psycopg.DatabaseError, match="renamed") as raised, books.transaction():
            books.execute(call.encode())
        assert raised.value.sqlstate == "PS035"


def test_check_reports_triggers_and_statistics_that_drift(books: psycopg.Connection) -> None:
    books.execute('ALTER TABLE book DISABLE TRIGGER "!pgsim_text_insert"')
    assert "!pgsim_text_insert on public.book is disabled" in str(_problems(books))
    books.execute("INSERT INTO book VALUES (40, 'a', 'unseen', 'fox')")
    books.execute("SELECT pgsim.sync_privileges('book')")
    assert _problems(books) == []
    assert search(books, "unseen").keys == ["40"]
    ((changes, words),) = books.execute("SELECT changes::text, vocabulary::text FROM pgsim._text").fetchall()
    books.execute(f"INSERT INTO {changes} SELECT min(v.term), 5, 0 FROM {words} AS v".encode())
    assert "counts of" in str(_problems(books))
    books.execute("SELECT pgsim.disable_text('book'), pgsim.enable_text('book')")
    assert _problems(books) == []
    assert statistics(books) == true_statistics(books)


def test_a_partitioned_table_is_followed_everywhere(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE book (id int PRIMARY KEY, shelf text, title text, body text, pages int) PARTITION BY RANGE (id);
        CREATE TABLE low PARTITION OF book FOR VALUES FROM (0) TO (100);
        CREATE TABLE high PARTITION OF book FOR VALUES FROM (100) TO (200);
        INSERT INTO book VALUES (1, 'a', 'fox', 'dog'), (150, 'a', 'cat', 'fox');
        SELECT pgsim.create_collection('book', text_columns => '{title,body}', text_config => 'simple');
        SELECT pgsim.enable_text('book');
        INSERT INTO low VALUES (2, 'a', 'low', 'fox'); INSERT INTO book VALUES (102, 'a', 'high', 'fox');
        UPDATE book SET id = id + 100 WHERE id = 1;
    """)
    assert statistics(connection) == true_statistics(connection)
    connection.execute("UPDATE low SET body = 'bird' WHERE id = 2; UPDATE book SET title = 'birds', pages = 3")
    assert statistics(connection) == true_statistics(connection)
    connection.execute("TRUNCATE high")
    assert statistics(connection) == true_statistics(connection)
    connection.execute("DELETE FROM low; TRUNCATE book")
    assert statistics(connection) == true_statistics(connection)


def test_an_index_that_is_dropped_leaves_nothing(books: psycopg.Connection) -> None:
    books.execute("SELECT pgsim.disable_text('book')")
    left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgsim_data'::regnamespace AND relname LIKE 'book%'"
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'book'::regclass"
    assert books.execute(left).fetchall() == books.execute(triggers).fetchall() == [(0,)]
    books.execute("SELECT pgsim.enable_text('book'), pgsim.drop_collection('book')")
    assert books.execute(left).fetchall() == books.execute(triggers).fetchall() == [(0,)]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE book RENAME TO novel",
        "ALTER TABLE book RENAME TO novel; CREATE TABLE book (id int PRIMARY KEY)",
        "CREATE SCHEMA other; ALTER TABLE book SET SCHEMA other",
        "SET session_replication_role = replica; DELETE FROM book WHERE id = 3; RESET session_replication_role",
    ],
)
def test_searches_go_on_where_the_table_is_not_what_their_plans_were_made_for(
    books: psycopg.Connection, change: str
) -> None:
    books.execute("INSERT INTO book VALUES (3, 'b', 'fox', 'fox fox') ON CONFLICT (id) DO UPDATE SET body = 'fox fox'")
    assert search(books, "fox").keys == ["3", "1", "2"]
    books.execute(change.encode())
    assert search(books, "fox").keys == (["1", "2"] if "DELETE" in change else ["3", "1", "2"])
    books.execute("SELECT pgsim.sync_privileges('book')")
    assert search(books, "fox", 2).keys == (["1", "2"] if "DELETE" in change else ["3", "1"])


@pytest.mark.parametrize(
    "name", ["%", "%1$s %I", "'", '"', "\\", "$body$", "a; DROP TABLE book --", "[1]", "q", "mean"]
)
@pytest.mark.parametrize("keys", [1, 2])
def test_hostile_names_of_tables_and_columns_are_names(connection: psycopg.Connection, name: str, keys: int) -> None:
    table, column, other = sql.Identifier(name), sql.Identifier(name), sql.Identifier(name + "2")
    connection.execute(sql.SQL("CREATE TABLE {} ({} int, {} text, body text)").format(table, column, other))
    key = sql.SQL(", ").join([column, other][:keys])
    connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(table, key))
    given: list[object] = [table.as_string(connection), [name, name + "2"][:keys], [name + "2", "body"]]
    statement = "SELECT pgsim.create_collection(%s::regclass, 'book', key_columns => %s, text_columns => %s)"
    connection.execute(statement, given)
    connection.execute("SELECT pgsim.enable_text('book')")
    connection.execute(sql.SQL("INSERT INTO {} VALUES (1, 'x', 'fox'), (2, 'y', 'fox fox')").format(table))
    connection.execute(sql.SQL("UPDATE {} SET body = 'fox fox fox' WHERE body = 'fox'").format(table))
    found = search(connection, "fox").keys
    both = [json.loads(each) for each in found] if keys == 2 else found
    assert both == ([{name: 1, name + "2": "x"}, {name: 2, name + "2": "y"}] if keys == 2 else ["1", "2"])
    assert search(connection, "fox", predicate="body ~ ($1 ->> 'b')", values={"b": "x$"}).keys == found
    assert _problems(connection) == []


def test_functions_of_an_index_are_those_of_the_owner_of_pgsim_and_go_with_it(books: psycopg.Connection) -> None:
    mine = "SELECT proname, pg_get_userbyid(proowner) = pg_get_userbyid(nspowner), prosecdef FROM pg_proc AS p, "
    mine += "pg_namespace AS n WHERE n.nspname = 'pgsim' AND p.pronamespace = 'pgsim_data'::regnamespace ORDER BY 1"
    rows = books.execute(mine.encode()).fetchall()
    # What sums up the words of all rows runs as its owner; what finds rows does not.
    assert [row[1:] for row in rows] == [(True, False), (True, True)]
    books.execute(f"DROP FUNCTION pgsim_data.{rows[0][0]}".encode())
    ((problem, hint),) = _problems(books)
    assert problem == "functions of its text index were dropped"
    books.execute(str(hint).encode())
    assert _problems(books) == []
    assert books.execute(mine.encode()).fetchall() == rows
    books.execute("SELECT pgsim.disable_text('book')")
    assert books.execute(mine.encode()).fetchall() == []


def test_writers_who_meet_new_words_at_once_do_not_wait(database_dsn: str) -> None:
    with psycopg.connect(database_dsn) as one, psycopg.connect(database_dsn) as other:
        create(one, [(1, "a", "fox", "dog")])
        one.commit()
        for session in (one, other):
            session.execute("SET lock_timeout = '2s'")
        for i, (first, second) in enumerate([(one, other), (other, one)] * 12, start=1):
            first.execute("INSERT INTO book VALUES (%s, 'a', 'alpha fox', 'beta dog')", [10 * i])
            second.execute("INSERT INTO book VALUES (%s, 'a', 'beta dog', 'alpha fox')", [10 * i + 1])
        one.commit()
        other.commit()
        assert statistics(one) == true_statistics(one)
        assert len(search(one, "alpha", 100).keys) == 48
        assert len(set(search(one, "alpha", 100).scores)) == 1


@pytest.mark.slow
def test_storms_of_writers_leave_the_statistics_of_a_rebuild(database_dsn: str) -> None:
    with psycopg.connect(database_dsn) as connection:
        create(connection, [(i, "a", f"t{i % 9}", f"w{i % 5} w{i % 3}") for i in range(1, 200)])
    failures: list[BaseException] = []

    def write(seed: int) -> None:
        rng = random.Random(seed)
        try:
            with psycopg.connect(database_dsn) as session:
                for _ in range(60):
                    _some_changes(session, rng)
                    (session.rollback if rng.random() < 0.25 else session.commit)()
        except BaseException as failure:  # noqa: BLE001 - shown by the test itself
            failures.append(failure)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    with psycopg.connect(database_dsn) as connection:
        assert statistics(connection) == true_statistics(connection)
        assert _problems(connection) == []


def _some_changes(session: psycopg.Connection, rng: random.Random) -> None:
    """Up to four changes of rows; each session takes its rows in ascending order, so that rows alone never deadlock."""
    if rng.random() < 0.02:
        session.execute("TRUNCATE book")
        return
    if rng.random() < 0.2:
        session.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    for key in sorted(rng.sample(range(1, 400), rng.randint(1, 4))):
        words = " ".join(f"w{rng.randint(0, 60)}" for _ in range(rng.randint(0, 12)))
        change = rng.random()
        if change < 0.4:
            session.execute(
                "INSERT INTO book VALUES (%s, 'a', 't', %s) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                [key, words],
            )
        elif change < 0.7:
            session.execute("UPDATE book SET body = %s WHERE id = %s", [words, key])
        elif change < 0.85:
            session.execute("DELETE FROM book WHERE id = %s", [key])
        else:
            session.execute("SAVEPOINT s")
            session.execute("UPDATE book SET body = body || ' x', title = 'n' WHERE id = %s", [key])
            session.execute("ROLLBACK TO SAVEPOINT s" if rng.random() < 0.5 else "RELEASE SAVEPOINT s")
