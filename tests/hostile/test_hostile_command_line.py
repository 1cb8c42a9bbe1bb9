"""What is typed at the command line is a name or a value, and never anything else."""

from __future__ import annotations

import json
import random
import sys
from typing import TYPE_CHECKING

import pytest
from strings import hostile_strings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.command_line import CommandLine
    from fortress import Fortress

EMBEDDER = """
import numpy as np

class Unmoved:
    def embed_documents(self, texts):
        return np.stack([self.embed_query(text) for text in texts])
    def embed_query(self, text):
        return np.array([1, 0], np.float32)
"""
ATTEMPTS = 1_200
COMMANDS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "search text": lambda text: ("search", "--collection", "victims", f"--filter={text}", "--", text),
    "search collection": lambda text: ("search", f"--collection={text}", "x"),
    "search filter name": lambda text: ("search", "-c", "victims", f"--filter={text}=1", "x"),
    "search filter value": lambda text: ("search", "-c", "victims", f"--filter=size>{text}", "x"),
    "search filter JSON": lambda text: (
        *("search", "-c", "victims", f"--filter={json.dumps({text: {'$eq': text}})}", "x"),
    ),
    "search model": lambda text: ("search", "-c", "victims", f"--model={text}", "x"),
    "search embedding": lambda text: ("search", "-c", "victims", f"--embedding={text}", f"--mode={text}", "x"),
    "search column": lambda text: ("search", "-c", "victims", f"--column={text}", "x"),
    "index create option": lambda text: ("index", "create", f"--option={text}=1", "--", text),
    "index create": lambda text: (
        *("index", "create", "victims", f"--where={text}", f"--element={text}", f"--method={text}"),
    ),
    "index drop": lambda text: ("index", "drop", "--", text),
    "check": lambda text: ("check", "--", text),
}


@pytest.fixture
def shell(fortress: Fortress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fortress:
    (tmp_path / "unmoved.py").write_text(EMBEDDER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "unmoved", raising=False)
    monkeypatch.setenv("PGSIM_EMBEDDER", "unmoved:Unmoved")
    monkeypatch.setenv("PGSIM_DSN", fortress.connection.info.dsn)
    return fortress


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hostile_argument_is_refused_or_taken_as_it_stands(
    shell: Fortress, command_line: CommandLine, command: str, share: slice
) -> None:
    first = list(COMMANDS).index(command)
    for text in hostile_strings(ATTEMPTS, seed=5)[first :: len(COMMANDS)][share]:
        arguments = COMMANDS[command](text)
        ran = command_line(*arguments)
        assert ran.status in {0, 1, 2}, arguments
        if ran.status == 1:
            assert "error:" in ran.err, arguments
            assert "PostgreSQL says" not in ran.err, (arguments, ran.err)


def test_a_hostile_value_finds_the_rows_that_hold_it(shell: Fortress, command_line: CommandLine) -> None:
    for name in random.Random(3).sample(list(shell.names), 60):
        filter = json.dumps({"name": name})
        ran = command_line("search", "-c", "victims", "--json", f"--filter={filter}", "x")
        assert ran.status == 0
        found = [json.loads(line) for line in ran.out.splitlines()]
        assert [int(hit["key"]) for hit in found] == [i for i, held in enumerate(shell.names) if held == name]
