"""What an Alembic environment needs to know of pgsim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.config import Config
from sqlalchemy import text

from pgsim import release

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.schema import SchemaItem

    IncludeName = Callable[[str | None, str, MutableMapping[str, str | None]], bool]
    IncludeObject = Callable[[SchemaItem, str | None, str, bool, SchemaItem | None], bool]

VERSION_TABLE = "alembic_version_pgsim"
"""The version table of pgsim's own migrations; the application's keeps its name."""

_SCHEMAS = frozenset({"pgsim", "pgsim_data"})


def config(dsn: str | None = None) -> Config:
    """Alembic's configuration for pgsim's own migrations, from a wheel and from a checkout alike.

    Args:
        dsn: The database, as libpq takes it; without it ``PGSIM_DSN`` says which.
    """
    found = Config()
    found.set_main_option("script_location", str(release.migrations_root()).replace("%", "%%"))
    if dsn is not None:
        found.attributes["dsn"] = dsn
    return found


def _own_indexes(connection: Connection) -> set[str]:
    installed = text(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_views WHERE schemaname = 'pgsim' AND viewname = 'indexes')"
    )
    if not connection.execute(installed).scalar_one():
        return set()
    # Codes are tables of pgsim_data.
    names = connection.execute(text("SELECT i.name FROM pgsim.indexes AS i WHERE i.method <> 'codes'"))
    return {str(row[0]) for row in names}


def autogenerate_hooks(
    connection: Connection,
    *,
    include_name: IncludeName | None = None,
    include_object: IncludeObject | None = None,
) -> dict[str, Any]:
    """Arguments of ``context.configure`` that keep autogenerate from proposing to drop what is pgsim's.

    These are its schemas, its migrations' version table, and the indexes it made on adopted columns.

    Args:
        connection: The one that is given to ``context.configure`` too.
        include_name: The application's own hook, asked about everything else.
        include_object: Likewise.
    """
    indexes: set[str] | None = None

    def name_is_ours(name: str | None, kind: str, parents: MutableMapping[str, str | None]) -> bool:
        if kind == "schema":
            return name in _SCHEMAS
        if kind == "table":
            return name == VERSION_TABLE or parents.get("schema_name") in _SCHEMAS
        if kind != "index":
            return False
        nonlocal indexes
        if indexes is None:
            # Not before it is needed: a statement before begin_transaction() would make Alembic commit nothing.
            indexes = _own_indexes(connection)
        return name in indexes

    def named(name: str | None, kind: str, parents: MutableMapping[str, str | None]) -> bool:
        if name_is_ours(name, kind, parents):
            return False
        return include_name is None or include_name(name, kind, parents)

    hooks: dict[str, Any] = {"include_name": named}
    if include_object is not None:
        hooks["include_object"] = include_object
    return hooks
