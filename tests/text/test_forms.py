"""What a query may say, and how its words are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from texts import create, search

BOOKS = [
    (1, "a", "Databases", "Storing data in a relational database server"),
    (2, "a", "Web servers", "A server for web pages, written in Python"),
    (3, "b", "Python", "The web of a snake; no server here"),
    (4, "b", "Pages", "Pages of the web and a Python web server"),
    (5, "b", "Data", "base of data"),
]

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def books(connection: psycopg.Connection) -> psycopg.Connection:
    create(connection, BOOKS, "'book', text_config => 'english', weights => '{\"title\": 2}'")
    return connection


@pytest.mark.parametrize(
    ("form", "query", "found"),
    [
        ("any", "Server databases", {"1", "2", "3", "4"}),
        ("any", "the of and", set()),
        ("all", "web server python", {"2", "3", "4"}),
        ("all", "web nowhere", set()),
        ("phrase", "web server", {"2", "4"}),
        ("phrase", "python web", {"4"}),
        ("phrase", "web python", set()),
        ("websearch", '"web server"', {"2", "4"}),
        ("websearch", "server -web", {"1"}),
        ("websearch", '"web server" -page', set()),
        ("websearch", 'web -"web server"', {"3"}),
        ("websearch", "snake or relational", {"1", "3"}),
        ("websearch", "python server", {"2", "3", "4"}),
        ("websearch", "-web", set()),
        ("prefix", "dat", {"1", "5"}),
        ("prefix", "serv relat", {"1", "2", "3", "4"}),
        ("prefix", "databases", {"1"}),
        ("fuzzy", "pyhton", {"2", "3", "4"}),
        ("fuzzy", "databse", {"1", "5"}),
        ("fuzzy", "xyzzy", set()),
    ],
)
def test_each_form_finds_its_rows(books: psycopg.Connection, form: str, query: str, found: set[str]) -> None:
    assert set(search(books, query, form=form).keys) == found


@pytest.mark.parametrize(
    "query", ["server", "the python web server", "the", "", "zebra", "\U0001f98a", "server " * 600]
)
def test_words_alone_are_answered_as_with_a_filter_that_admits_all(books: psycopg.Connection, query: str) -> None:
    short, long = (
        books.execute(
            f"SELECT * FROM pgsim.search('book', text_query => %s, k => 3{more})".encode(), [query]
        ).fetchall()
        for more in ("", ", filter => '{}'")
    )
    assert short == long
    batch = books.execute(
        "SELECT key, score, distance, rank, details FROM pgsim.search_batch('book', text_queries => %s, k => 3)",
        [[query]],
    )
    assert batch.fetchall() == long


def test_a_phrase_does_not_run_from_one_column_into_the_next(books: psycopg.Connection) -> None:
    assert search(books, "data base", form="phrase").keys == []
    assert search(books, "base data", form="phrase").keys == []


def test_the_nearer_a_word_the_more_it_counts(connection: psycopg.Connection) -> None:
    create(connection, [(1, "", "", "planet"), (2, "", "", "planes"), (3, "", "", "plants"), (4, "", "", "garden")])
    answer = search(connection, "planets", form="fuzzy")
    assert answer.keys[0] == "1"
    assert "4" not in answer.keys


def test_an_unknown_form_is_an_error(books: psycopg.Connection) -> None:
    with pytest.raises(psycopg.DatabaseError, match="text_form is 'some'; known are any, all") as raised:
        search(books, "fox", form="some")
    assert raised.value.sqlstate == "PS010"


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ("'book', k1 => -1", "PS010"),
        ("'book', b => 2", "PS010"),
        ("'book', b => 'NaN'", "PS010"),
        ("'book', weights => '[1]'", "PS010"),
        ("'book', weights => '{\"title\": \"x\"}'", "PS010"),
        ("'book', weights => '{\"title\": 0.001}'", "PS010"),
        ("'book', weights => '{\"title\": 0, \"body\": 0}'", "PS010"),
        ("'book', weights => '{\"nothing\": 1}'", "PS005"),
        ("'nothing'", "PS001"),
    ],
)
def test_bad_arguments_are_told(books: psycopg.Connection, arguments: str, sqlstate: str) -> None:
    books.execute("SELECT pgsim.disable_text('book')")
    with pytest.raises(psycopg.DatabaseError) as raised:
        books.execute(f"SELECT pgsim.enable_text({arguments})".encode())
    assert raised.value.sqlstate == sqlstate


def test_there_is_one_text_index_or_none(books: psycopg.Connection) -> None:
    with pytest.raises(psycopg.DatabaseError, match="has a text index already") as raised, books.transaction():
        books.execute("SELECT pgsim.enable_text('book')")
    assert raised.value.sqlstate == "PS020"
    books.execute("SELECT pgsim.disable_text('book')")
    with pytest.raises(psycopg.DatabaseError, match="has no text index") as raised:
        search(books, "fox")
    assert raised.value.sqlstate == "PS035"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("'2', 'pages servers'", "Web <b>servers</b>\nA <b>server</b> for web <b>pages</b>, written in Python"),
        ("'3', 'pyth', text_form => 'prefix'", "<b>Python</b>\nThe web of a snake; no server here"),
        ('\'2\', \'web\', \'{"column": "title", "start": "[", "stop": "]"}\'', "[Web] servers"),
        ("'2', 'nowhere', '{\"max_words\": 3}'", "Web servers"),
        ("'99', 'web'", None),
        ("'1', NULL, '{\"whole\": true}'", "Databases\nStoring data in a relational database server"),
    ],
)
def test_a_snippet_marks_the_words(books: psycopg.Connection, arguments: str, shown: str | None) -> None:
    rows: Sequence[tuple[str | None]] = books.execute(f"SELECT pgsim.snippet('book', {arguments})".encode()).fetchall()
    assert rows == [(shown,)]


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ("'x', 'web'", "PS016"),
        ("'1', 'web', '[]'", "PS010"),
        ("'1', 'web', '{\"colour\": 1}'", "PS010"),
        ("'1', 'web', '{\"max_words\": 2, \"min_words\": 5}'", "PS010"),
        ("'1', 'web', '{\"column\": \"none\"}'", "PS005"),
    ],
)
def test_a_snippet_tells_what_it_cannot_do(books: psycopg.Connection, arguments: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.DatabaseError) as raised:
        books.execute(f"SELECT pgsim.snippet('book', {arguments})".encode())
    assert raised.value.sqlstate == sqlstate


def test_a_composite_key_is_a_json_object(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE page (book int, "Number" text, body text, PRIMARY KEY (book, "Number"));
        INSERT INTO page VALUES (1, 'i', 'fox'), (1, '2', 'dog'), (2, 'i', 'fox fox');
        SELECT pgsim.create_collection('page', text_columns => '{body}');
        SELECT pgsim.enable_text('page');
        UPDATE page SET body = 'a fox and more' WHERE "Number" = '2';
    """)
    answer = search(connection, "fox", collection="page")
    assert answer.keys[0] == '{"book": 2, "Number": "i"}'
    assert len(answer.keys) == 3


def test_statistics_tell_what_the_index_holds(books: psycopg.Connection) -> None:
    ((rows, words, length, size),) = books.execute(
        "SELECT rows, words, mean_length, bytes FROM pgsim.text_statistics('book')"
    ).fetchall()
    assert (rows, words) == (5, 11)
    assert length > 4
    assert size > 8192
