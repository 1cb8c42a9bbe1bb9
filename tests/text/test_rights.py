"""Who may not see a row is not given it, nor its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from texts import bm25, counts, create, search

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = [
    *((i, "mine", f"fox {i}", "common words of mine") for i in range(1, 6)),
    *((i, "theirs", f"fox secretword{i}", "common words, theirs hidden") for i in range(6, 40)),
]


@pytest.fixture
def secured(connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Rows of two shelves; the role ``reader`` sees those of its own, ``stranger`` none, ``keeper`` owns the table."""
    connection.execute("CREATE ROLE keeper; CREATE ROLE reader; CREATE ROLE stranger; CREATE ROLE auditor BYPASSRLS")
    create(connection, ROWS)
    connection.execute("""
        ALTER TABLE book OWNER TO keeper;
        GRANT SELECT ON book TO reader, auditor;
        ALTER TABLE book ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON book TO reader USING (shelf = 'mine');
        SELECT pgsim.sync_privileges('book');
    """)
    yield connection
    connection.execute("RESET ROLE")


@pytest.mark.parametrize("form", ["any", "all", "phrase", "websearch", "prefix", "fuzzy"])
def test_a_reader_gets_only_rows_it_may_see(secured: psycopg.Connection, form: str) -> None:
    secured.execute("SET LOCAL ROLE reader")
    assert search(secured, "common words", 50, form=form).keys == ["1", "2", "3", "4", "5"]
    assert search(secured, "fox", 2, form=form).keys == ["1", "2"]
    assert search(secured, "hidden", form=form).keys == []
    assert search(secured, "secretword7", form=form).keys == []


def test_scores_are_those_of_the_whole_table(secured: psycopg.Connection) -> None:
    expected = bm25(counts(secured), ["mine"])
    secured.execute("SET LOCAL ROLE reader")
    answer = search(secured, "mine")
    assert dict(zip(answer.keys, answer.scores, strict=True)) == pytest.approx(expected)


def test_a_reader_cannot_read_the_words_of_other_rows(secured: psycopg.Connection) -> None:
    ((documents, vocabulary, changes),) = secured.execute(
        "SELECT documents::text, vocabulary::text, changes::text FROM pgsim._text"
    ).fetchall()
    secured.execute("SET LOCAL ROLE reader")
    assert secured.execute(f"SELECT key FROM {documents} ORDER BY key".encode()).fetchall() == [
        (i,) for i in range(1, 6)
    ]
    assert secured.execute(f"SELECT lexeme FROM {vocabulary}".encode()).fetchall() == []
    search(secured, "fox")
    assert secured.execute(f"SELECT lexeme FROM {vocabulary}".encode()).fetchall() == []
    assert secured.execute(f"SELECT term FROM {changes}".encode()).fetchall() == []
    with pytest.raises(psycopg.DatabaseError, match="the statistics count all"), secured.transaction():
        secured.execute("SELECT pgsim.text_statistics('book')")


def test_who_may_not_read_the_table_may_not_ask_of_its_words(secured: psycopg.Connection) -> None:
    ((words,),) = secured.execute("SELECT words_function FROM pgsim._text").fetchall()
    asked = f"SELECT docs FROM {words}(ARRAY['fox'])".encode()
    secured.execute("SET LOCAL ROLE reader")
    assert secured.execute(asked).fetchall() == [([39.0],)]
    secured.execute("SET LOCAL ROLE stranger")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), secured.transaction():
        secured.execute(asked)


def test_operators_of_others_are_not_run_for_a_json_filter(secured: psycopg.Connection) -> None:
    secured.execute("""
        CREATE SCHEMA foreign_one;
        CREATE FUNCTION foreign_one.evil(float8, numeric) RETURNS float8 LANGUAGE plpgsql
            AS $$BEGIN RAISE 'evil'; END$$;
        CREATE OPERATOR foreign_one.* (leftarg = float8, rightarg = numeric, function = foreign_one.evil);
        SET LOCAL search_path = public, foreign_one
    """)
    found = secured.execute(
        "SELECT key FROM pgsim.search('book', text_query => 'fox', filter => '{\"shelf\": \"mine\"}')"
    )
    assert len(found.fetchall()) == 5


@pytest.mark.parametrize("role", ["keeper", "auditor"])
def test_whom_policies_do_not_bind_searches_by_the_words(secured: psycopg.Connection, role: str) -> None:
    secured.execute(f"SET LOCAL ROLE {role}".encode())
    answer = search(secured, "fox hidden", 50)
    assert len(answer.keys) == 39
    assert answer.details["strategy"] == "words"
    assert search(secured, "secretw", form="prefix").keys


def test_who_may_not_read_the_table_may_not_search_it(secured: psycopg.Connection) -> None:
    secured.execute("SET LOCAL ROLE stranger")
    with pytest.raises(psycopg.DatabaseError) as raised, secured.transaction():
        search(secured, "fox")
    assert raised.value.sqlstate == "PS032"
    with pytest.raises(psycopg.DatabaseError) as raised, secured.transaction():
        secured.execute("SELECT pgsim.snippet('book', '1', 'fox')")
    assert raised.value.sqlstate == "PS032"


def test_a_snippet_is_given_of_visible_rows_alone(secured: psycopg.Connection) -> None:
    secured.execute("SET LOCAL ROLE reader")
    shown = "SELECT pgsim.snippet('book', '1', 'fox'), pgsim.snippet('book', '7', 'fox')"
    assert secured.execute(shown).fetchall() == [("<b>fox</b> 1\ncommon words of mine", None)]


def test_grants_and_policies_that_drift_are_reported_and_mended(secured: psycopg.Connection) -> None:
    secured.execute("GRANT SELECT ON book TO stranger")
    problems = secured.execute("SELECT problem, hint FROM pgsim.check('book')").fetchall()
    assert problems
    assert "text index" in problems[0][0]
    secured.execute(problems[0][1].encode())
    secured.execute("ALTER TABLE book DISABLE ROW LEVEL SECURITY")
    assert "row-level security" in str(secured.execute("SELECT problem FROM pgsim.check('book')").fetchall())
    secured.execute("SELECT pgsim.sync_privileges('book')")
    assert secured.execute("SELECT * FROM pgsim.check('book')").fetchall() == []
    secured.execute("SET LOCAL ROLE stranger")
    assert len(search(secured, "fox", 50).keys) == 39


def test_writers_need_no_right_on_the_index(secured: psycopg.Connection) -> None:
    secured.execute(
        "GRANT INSERT, UPDATE, DELETE, TRUNCATE ON book TO stranger; CREATE POLICY w ON book TO stranger USING (true)"
    )
    secured.execute("REVOKE ALL ON SCHEMA pgsim, pgsim_data FROM PUBLIC; GRANT SELECT ON book TO stranger")
    secured.execute("SET LOCAL ROLE stranger")
    secured.execute(
        "INSERT INTO book VALUES (99, 'mine', 'written', 'by a stranger'); UPDATE book SET body = 'x' WHERE id = 2"
    )
    secured.execute("DELETE FROM book WHERE id = 3; RESET ROLE")
    assert search(secured, "written").keys == ["99"]
    assert "3" not in search(secured, "fox", 50).keys


@pytest.mark.parametrize("role", ["postgres", "reader"])
def test_a_condition_in_sql_reads_the_table_and_nothing_around_it(secured: psycopg.Connection, role: str) -> None:
    secured.execute(f"SET LOCAL ROLE {role}".encode())
    for inner in ("place = 1", "u > 0", "k_1 > 0"):
        with pytest.raises(psycopg.errors.UndefinedColumn), secured.transaction():
            secured.execute("SELECT * FROM pgsim.search('book', text_query => 'fox', where_sql => %s)", [inner])
