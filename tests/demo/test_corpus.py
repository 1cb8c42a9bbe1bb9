"""The corpus is read from the very Python that runs these tests."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pgsim.demo.corpus import Entry

if TYPE_CHECKING:
    from fixtures.standard_library import Reading

READER = """
import hashlib, sys
from pgsim.demo.corpus import read_standard_library
sys.path.insert(0, sys.argv[1])
entries = read_standard_library()
print(hashlib.sha256(repr(entries).encode()).hexdigest(), *sys.modules)
"""


@pytest.fixture(scope="module")
def by_name(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}


def test_names_are_unique_and_sorted_so_they_can_be_a_natural_key(entries: list[Entry]) -> None:
    names = [entry.name for entry in entries]

    assert len(set(names)) == len(names)
    assert names == sorted(names)


def test_there_are_thousands_of_rows_of_each_kind_that_was_promised(entries: list[Entry]) -> None:
    kinds = Counter(entry.kind for entry in entries)

    assert 6_000 < len(entries) < 14_000
    assert set(kinds) == {"module", "class", "function", "method"}
    assert min(kinds.values()) > 200


def test_every_row_has_text_that_any_database_stores(entries: list[Entry]) -> None:
    for entry in entries:
        assert entry.doc
        assert entry.doc == entry.doc.strip()
        for text in (entry.name, entry.signature, entry.doc):
            assert "\0" not in text
            text.encode("utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "fileinput.input",
        "io.IOBase.readlines",
        "json.loads",
        "linecache.getline",
        "math.gcd",
        "os.path.join",
        "pathlib.Path.read_text",
        "str.split",
        "subprocess.run",
        "time.perf_counter",
    ],
)
def test_what_people_ask_for_has_its_answer_in_the_corpus(by_name: dict[str, Entry], name: str) -> None:
    assert by_name[name].kind in ("function", "method")
    assert by_name[name].doc


def test_a_row_tells_the_name_kind_module_signature_and_docstring(by_name: dict[str, Entry]) -> None:
    entry = by_name["textwrap.dedent"]

    assert entry.kind == "function"
    assert entry.module == "textwrap"
    assert entry.signature == "(text)"
    assert entry.doc.startswith("Remove any common leading whitespace from every line")


def test_a_class_has_the_signature_of_its_constructor_without_self(by_name: dict[str, Entry]) -> None:
    assert by_name["textwrap.TextWrapper"].signature.startswith("(width=70, ")


@pytest.mark.parametrize(
    ("public", "defined_as"),
    [
        ("asyncio.run", "asyncio.runners.run"),
        ("collections.deque", "_collections.deque"),
        ("io.open", "_io.open"),
        ("json.JSONDecoder", "json.decoder.JSONDecoder"),
        ("os.getpid", "posix.getpid"),
        ("os.path.exists", "genericpath.exists"),
        ("sqlite3.connect", "_sqlite3.connect"),
        ("threading.local", "_threading_local.local"),
        ("unittest.TestCase.assertEqual", "unittest.case.TestCase.assertEqual"),
    ],
)
def test_an_object_stands_under_its_public_name_only(by_name: dict[str, Entry], public: str, defined_as: str) -> None:
    assert public in by_name
    assert defined_as not in by_name


def test_a_function_that_is_a_bound_method_is_a_function(by_name: dict[str, Entry]) -> None:
    assert by_name["random.choice"] == Entry(
        "random.choice", "function", "random", "(seq)", by_name["random.Random.choice"].doc
    )


def test_a_public_class_has_the_methods_of_its_private_bases(by_name: dict[str, Entry]) -> None:
    assert by_name["ipaddress.IPv4Network.subnets"].kind == "method"


def test_a_property_is_a_method_without_signature(by_name: dict[str, Entry]) -> None:
    assert (by_name["pathlib.PurePath.suffix"].kind, by_name["pathlib.PurePath.suffix"].signature) == (
        "method",
        "",
    )


def test_private_names_and_programs_are_left_out(entries: list[Entry]) -> None:
    for entry in entries:
        assert not any(part.startswith("_") for part in entry.name.split("."))
        assert entry.module.split(".")[0] not in {
            "test",
            "idlelib",
            "lib2to3",
            "turtledemo",
            "ensurepip",
            "pip",
        }
        assert not {"test", "tests"} & set(entry.module.split("."))


@dataclass(frozen=True)
class Process:
    """How a fresh interpreter ended that read the corpus, and what it printed."""

    status: int
    printed: str
    errors: str


@pytest.fixture(scope="module")
def other_process(tmp_path_factory: pytest.TempPathFactory) -> Process:
    """Warnings are errors there, and modules that stop it stand first on its path."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("cmath", "grp", "antigravity"):
        (folder / f"{name}.py").write_text("raise SystemExit('this module was run')")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"},
    )
    return Process(done.returncode, done.stdout.strip(), done.stderr)


def test_a_module_of_this_name_elsewhere_on_the_path_is_not_run(other_process: Process) -> None:
    assert (other_process.status, other_process.errors) == (0, "")


def test_the_same_python_gives_the_same_rows_in_every_process_with_no_side_effect(
    entries: list[Entry], other_process: Process
) -> None:
    digest, *imported = other_process.printed.split()

    assert digest == hashlib.sha256(repr(entries).encode()).hexdigest()
    assert "json" in imported
    assert not {"antigravity", "this", "idlelib", "turtle", "tkinter", "readline"} & set(imported)


def test_progress_counts_the_modules_and_names_the_current_one(reading: Reading) -> None:
    done, totals, names = zip(*reading.progress, strict=True)
    assert list(done) == list(range(totals[0] + 1))
    assert set(totals) == {totals[0]}
    assert {"json", "pathlib", "math"} < set(names)
    assert names[-1] == ""
