"""The life of versions: ``version``, ``activate``, ``rollback``, ``retire``, ``revive``, ``history``, ``eject`` ..."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Annotated

import typer
from psycopg import sql
from rich.markup import escape

from pgsim.cli.connection import Dsn, only_collection, opened
from pgsim.cli.screen import output, table
from pgsim.database import translated

if TYPE_CHECKING:
    import psycopg

    from pgsim.database import Database
    from pgsim.steps import Row

app = typer.Typer(help="Versions: embeddings of a collection under one model each.", no_args_is_help=True)
Reason = Annotated[str | None, typer.Option(help="Why; it stands in pgsim history.", show_default=False)]


@app.command("create")
def create(
    collection: str,
    model: str,
    embedding: str = "default",
    column: Annotated[str | None, typer.Option(help="Adopt this vector column where it stands.")] = None,
    dim: Annotated[int | None, typer.Option(help="Register the model first: how wide its vectors are.")] = None,
    metric: Annotated[str, typer.Option(help="Of a model to be registered.")] = "cosine",
    element: Annotated[str, typer.Option(help="Of a model to be registered.")] = "vector",
    dsn: Dsn = None,
) -> None:
    """Give an embedding a version under a model; the first one is active, every other is to be filled."""
    with opened(dsn) as database:
        if dim is not None:
            database.create_model(model, dim, metric=metric, element=element)
        database.create_version(collection, model, embedding=embedding, column_name=column)
        state = next(row[5] for row in _versions(database, collection) if row[1:3] == (embedding, model))
    output.print(
        f"{escape(model)} is {state}: pgsim backfill {escape(collection)} --model {escape(model)}", highlight=False
    )


@app.command("list")
def list_versions(
    collection: Annotated[str | None, typer.Argument(help="One; by default all.")] = None, dsn: Dsn = None
) -> None:
    """Show versions: their states, since when and by whom, where the vectors are, and how many rows wait."""
    with opened(dsn) as database:
        rows = _versions(database, collection and only_collection(database, collection))
    if not rows:
        output.print("There is none.")
        return
    output.print(
        table(
            ["collection", "embedding", "model", "dims", "metric", "state", "since", "by", "vectors", "waiting"],
            [[*row[:6], f"{row[6]:%Y-%m-%d %H:%M:%S}", *row[7:]] for row in rows],
        )
    )


@app.command("drop")
def drop(
    collection: str,
    model: str,
    embedding: str = "default",
    force: Annotated[bool, typer.Option(help="The active version too.")] = False,
    reason: Reason = None,
    dsn: Dsn = None,
) -> None:
    """Drop a version with its vectors and indexes; an adopted column stays."""
    with opened(dsn) as database:
        database.drop_version(collection, model, embedding=embedding, force=force, reason=reason)
    output.print(f"{escape(model)} of {escape(collection)} is dropped.", highlight=False)


def _versions(database: Database, collection: str | None) -> list[Row]:
    with database.connection() as connection, translated():
        return connection.execute(
            "SELECT v.collection, v.embedding, v.model, m.dim, m.metric, v.state, v.state_since, v.state_by, "
            "CASE WHEN v.adopted THEN v.relation || '.' || v.column_name ELSE v.relation::text END, "
            "p.pending + p.taken "
            "FROM pgsim.versions AS v JOIN pgsim.models AS m ON m.name = v.model "
            "JOIN pgsim.backfill_progress AS p USING (collection, embedding, model) "
            "WHERE v.collection = coalesce(%s, v.collection) ORDER BY v.collection, v.embedding, v.id",
            [collection],
        ).fetchall()


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


def eject(
    collection: str,
    embedding: str = "default",
    column: Annotated[
        str | None, typer.Option(help="Copy the vectors into this column of the table; it is added if need be.")
    ] = None,
    table_name: Annotated[
        str | None, typer.Option("--table", help="Call the table of the vectors so; by default NAME_vectors.")
    ] = None,
    reason: Reason = None,
    dsn: Dsn = None,
) -> None:
    """Give the active version's vectors back as plain pgvector, and take them out of pgsim's care.

    Into a column they are copied while the table is read and written, and the column is indexed CONCURRENTLY. When
    that is broken off pgsim goes on as before; begin again, and what was copied is left alone.
    """
    with opened(dsn) as database, database.connection() as connection:
        if column is not None:
            with translated():
                relation, owned, kind = connection.execute(
                    "SELECT t.base_sql, NOT t.adopted, format('%%s.%%I(%%s)', t.vector_schema, t.element, t.dim) "
                    "FROM pgsim._target(%s, NULL, %s) AS t",
                    [collection, embedding],
                ).fetchall()[0]
                if owned:
                    # Names and types as PostgreSQL quotes them.
                    connection.execute(
                        sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
                            sql.SQL(str(relation)), sql.Identifier(column), sql.SQL(str(kind))
                        )
                    )
            last = database.copy_vectors(collection, column, embedding=embedding) if owned else None
            while last is not None:
                last = database.copy_vectors(collection, column, embedding=embedding, after=last)
            for statement in _index_statements(connection, collection, embedding, column) if owned else []:
                output.print(escape(statement.as_string(connection)), highlight=False)
                with translated():
                    connection.execute(statement)
        where = database.eject(
            collection, embedding=embedding, column_name=column, table_name=table_name, reason=reason
        )
    output.print(f"The vectors are in {escape(where)}, and yours alone.", highlight=False)


def chores(
    grace: Annotated[int, typer.Option(help="Days after which retired versions are dropped.", min=0)] = 30,
    audit: Annotated[int, typer.Option(help="Searches by which each active index is measured.", min=0, max=1000)] = 20,
    dsn: Dsn = None,
) -> None:
    """Do what should be done now and then, from cron: expiry of retired versions, statistics, and an audit."""
    with opened(dsn) as database:
        done = database.chores(grace=datetime.timedelta(days=grace), audit=audit)
    output.print_json(json.dumps(done))


def _index_statements(
    connection: psycopg.Connection[Row], collection: str, embedding: str, column: str
) -> list[sql.Composed]:
    statements = []
    rows = connection.execute(
        "SELECT i.name, i.definition, t.base_sql, t.base_schema::text, x.indisvalid, t.partitioned "
        "FROM pgsim._target(%(collection)s, NULL, %(embedding)s) AS t "
        "CROSS JOIN pgsim._plain_indexes(%(collection)s, %(embedding)s, %(column)s) AS i "
        "LEFT JOIN pg_class AS k ON k.relnamespace = t.base_schema AND k.relname = i.name "
        "LEFT JOIN pg_index AS x ON x.indexrelid = k.oid AND x.indrelid = t.base",
        {"collection": collection, "embedding": embedding, "column": column},
    ).fetchall()
    for name, definition, base, schema, valid, partitioned in rows:
        # What PostgreSQL gave is quoted.
        parts = {
            "name": sql.Identifier(str(name)),
            "base": sql.SQL(str(base)),
            "schema": sql.SQL(str(schema)),
            "definition": sql.SQL(str(definition)),
            # A partitioned table takes no CONCURRENTLY.
            "how": sql.SQL("" if partitioned else "CONCURRENTLY "),
        }
        if valid is False:
            statements.append(sql.SQL("DROP INDEX {schema}.{name}").format(**parts))
        if valid is not True:
            statements.append(sql.SQL("CREATE INDEX {how}{name} ON {base} {definition}").format(**parts))
    return statements
