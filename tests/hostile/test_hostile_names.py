"""Hostile names, keys and options in every other call: refused with an SQLSTATE of pgsim, or taken to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fortress import Gave, Refusal
from strings import FRAGMENTS, hostile_strings

if TYPE_CHECKING:
    from fortress import Fortress

TEXT = "($1 #>> '{}')"
NOTHING = "SELECT 'null'::jsonb FROM "

# A call with a hostile argument, and what it may be refused with.
REFUSED: dict[str, tuple[str, set[str]]] = {
    "search collection": (f"pgsim.search({TEXT}, '[1,0]')", {"PS001"}),
    "search model": (f"pgsim.search('victims', '[1,0]', model => {TEXT})", {"PS002"}),
    "search embedding": (f"pgsim.search('victims', '[1,0]', embedding => {TEXT})", {"PS003"}),
    "search mode": (f"pgsim.search('victims', '[1,0]', mode => {TEXT})", {"PS010"}),
    "explain collection": (f"pgsim.explain_search({TEXT}, '[1,0]')", {"PS001"}),
    "explain model": (f"pgsim.explain_search('victims', '[1,0]', model => {TEXT})", {"PS002"}),
    "upsert collection": (f"pgsim.upsert({TEXT}, 'plain', '{{1}}', ARRAY['[1,0]'::vector])", {"PS001"}),
    "upsert model": (f"pgsim.upsert('victims', {TEXT}, '{{1}}', ARRAY['[1,0]'::vector])", {"PS002"}),
    "upsert bigint key": (
        f"pgsim.upsert('victims', 'other', ARRAY[{TEXT}], ARRAY['[1,0]'::vector])",
        {"PS007", "PS016"},
    ),
    "upsert adopted key": (
        f"pgsim.upsert('victims', 'plain', ARRAY[{TEXT}], ARRAY['[1,0]'::vector])",
        {"PS007", "PS016"},
    ),
    "upsert text key": (f"pgsim.upsert('notes', 'plain', ARRAY[{TEXT}], ARRAY['[1,0]'::vector])", {"PS007"}),
    "upsert composite key": (
        f"pgsim.upsert('pairs', 'plain', ARRAY[{TEXT}], ARRAY['[1,0]'::vector])",
        {"PS007", "PS016"},
    ),
    "upsert part of a key": (
        f"pgsim.upsert('pairs', 'plain', ARRAY[jsonb_build_object('a', 1, 'b', {TEXT})::text], ARRAY['[1,0]'::vector])",
        {"PS007"},
    ),
    "model metric": (f"pgsim.create_model('new', 2, metric => {TEXT})", {"PS010"}),
    "model element": (f"pgsim.create_model('new', 2, element => {TEXT})", {"PS010"}),
    "version collection": (f"pgsim.create_version({TEXT}, 'plain')", {"PS001"}),
    "version model": (f"pgsim.create_version('victims', {TEXT})", {"PS002"}),
    "version embedding": (f"pgsim.create_version('victims', 'other', embedding => {TEXT})", {"PS003"}),
    "version column": (f"pgsim.create_version('notes', 'other', column_name => {TEXT})", {"PS005"}),
    "embedding collection": (f"pgsim.create_embedding({TEXT}, 'new', '{{}}')", {"PS001"}),
    "embedding columns": (f"pgsim.create_embedding('victims', 'new', ARRAY[{TEXT}])", {"PS005"}),
    "index collection": (f"pgsim.create_index({TEXT}, 'plain')", {"PS001"}),
    "index model": (f"pgsim.create_index('victims', {TEXT})", {"PS002"}),
    "index embedding": (f"pgsim.create_index('victims', 'plain', embedding => {TEXT})", {"PS003"}),
    "index method": (f"pgsim.create_index('victims', 'plain', method => {TEXT})", {"PS010"}),
    "index element": (f"pgsim.create_index('victims', 'plain', element => {TEXT})", {"PS010"}),
    "index option": (f"pgsim.create_index('victims', 'plain', options => jsonb_build_object({TEXT}, 1))", {"PS010"}),
    "index option's value": (
        "pgsim.create_index('victims', 'plain', options => jsonb_build_object('m', $1))",
        {"PS010"},
    ),
    "index options": ("pgsim.create_index('victims', 'plain', options => $1)", {"PS010"}),
    "index filter": (
        f"pgsim.create_index('victims', 'plain', where_filter => jsonb_build_object({TEXT}, 1))",
        {"PS005", "PS014", "PS015"},
    ),
    "drop collection": (f"pgsim.drop_collection({TEXT})", {"PS001"}),
    "drop model": (f"pgsim.drop_model({TEXT})", {"PS002"}),
    "drop embedding": (f"pgsim.drop_embedding('victims', {TEXT})", {"PS003"}),
    "drop version": (f"pgsim.drop_version('victims', {TEXT})", {"PS002"}),
    "next batch": (f"pgsim.next_batch({TEXT})", {"PS001"}),
    "enqueue missing": (f"pgsim.enqueue_missing('victims', {TEXT})", {"PS002"}),
    "sync privileges": (f"pgsim.sync_privileges({TEXT})", {"PS001"}),
    "check": (f'pgsim."check"({TEXT})', {"PS001"}),
}
# Words that mean something after all.
KNOWN = {"id", "name", "size", "victims", "user", "default"}


def is_integer(text: str) -> bool:
    """Whether PostgreSQL may read it as an integer, which may be a key after all."""
    try:
        int(text, 0)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(("call", "sqlstates"), REFUSED.values(), ids=REFUSED)
def test_a_hostile_argument_is_refused(fortress: Fortress, call: str, sqlstates: set[str]) -> None:
    texts = [
        text
        for text in hostile_strings(250, seed=len(call))
        if text not in KNOWN and not is_integer(text) and not text.startswith("meta.")
    ]
    assert len(texts) > 230
    for text, outcome in zip(texts, fortress.attack(NOTHING + call, texts), strict=True):
        assert isinstance(outcome, Refusal), (text, outcome)
        assert outcome.sqlstate in sqlstates, (text, outcome)
        assert outcome.message
        assert outcome.hint


def allowed(name: str) -> bool:
    """Whether a name may be registered; what PostgreSQL calls a control character depends on the server."""
    return len(name) <= 200 and name == name.strip(" ") and name.isprintable()


# A call that registers a hostile name, and the row in which it must stand to the letter.
REGISTERED = {
    "model": (
        f"SELECT to_jsonb(pgsim.create_model({TEXT}, 2))",
        f"SELECT to_jsonb(name) FROM pgsim.models WHERE name = {TEXT}",
    ),
    "collection": (
        f"SELECT to_jsonb(pgsim.create_collection('spare', {TEXT}))",
        f"SELECT to_jsonb(name) FROM pgsim.collections WHERE name = {TEXT}",
    ),
    "embedding": (
        f"SELECT to_jsonb(pgsim.create_embedding('victims', {TEXT}, '{{name}}'))",
        f"SELECT to_jsonb(name) FROM pgsim.embeddings WHERE name = {TEXT}",
    ),
    "prefix": (
        f"SELECT to_jsonb(pgsim.create_model('new', 2, query_prefix => {TEXT}, "
        f"properties => jsonb_build_object({TEXT}, $1)))",
        "SELECT to_jsonb(query_prefix) FROM pgsim.models WHERE name = 'new'",
    ),
}


@pytest.mark.parametrize(("act", "verify"), REGISTERED.values(), ids=REGISTERED)
def test_a_hostile_name_is_registered_to_the_letter_or_refused(fortress: Fortress, act: str, verify: str) -> None:
    texts = hostile_strings(1000, seed=len(act))
    registered = 0
    for text, outcome in zip(texts, fortress.attack(act, texts, verify), strict=True):
        if isinstance(outcome, Gave):
            assert outcome.value == text
            registered += 1
        else:
            assert outcome.sqlstate in {"PS011", "PS020"}, (text, outcome)
            assert outcome.hint
            assert "new" in act or not allowed(text) or outcome.sqlstate == "PS020", text
    assert registered > 400


WHOLE_LIFE = """
DO $life$
DECLARE
    name text := current_setting('hostile.name');
BEGIN
    PERFORM pgsim.create_model(name, 2), pgsim.create_collection('spare', name, text_columns => '{body}');
    PERFORM pgsim.create_embedding(name, name, '{body}'), pgsim.create_version(name, name);
    PERFORM pgsim.create_version(name, name, name);
    INSERT INTO spare VALUES (name, name, '[1,1]');
    PERFORM pgsim.upsert(name, name, ARRAY[name], ARRAY['[1,0]'::vector], embedding => name);
    PERFORM pgsim.upsert(name, name, ARRAY[name], ARRAY['[1,0]'::vector]);
    PERFORM pgsim.create_index(name, name, name);
    IF name IS DISTINCT FROM (SELECT s.key FROM pgsim.search(name, '[1,0]', model => name, embedding => name,
                                                             filter => jsonb_build_object('body', name)) AS s)
       OR EXISTS (SELECT FROM pgsim.next_batch(name, name, name)) OR EXISTS (SELECT FROM pgsim."check"(name)) THEN
        RAISE EXCEPTION 'the name was not taken to the letter';
    END IF;
    PERFORM pgsim.drop_version(name, name, name, force => true), pgsim.drop_embedding(name, name);
    PERFORM pgsim.drop_collection(name), pgsim.drop_model(name);
    DELETE FROM spare;
END $life$
"""


@pytest.mark.slow
def test_a_hostile_name_lives_a_whole_life(fortress: Fortress) -> None:
    texts = [text for text in FRAGMENTS if allowed(text) and text not in KNOWN]
    assert len(texts) > 140
    for text in texts:
        with fortress.connection.transaction():
            fortress.connection.execute("SELECT set_config('hostile.name', %s, true)", [text])
            fortress.connection.execute(WHOLE_LIFE)


def test_hostile_column_names_are_refused_where_columns_are_named(fortress: Fortress) -> None:
    for argument in ("key_columns", "text_columns", "filter_columns"):
        call = f"pgsim.create_collection('spare', {argument} => ARRAY[{TEXT}])"
        texts = [text for text in hostile_strings(300, seed=10) if text not in KNOWN]
        for text, outcome in zip(texts, fortress.attack(NOTHING + call, texts), strict=True):
            assert isinstance(outcome, Refusal), text
            assert outcome.sqlstate == "PS005", (text, outcome)


def test_a_message_quotes_what_it_was_given_and_stays_short(fortress: Fortress) -> None:
    (outcome,) = fortress.attack(NOTHING + f"pgsim.search({TEXT}, '[1,0]')", ["'; DROP TABLE victims; --"])
    assert isinstance(outcome, Refusal)
    assert outcome.message == "collection '''; DROP TABLE victims; --' is not registered"
    (outcome,) = fortress.attack(NOTHING + f"pgsim.search({TEXT}, '[1,0]')", ["x" * 2**20])
    assert isinstance(outcome, Refusal)
    assert len(outcome.message) < 400
    assert outcome.hint


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE victims SET size = size + 1 WHERE id = 0",
        "INSERT INTO notes VALUES ('second', '')",
        "CREATE FUNCTION public.backdoor() RETURNS int LANGUAGE sql RETURN 1",
        "GRANT SELECT ON victims TO PUBLIC",
        "ALTER TABLE victims DISABLE TRIGGER ALL",
        "CREATE ROLE pgsim_backdoor",
    ],
)
def test_what_the_attacks_are_judged_by_sees_a_change(fortress: Fortress, change: str) -> None:
    connection = fortress.connection
    before = fortress.snapshot()
    with connection.transaction(force_rollback=True):
        connection.execute(change)
        assert fortress.snapshot() != before
