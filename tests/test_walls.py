"""The walls of the house: which module may import which, and that importing does nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pgsim import errors

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pgsim"

# What each room may import of pgsim; a room that is not listed may import all but the faces.
_LEAF = {"errors"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "steps": set(),
    "vectors": _LEAF,
    "json_values": _LEAF,
    "embedders": _LEAF | {"embedders"},
    "rerankers": _LEAF | {"rerankers"},
    "evaluation": _LEAF | {"evaluation"},
    "maps": _LEAF | {"maps", "vectors"},
    "options": _LEAF | {"json_values", "vectors"},
    "calls": _LEAF | {"embedders", "evaluation", "json_values", "maps", "options", "rerankers", "steps", "vectors"},
    "ladders": _LEAF | {"calls", "json_values", "maps", "options", "steps", "vectors"},
    "trials": _LEAF | {"calls", "evaluation", "json_values", "maps", "options", "steps", "vectors"},
    "fusions": _LEAF | {"calls", "embedders", "evaluation", "steps", "vectors"},
    "database": _LEAF | {"embedders", "fusions", "ladders", "steps", "calls", "trials", "vectors", "versions"},
    "release": _LEAF | {"__version__"},
    "install": _LEAF | {"__version__", "database", "release", "steps"},
    "sqlalchemy": _LEAF | {"json_values", "options", "sqlalchemy", "vectors"},
}
FACES = {"cli", "sqlalchemy", "alembic", "demo"}
# A face may use another that it shows: the command line plays the demo, and the demo prints as the command line does.
FACES_OF: dict[str, set[str]] = {"cli": {"cli", "demo"}, "demo": {"demo", "cli"}, "alembic": {"alembic"}}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            rooms |= {alias.name for alias in node.names if alias.name.split(".")[0] == "pgsim"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pgsim":
            rooms |= {
                f"{node.module}.{alias.name}" if node.module == "pgsim" else str(node.module) for alias in node.names
            }
    return {room.split(".")[1] if "." in room else "__version__" for room in rooms}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    room = _room(path)
    if room in {"__init__", "__main__"}:
        return
    forbidden = FACES - FACES_OF.get(room, set())
    allowed = ALLOWED.get(room)
    beyond = _imported(path) & forbidden if allowed is None else _imported(path) - allowed
    assert not beyond, f"pgsim.{room} may not import {sorted(beyond)}"


def test_importing_pgsim_needs_the_core_alone_and_does_nothing() -> None:
    watched = "\n".join(
        [
            "import sys",
            "import psycopg",
            "def refuse(*a, **k): raise AssertionError('connected while importing')",
            "psycopg.Connection.connect = psycopg.AsyncConnection.connect = refuse",
            "before = set(sys.modules)",
            "import pgsim, pgsim.install, pgsim.release, pgsim.indexes, pgsim.embedders, pgsim.rerankers",
            "extras = {'sqlalchemy', 'alembic', 'typer', 'rich', 'sklearn', 'httpx', 'tenacity'}",
            "extras |= {'psycopg_pool', 'matplotlib'}",
            "print(sorted(extras & set(sys.modules)))",
        ]
    )
    printed = subprocess.run([sys.executable, "-c", watched], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "[]"


def test_every_sqlstate_has_a_class_and_every_class_is_raised_somewhere() -> None:
    sql = "\n".join(path.read_text() for path in (ROOT / "sql").rglob("*.sql") if "releases" not in path.parts)
    raised_in_sql = set(re.findall(r"ERRCODE = '(PS\w{3})'", sql))
    python = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "errors.py")
    known = errors.all_classes()
    assert raised_in_sql <= set(known)
    in_python = {state for state, known_class in known.items() if re.search(rf"\b{known_class.__name__}\(", python)}
    assert set(known) - raised_in_sql - in_python == set()


def test_every_error_of_sql_says_what_to_do() -> None:
    bodies = [path.read_text() for path in (ROOT / "sql").rglob("*.sql") if "releases" not in path.parts]
    raises = [each for body in bodies for each in re.findall(r"RAISE EXCEPTION.*?;\n", body, re.DOTALL)]
    assert len(raises) > 50
    without = [
        each for each in raises if "ERRCODE = 'PS" not in each or "MESSAGE =" not in each or "HINT =" not in each
    ]
    assert without == []
