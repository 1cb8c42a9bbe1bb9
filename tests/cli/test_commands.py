"""The command line does the work, and says what is wrong in a sentence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from pgsim import Database
from pgsim.cli.filters import parse_filter
from pgsim.errors import InvalidFilter
from pgsim.maps import fit_pca

if TYPE_CHECKING:
    from cli.conftest import Pgsim

LETTERS = '''
import numpy as np

class Letters:
    """Counts letters."""
    def embed_documents(self, texts):
        return np.stack([self.embed_query(text) for text in texts])
    def embed_query(self, text):
        return np.array([text.lower().count(chr(97 + i)) for i in range(26)], np.float32)
'''


@pytest.fixture
def notes(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The DSN of a database with a collection ``notes`` that waits to be embedded; ``letters:Letters`` embeds."""
    (tmp_path / "letters.py").write_text(LETTERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "letters", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE notes (id int PRIMARY KEY, lang text, body text);"
            "INSERT INTO notes VALUES (1, 'en', 'a red boat'), (2, 'en', 'a red house'), (3, 'de', 'ein Boot');"
            "SELECT pgsim.create_collection('notes', text_columns => '{body}', filter_columns => '{lang}');"
            "SELECT pgsim.create_model('letters', 26); SELECT pgsim.create_version('notes', 'letters')"
        )
    return database_dsn


def test_embed_index_and_search_from_the_shell(pgsim: Pgsim, notes: str) -> None:
    assert "3 rows embedded" in pgsim("embed", "notes", "--embedder", "letters:Letters")
    assert "0 rows embedded" in pgsim("embed", "notes", "--embedder", "letters:Letters")
    assert "Built pgsim_data.notes_letters" in pgsim("index", "create", "notes", "--option", "m=8")
    listed = pgsim("index", "list")
    assert "hnsw" in listed
    assert "True" in listed
    found = pgsim("search", "boat", "--filter", "lang=en", "--embedder", "letters:Letters", "-k", "1")
    assert "a red boat" in found
    line = pgsim("search", "boat", "-f", "lang!=de", "--embedder", "letters:Letters", "--json", "--column", "body")
    assert [json.loads(each)["key"] for each in line.splitlines()] == ["1", "2"]
    told = json.loads(pgsim("search", "boat", "--explain", "--embedder", "letters:Letters"))
    assert told["matches"] == 3
    indexes = [line.split()[0] for line in listed.splitlines()[1:]]
    assert len(indexes) == 2
    for index in indexes:
        assert "Dropped" in pgsim("index", "drop", f"pgsim_data.{index}")
    assert "There is none" in pgsim("index", "list")
    assert "notes" in pgsim("collections")
    assert "Nothing matches" in pgsim("search", "boat", "-f", "lang=fr", "--embedder", "letters:Letters")


def test_a_search_takes_a_recall_a_distance_and_a_column_to_tell_apart(pgsim: Pgsim, notes: str) -> None:
    pgsim("embed", "notes", "--embedder", "letters:Letters")
    boat = ("search", "boat", "--embedder", "letters:Letters", "--json", "--column", "lang")
    found = [json.loads(line) for line in pgsim(*boat, "--recall", "0.99", "--mode", "exact").splitlines()]
    assert [row["row"]["lang"] for row in found].count("en") == 2
    best = [json.loads(line) for line in pgsim(*boat, "--distinct-on", "lang").splitlines()]
    assert [row["row"]["lang"] for row in best].count("en") == 1
    near = pgsim(*boat, "--max-distance", str(found[0]["distance"]))
    assert [json.loads(line)["key"] for line in near.splitlines()] == [found[0]["key"]]
    told = json.loads(pgsim("search", "boat", "--explain", "--recall", "0.8", "--embedder", "letters:Letters"))
    assert told["recall"] == 0.8


@pytest.fixture
def items(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The DSN of a database with a collection ``items`` of 300 vectors; ``queries.npy`` holds some."""
    monkeypatch.chdir(tmp_path)
    vectors = np.random.default_rng(5).normal(size=(320, 8)).astype(np.float32)
    np.save("queries.npy", vectors[300:])
    np.save("one.npy", vectors[0])
    Path("broken.npy").write_text("[1, 2]")
    with Database(database_dsn) as db:
        with db.connection() as connection:
            connection.execute("CREATE TABLE items (id int PRIMARY KEY, section text)")
            connection.execute("INSERT INTO items SELECT i, 's' || mod(i, 3) FROM generate_series(1, 300) AS i")
            connection.execute("ANALYZE items")
        db.create_collection("items", filter_columns=["section"])
        db.create_model("m", 8)
        db.create_version("items", "m")
        db.upsert("items", "m", range(1, 301), vectors[:300])
    return database_dsn


def test_codes_are_built_from_the_shell(pgsim: Pgsim, items: str) -> None:
    assert "Built pgsim_data.items_m" in pgsim("index", "create", "items", "--method", "codes")
    assert "codes" in pgsim("index", "list", "items")
    assert "has codes" in " ".join(pgsim("index", "create", "items", "--method", "codes", status=1).split())


def test_a_calibration_shows_what_it_measured(pgsim: Pgsim, items: str) -> None:
    pgsim("index", "create", "items")
    told = pgsim("calibrate", "items", "--sample", "12")
    assert "Calibrating items" in told
    assert "a row ranked by its vector" in told
    assert "queries" in pgsim("calibrate", "items", "--model", "m", "--queries", "queries.npy")


def test_codes_of_a_map_are_built_and_calibrated_from_the_shell(pgsim: Pgsim, items: str) -> None:
    vectors = np.random.default_rng(6).normal(size=(1200, 8)).astype(np.float32)
    with Database(items) as db:
        with db.connection() as connection:
            connection.execute("INSERT INTO items SELECT i, 's' FROM generate_series(301, 1200) AS i")
        db.create_map("turned", "m", fit_pca(vectors))
        db.upsert("items", "m", range(1, 1201), vectors)
    assert "no map 'nope'" in pgsim("index", "create", "items", "--method", "codes", "--option", "map=nope", status=1)
    how = ("--method", "codes", "--element", "halfvec", "--dims", "4", "--option", "map=turned")
    assert "Built pgsim_data.items_m" in pgsim("index", "create", "items", *how)
    told = " ".join(pgsim("calibrate", "items", "--sample", "12").split())
    assert re.search(
        r"how much farther than expected codes may lie, at recall 0.95 (-?[0-9]+[.][0-9e-]*[1-9]|any)", told
    )


def test_recall_is_measured_for_the_filter_that_is_named(pgsim: Pgsim, items: str) -> None:
    told = pgsim(
        "recall", "items", "-f", "section=s1", "--recall", "0.9", "-k", "5", "--sample", "10", "--mode", "exact"
    )
    assert "recall at 5" in told
    assert "1.0000 to 1.0000" in told
    assert "exact 10" in told
    assert "20" in pgsim("recall", "items", "--queries", "queries.npy").split()


def test_health_says_what_was_found_and_what_to_do(pgsim: Pgsim, items: str) -> None:
    told = pgsim("health", "items", "--sample", "100")
    assert "sampled_rows" in told
    assert "intrinsic_dimension" in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("calibrate", "nothing"), "collection 'nothing'"),
        (("calibrate", "items", "--queries", "nothing.npy"), "cannot be read as vectors"),
        (("calibrate", "items", "--queries", "broken.npy"), "cannot be read as vectors"),
        (("calibrate", "items", "--queries", "one.npy"), "shape must be (n, d)"),
        (("calibrate", "items", "--sample", "3"), "ten are the least"),
        (("recall", "items", "--recall", "2"), "recall is 2"),
        (("recall", "items", "--recall", "nan"), "not a finite number"),
        (("recall", "items", "--filter", "section"), "is not a condition"),
        (("health", "items", "--sample", "0"), "sample is 0"),
        (("index", "create", "items", "--method", "codes", "--dims", "0"), "codes hold the first dimensions"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_measures_says_what_is_wrong(pgsim: Pgsim, items: str, arguments: tuple[str, ...], says: str) -> None:
    told = " ".join(pgsim(*arguments, status=1).split())
    assert says in told
    assert "hint:" in told


def test_check_tells_drift_and_what_to_do(pgsim: Pgsim, notes: str) -> None:
    assert "nothing is wrong" in pgsim("check")
    with psycopg.connect(notes, autocommit=True) as connection:
        connection.execute("GRANT SELECT ON notes TO PUBLIC")
    told = pgsim("check", status=1)
    assert "sync_privileges" in told
    with psycopg.connect(notes, autocommit=True) as connection:
        connection.execute("SELECT pgsim.sync_privileges('notes')")
    assert "nothing is wrong" in pgsim("check", "notes")


def test_install_upgrade_uninstall(pgsim: Pgsim, database_dsn: str) -> None:
    assert "already" in pgsim("install")
    assert "is what the database holds" in pgsim("upgrade")
    assert "is out of the database" in pgsim("uninstall")
    assert "was not in the database" in pgsim("uninstall")
    assert "is in the database." in pgsim("install")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("search", "boat"), "no embedder was named"),
        (("search", "boat", "--embedder", "nowhere"), "module:object"),
        (("search", "boat", "--embedder", "letters:Letters", "--filter", "lang"), "is not a condition"),
        (("search", "boat", "--embedder", "letters:Letters", "--filter", '{"lang": '), "malformed JSON"),
        (("search", "boat", "--embedder", "letters:Letters", "--filter", "tongue=en"), "has no column 'tongue'"),
        (("search", "boat", "--embedder", "letters:Letters", "-c", "letters"), "is not registered"),
        (("search", "boat", "--embedder", "letters:Letters", "-k", "0"), "k is 0"),
        (("index", "create", "notes", "--option", "m=2000"), "from 2 to 100"),
        (("index", "create", "notes", "--option", "m"), "is not NAME=VALUE"),
        (("index", "drop", "notes_pkey"), "not an index that pgsim made"),
        (("embed", "notes", "--embedder", "letters:LETTERS"), "LETTERS"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_error_is_a_sentence_and_a_hint(pgsim: Pgsim, notes: str, arguments: tuple[str, ...], says: str) -> None:
    told = " ".join(pgsim(*arguments, status=1).split())
    assert says in told
    assert "hint:" in told


def test_a_server_that_is_not_there_is_said_so(pgsim: Pgsim) -> None:
    told = pgsim("check", "--dsn", "postgresql://localhost:1/nothing?connect_timeout=2", status=1)
    assert "error:" in told
    assert "hint:" in told


def test_the_program_itself_starts_and_knows_its_version() -> None:
    ran = subprocess.run([sys.executable, "-m", "pgsim", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "0.1.0"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ([], None),
        (["kind=function"], {"kind": {"$eq": "function"}}),
        (["size<100", "size>=3"], {"$and": [{"size": {"$lt": 100}}, {"size": {"$gte": 3}}]}),
        (["name~%file%"], {"name": {"$ilike": "%file%"}}),
        (["lang!=null"], {"lang": {"$ne": None}}),
        (['version="3"'], {"version": {"$eq": "3"}}),
        (["formula=a=b"], {"formula": {"$eq": "a=b"}}),
        (['{"a": [1, 2]}'], {"a": [1, 2]}),
    ],
)
def test_a_filter_is_written_as_a_person_would(written: list[str], meant: dict[str, object] | None) -> None:
    assert parse_filter(written) == meant


@pytest.mark.parametrize("written", ["kind", "=x", "{", "[1]", "", '{"a": NaN}x'])
def test_what_is_no_filter_is_refused(written: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_filter([written])


def test_a_text_index_is_made_told_of_and_dropped(pgsim: Pgsim, notes: str) -> None:
    assert "3 rows, 5 words" in pgsim("text", "enable", "notes", "--weight", "body=2", "--k1", "1")
    assert "a red boat" in pgsim("search", "boats", "--by", "words", "--collection", "notes", "-k", "1")
    assert "5 different words" in pgsim("text", "show", "notes")
    assert "no text index any more" in pgsim("text", "disable", "notes")
    assert "has no text index" in pgsim("text", "show", "notes", status=1)
    assert "--weight 'body' is not of the form NAME=NUMBER" in pgsim(
        "text", "enable", "notes", "--weight", "body", status=1
    )
