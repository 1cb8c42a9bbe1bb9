"""The commands, put together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
from rich.markup import escape

from pgsim import __version__
from pgsim.cli import advise, backfill, indexes, install, ladder, quality, source, text, tune, versions, work
from pgsim.cli.screen import errors
from pgsim.errors import PgsimError

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    help="Similarity search that keeps its promises, inside PostgreSQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(indexes.app, name="index")
app.add_typer(text.app, name="text")
app.add_typer(tune.app, name="tune")
app.add_typer(ladder.app, name="ladder")
app.add_typer(versions.app, name="version")
app.add_typer(source.app, name="sql")
_COMMANDS: list[Callable[..., None]] = [
    install.install,
    install.upgrade,
    install.uninstall,
    install.check,
    work.search,
    work.embed,
    backfill.backfill,
    quality.calibrate,
    quality.recall,
    quality.health,
    advise.advise,
    versions.activate,
    versions.rollback,
    versions.retire,
    versions.revive,
    versions.history,
    versions.eject,
    versions.chores,
    work.collections,
    work.demo,
]
for command in _COMMANDS:
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Similarity search that keeps its promises, inside PostgreSQL."""


def run() -> None:
    """Run a command; an error is a sentence and a hint on standard error, and exit status 1."""
    try:
        app()
    except PgsimError as error:
        errors.print(f"[bold red]error:[/] {escape(error.message)}", highlight=False)
        if error.detail:
            errors.print(escape(error.detail), highlight=False)
        if error.hint:
            errors.print(f"[bold]hint:[/] {escape(error.hint)}", highlight=False)
        sys.exit(1)
    except psycopg.Error as error:
        errors.print(f"[bold red]error:[/] PostgreSQL says: {escape(str(error).strip())}", highlight=False)
        sys.exit(1)
