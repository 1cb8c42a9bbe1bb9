from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from pgsim.cli.screen import output

if TYPE_CHECKING:
    from fixtures.command_line import CommandLine


class Pgsim(Protocol):
    def __call__(self, *arguments: str, status: int = 0) -> str: ...


@pytest.fixture
def pgsim(database_dsn: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Pgsim:
    """Runs a command on the test's database, which must end so; what it printed."""
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    monkeypatch.setattr(output, "width", 200)
    monkeypatch.delenv("PGSIM_EMBEDDER", raising=False)

    def call(*arguments: str, status: int = 0) -> str:
        ran = command_line(*arguments)
        assert ran.status == status, ran.out + ran.err
        return ran.out + ran.err

    return call
