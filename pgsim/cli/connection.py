"""The database that a command works on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pgsim import embedded
from pgsim.database import Database, translated
from pgsim.errors import InvalidArgument, UnknownCollection

if TYPE_CHECKING:
    from collections.abc import Iterator

Dsn = Annotated[
    str | None,
    typer.Option(
        envvar="PGSIM_DSN",
        help="The database, as a libpq URI or key words; by default the demo's, on an embedded server.",
        show_default=False,
    ),
]


DEMO_DATABASE = "pgsim_demo"


@contextmanager
def opened(dsn: str | None, *, anew: bool = False) -> Iterator[Database]:
    """The database of a DSN, or the demo's on the embedded server, which runs as long as the block.

    ``anew``: the demo's database begins empty. A database of yours is left as it is.
    """
    if dsn:
        with Database(dsn) as database:
            yield database
        return
    with embedded.start() as server:
        if anew:
            server.drop(DEMO_DATABASE)
        with Database(server.dsn(DEMO_DATABASE)) as database:
            yield database


def only_collection(database: Database, name: str | None) -> str:
    """The collection named, or the only one there is."""
    with translated(), database.connection() as connection:
        names = [str(row[0]) for row in connection.execute("SELECT name FROM pgsim.collections ORDER BY name")]
    if name is not None:
        if name not in names:
            raise UnknownCollection(
                f"collection {name!r} is not registered",
                detail=f"Registered: {', '.join(map(repr, names[:20])) or 'none'}",
                hint="`pgsim collections` lists them.",
            )
        return name
    if not names:
        raise UnknownCollection(
            "no collection is registered", hint="Register a table with pgsim.create_collection, or run `pgsim demo`."
        )
    if len(names) > 1:
        raise InvalidArgument(
            f"there are {len(names)} collections", detail=", ".join(names), hint="Name one: --collection NAME."
        )
    return names[0]
