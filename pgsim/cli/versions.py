"""``pgsim activate``, ``rollback``, ``retire``, ``revive`` and ``history``: the life of versions."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.markup import escape

from pgsim.cli.connection import Dsn, only_collection, opened
from pgsim.cli.screen import output, table

Reason = Annotated[str | None, typer.Option(help="Why; it stands in pgsim history.", show_default=False)]


def activate(
    collection: str,
    model: str,
    embedding: str = "default",
    force: Annotated[bool, typer.Option(help="Whatever stands against it; it is put on record.")] = False,
    reason: Reason = None,
    dsn: Dsn = None,
) -> None:
    """Make a version the one that answers searches; refused, with all reasons, while it is not ready."""
    with opened(dsn) as database:
        previous = database.activate(collection, model, embedding=embedding, force=force, reason=reason)
    if previous is None:
        output.print(f"{escape(model)} answers searches of {escape(collection)}.", highlight=False)
    else:
        output.print(f"{escape(model)} answers in the place of {escape(previous)}.", highlight=False)


def rollback(collection: str, embedding: str = "default", reason: Reason = None, dsn: Dsn = None) -> None:
    """Go back to the version that was active before."""
    with opened(dsn) as database, database.connection() as connection:
        told: list[str] = []
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        model = database.rollback(collection, embedding=embedding, reason=reason)
    for warning in told:
        output.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
    output.print(f"{escape(model)} answers again.", highlight=False)


def retire(collection: str, model: str, embedding: str = "default", reason: Reason = None, dsn: Dsn = None) -> None:
    """Put a version out of use; its vectors stay until they are dropped or their grace is over."""
    with opened(dsn) as database:
        database.retire(collection, model, embedding=embedding, reason=reason)
    output.print(f"{escape(model)} is retired.", highlight=False)


def revive(collection: str, model: str, embedding: str = "default", reason: Reason = None, dsn: Dsn = None) -> None:
    """Take a retired version up again; embed what is missing before it is activated."""
    with opened(dsn) as database:
        database.revive(collection, model, embedding=embedding, reason=reason)
    output.print(f"{escape(model)} is being built again: pgsim embed {escape(collection)} --model {escape(model)}")


def history(
    collection: Annotated[str | None, typer.Argument(help="One collection; by default all.")] = None,
    embedding: Annotated[str | None, typer.Option(help="One embedding; by default all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a step.")] = False,
    dsn: Dsn = None,
) -> None:
    """Every step in the life of every version: who, when, why."""
    with opened(dsn) as database:
        steps = database.history(collection and only_collection(database, collection), embedding=embedding)
    if as_json:
        for step in steps:
            typer.echo(
                json.dumps(
                    {name: getattr(step, name) for name in step.__slots__ if name != "at"} | {"at": str(step.at)}
                )
            )
        return
    if not steps:
        output.print("There is none.")
        return
    output.print(
        table(
            ["when", "collection", "embedding", "model", "step", "from", "to", "instead of", "forced", "by", "why"],
            [
                [
                    f"{step.at:%Y-%m-%d %H:%M:%S}",
                    *(step.collection, step.embedding, step.model, step.action, step.from_state, step.to_state),
                    *(step.previous_model, "yes" if step.forced else "", step.by_role, step.reason),
                ]
                for step in steps
            ],
        )
    )
