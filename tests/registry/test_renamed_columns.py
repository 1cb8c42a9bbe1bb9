"""A column that pgsim reads was renamed: whatever needs it says so, and pgsim.check tells what to do."""

from __future__ import annotations

import psycopg
import pytest

LIST = """
CREATE TABLE parts (id int, maker text, body text, PRIMARY KEY (id, maker));
INSERT INTO parts SELECT i, 'm', 'part ' || i FROM generate_series(1, 3) AS i;
CREATE TABLE tools (id int PRIMARY KEY, body text);
INSERT INTO tools SELECT i, 'tool ' || i FROM generate_series(1, 3) AS i;
SELECT pgsim.create_collection(c::regclass, text_columns => '{body}') FROM unnest('{parts,tools}'::text[]) AS c;
SELECT pgsim.create_model('old', 2), pgsim.create_model('new', 2);
SELECT pgsim.create_version(c, m) FROM unnest('{parts,tools}'::text[]) AS c, unnest('{old,new}'::text[]) AS m;
SELECT pgsim.upsert('tools', m, '{1,2,3}', ARRAY['[1,1]', '[1,2]', '[1,3]']::vector[])
FROM unnest('{old,new}'::text[]) AS m;
SELECT pgsim.create_model('newer', 2);
"""
NEED_KEYS = (
    "fetch({}, '{{1}}')",
    "recall({})",
    'search_versions({}, \'{{"old": [1,1], "new": [1,0]}}\')',
    "upsert({}, 'new', '{{1}}', ARRAY['[1,1]']::vector[])",
    "copy_vectors({}, 'v')",
    "fill_version({}, 'new')",
    "create_version({}, 'newer')",
)
NEED_TEXTS = (
    "upsert({}, 'new', '{{1}}', ARRAY['[1,1]']::vector[])",
    "enqueue_missing({}, 'new')",
    "next_batch({}, 'new')",
    "mark_ready({}, 'new')",
    "activate({}, 'new')",
    "activate({}, 'new', force => true)",
)


@pytest.mark.parametrize("collection", ["tools", "parts"])
@pytest.mark.parametrize(
    ("renamed", "calls"), [("id", NEED_KEYS + NEED_TEXTS[1:]), ("body", NEED_TEXTS)], ids=["key", "text"]
)
def test_calls_that_need_a_renamed_column_say_which(
    connection: psycopg.Connection, collection: str, renamed: str, calls: tuple[str, ...]
) -> None:
    connection.execute(LIST.encode())
    connection.execute(f"ALTER TABLE {collection} RENAME {renamed} TO was_renamed".encode())
    for call in calls:
        if collection == "parts" and call.startswith(("search_versions", "recall", "upsert")):
            continue  # It has no vectors to be found, and other keys.
        with pytest.raises(psycopg.Error) as raised, connection.transaction():
            connection.execute(f"SELECT * FROM pgsim.{call.format(repr(collection))}".encode())
        assert (call, raised.value.sqlstate) == (call, "PS005")
        assert f"no column '{renamed}'" in str(raised.value)
    told = connection.execute("SELECT problem FROM pgsim.check(%s)", [collection]).fetchall()
    assert f"has no column {renamed} any more" in told[0][0]
    # A plain search reads neither.
    if collection == "tools":
        assert connection.execute("SELECT key FROM pgsim.search('tools', '[1,3]', 1)").fetchall() == [("3",)]
