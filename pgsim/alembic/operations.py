"""Operations on Alembic's ``op``: each is the SQL function of its name, with the same arguments.

An argument that is None is left out of the call, so that the SQL function's own default holds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import psycopg
from alembic.operations import MigrateOperation, Operations

from pgsim import install, release
from pgsim.alembic import script
from pgsim.errors import InvalidArgument
from pgsim.indexes import create_index_concurrently, enable_text_concurrently
from pgsim.json_values import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CASTS = {
    "relation": "regclass",
    "text_config": "regconfig",
    "index": "regclass",
    "key_columns": "text[]",
    "text_columns": "text[]",
    "filter_columns": "text[]",
    "source_columns": "text[]",
    "matryoshka": "int[]",
    "properties": "jsonb",
    "slices": "jsonb",
    "where_filter": "jsonb",
    "weights": "jsonb",
    "options": "jsonb",
    "details": "jsonb",
    "max_age": "interval",
}


# What is None is left out of a call; this is not.
_NULL = object()


def _quoted(value: str) -> str:
    if "\0" in value:
        raise ValueError("a text in SQL cannot hold the character NUL")
    escaped = value.replace("'", "''")
    return f"E'{escaped}'".replace("\\", "\\\\") if "\\" in value else f"'{escaped}'"


def _array_element(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _literal(name: str, value: object) -> str:
    if value is _NULL:
        return "NULL"
    cast = _CASTS.get(name)
    if cast == "jsonb":
        return f"{_quoted(str(json_text(value)))}::jsonb"
    if isinstance(value, (list, tuple)):
        elements = ",".join(_array_element(element) for element in value)
        return f"{_quoted('{' + elements + '}')}::{cast}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return f"'{value}'"
    if isinstance(value, (int, float)):
        return str(value)
    return _quoted(str(value)) + (f"::{cast}" if cast else "")


def call_text(function: str, arguments: Mapping[str, object]) -> str:
    """``SELECT pgsim.function(name => value, ...);`` with the arguments that are not None."""
    given = ", ".join(f"{name} => {_literal(name, value)}" for name, value in arguments.items() if value is not None)
    return f"SELECT pgsim.{function}({given});"


class CallFunction(MigrateOperation):
    """A call of one of pgsim's SQL functions."""

    def __init__(self, function: str, arguments: Mapping[str, object]) -> None:
        self.function = function
        self.arguments = arguments

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return (self.function, dict(self.arguments))

    @classmethod
    def create_collection(
        cls,
        operations: Operations,
        relation: str,
        *,
        name: str | None = None,
        key_columns: Sequence[str] | None = None,
        text_columns: Sequence[str] | None = None,
        text_config: str | None = None,
        filter_columns: Sequence[str] | None = None,
    ) -> None:
        """Register a table for search: ``pgsim.create_collection``."""
        operations.invoke(
            cls(
                "create_collection",
                {
                    "relation": relation,
                    "name": name,
                    "key_columns": key_columns,
                    "text_columns": text_columns,
                    "text_config": text_config,
                    "filter_columns": filter_columns,
                },
            )
        )

    @classmethod
    def drop_collection(cls, operations: Operations, name: str) -> None:
        """Forget a collection, with its versions and their vectors: ``pgsim.drop_collection``."""
        operations.invoke(cls("drop_collection", {"name": name}))

    @classmethod
    def disable_text(cls, operations: Operations, collection: str) -> None:
        """Drop the text index of a collection: ``pgsim.disable_text``."""
        operations.invoke(cls("disable_text", {"collection": collection}))

    @classmethod
    def create_model(
        cls,
        operations: Operations,
        name: str,
        dim: int,
        *,
        metric: str | None = None,
        element: str | None = None,
        matryoshka: Sequence[int] | None = None,
        layer: int | None = None,
        query_prefix: str | None = None,
        document_prefix: str | None = None,
        properties: Mapping[str, object] | None = None,
        slices: Mapping[str, str] | None = None,
    ) -> None:
        """Register an embedding model: ``pgsim.create_model``."""
        operations.invoke(
            cls(
                "create_model",
                {
                    "name": name,
                    "dim": dim,
                    "metric": metric,
                    "element": element,
                    "matryoshka": matryoshka,
                    "layer": layer,
                    "query_prefix": query_prefix,
                    "document_prefix": document_prefix,
                    "properties": properties,
                    "slices": slices,
                },
            )
        )

    @classmethod
    def drop_model(cls, operations: Operations, name: str) -> None:
        """Forget a model that no version is under: ``pgsim.drop_model``."""
        operations.invoke(cls("drop_model", {"name": name}))

    @classmethod
    def create_embedding(
        cls, operations: Operations, collection: str, name: str, source_columns: Sequence[str]
    ) -> None:
        """Give a collection another named vector: ``pgsim.create_embedding``."""
        operations.invoke(
            cls("create_embedding", {"collection": collection, "name": name, "source_columns": source_columns})
        )

    @classmethod
    def drop_embedding(cls, operations: Operations, collection: str, name: str) -> None:
        """Drop an embedding with all its versions: ``pgsim.drop_embedding``."""
        operations.invoke(cls("drop_embedding", {"collection": collection, "name": name}))

    @classmethod
    def create_version(
        cls,
        operations: Operations,
        collection: str,
        model: str,
        *,
        embedding: str | None = None,
        column_name: str | None = None,
    ) -> None:
        """Give an embedding a version under a model: ``pgsim.create_version``."""
        operations.invoke(
            cls(
                "create_version",
                {
                    "collection": collection,
                    "model": model,
                    "embedding": embedding,
                    "column_name": column_name,
                },
            )
        )

    @classmethod
    def drop_version(
        cls,
        operations: Operations,
        collection: str,
        model: str,
        *,
        embedding: str | None = None,
        force: bool | None = None,
    ) -> None:
        """Drop a version with its table: ``pgsim.drop_version``."""
        operations.invoke(
            cls(
                "drop_version",
                {"collection": collection, "model": model, "embedding": embedding, "force": force},
            )
        )

    @classmethod
    def activate_version(
        cls,
        operations: Operations,
        collection: str,
        model: str,
        *,
        embedding: str | None = None,
        force: bool | None = None,
        reason: str | None = None,
    ) -> None:
        """Make a version the one that answers searches: ``pgsim.activate``; `rollback_version` is its inverse."""
        operations.invoke(
            cls(
                "activate",
                {"collection": collection, "model": model, "embedding": embedding, "force": force, "reason": reason},
            )
        )

    @classmethod
    def rollback_version(
        cls, operations: Operations, collection: str, *, embedding: str | None = None, reason: str | None = None
    ) -> None:
        """Go back to the version that was active before: ``pgsim.rollback``."""
        operations.invoke(cls("rollback", {"collection": collection, "embedding": embedding, "reason": reason}))

    @classmethod
    def retire_version(
        cls,
        operations: Operations,
        collection: str,
        model: str,
        *,
        embedding: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Put a version out of use: ``pgsim.retire``; `revive_version` is its inverse."""
        operations.invoke(
            cls("retire", {"collection": collection, "model": model, "embedding": embedding, "reason": reason})
        )

    @classmethod
    def revive_version(
        cls,
        operations: Operations,
        collection: str,
        model: str,
        *,
        embedding: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Take a retired version up again: ``pgsim.revive``."""
        operations.invoke(
            cls("revive", {"collection": collection, "model": model, "embedding": embedding, "reason": reason})
        )

    @classmethod
    def eject_version(
        cls,
        operations: Operations,
        collection: str,
        *,
        embedding: str | None = None,
        column_name: str | None = None,
        table_name: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Give the active version's vectors back as plain pgvector: ``pgsim.eject``."""
        operations.invoke(
            cls(
                "eject",
                {
                    "collection": collection,
                    "embedding": embedding,
                    "column_name": column_name,
                    "table_name": table_name,
                    "reason": reason,
                },
            )
        )

    @classmethod
    def set_version_gate(
        cls,
        operations: Operations,
        collection: str,
        name: str,
        minimum: float,
        *,
        embedding: str | None = None,
        max_age: str | None = None,
    ) -> None:
        """Ask of every version that it reached a quality before it is activated: ``pgsim.set_gate``.

        ``max_age``: how old the measurement may be, ``"7 days"``. `drop_version_gate` is the inverse.
        """
        operations.invoke(
            cls(
                "set_gate",
                {
                    "collection": collection,
                    "name": name,
                    "minimum": float(minimum),
                    "embedding": embedding,
                    "max_age": max_age,
                },
            )
        )

    @classmethod
    def drop_version_gate(
        cls, operations: Operations, collection: str, name: str, *, embedding: str | None = None
    ) -> None:
        """Ask for that quality no more: ``pgsim.set_gate`` with no minimum."""
        operations.invoke(
            cls("set_gate", {"collection": collection, "name": name, "minimum": _NULL, "embedding": embedding})
        )

    @classmethod
    def record_version_quality(
        cls,
        operations: Operations,
        collection: str,
        model: str,
        name: str,
        value: float,
        *,
        embedding: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Note what was measured of a version, for its gate: ``pgsim.record_quality``."""
        operations.invoke(
            cls(
                "record_quality",
                {
                    "collection": collection,
                    "model": model,
                    "name": name,
                    "value": float(value),
                    "embedding": embedding,
                    "details": details,
                },
            )
        )

    @classmethod
    def drop_similarity_index(cls, operations: Operations, index: str) -> None:
        """Drop an index that pgsim made, named as ``schema.index``: ``pgsim.drop_index``.

        Codes that came with it stay: `drop_similarity_codes`.
        """
        operations.invoke(cls("drop_index", {"index": index}))


class EnableText(MigrateOperation):
    """Make a text index."""

    def __init__(self, arguments: Mapping[str, object], concurrently: bool) -> None:
        self.arguments = arguments
        self.concurrently = concurrently

    @classmethod
    def enable_text(
        cls,
        operations: Operations,
        collection: str,
        *,
        text_config: str | None = None,
        weights: Mapping[str, float] | None = None,
        k1: float | None = None,
        b: float | None = None,
        backend: str | None = None,
        concurrently: bool = True,
    ) -> None:
        """Make a text index of a collection: ``pgsim.enable_text``.

        It is made in steps between which writers go on, which commits the revision so far and needs a connection of
        psycopg. With ``concurrently=False``, and with ``--sql``, it is made within the transaction, and writers wait
        from its last part on until the revision commits.
        """
        operations.invoke(
            cls(
                {
                    "collection": collection,
                    "text_config": text_config,
                    "weights": weights,
                    "k1": k1,
                    "b": b,
                    "backend": backend,
                },
                concurrently,
            )
        )


class DropSimilarityCodes(MigrateOperation):
    """Drop the codes of a version."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.arguments = arguments

    @classmethod
    def drop_similarity_codes(
        cls, operations: Operations, collection: str, model: str, *, embedding: str = "default"
    ) -> None:
        """Drop the codes of a version, which came with its first index; where there are none, do nothing."""
        operations.invoke(cls({"collection": collection, "model": model, "embedding": embedding}))


class InstallOperation(MigrateOperation):
    """Put a release into the database."""

    def __init__(self, release: str) -> None:
        self.release = release

    @classmethod
    def pgsim_install(cls, operations: Operations, release: str) -> None:
        """Put this very release of pgsim into the database; one at it or a later one is left alone."""
        operations.invoke(cls(release))


class UpgradeOperation(MigrateOperation):
    """Take the database to a release."""

    def __init__(self, release: str, previous: str | None) -> None:
        self.release = release
        self.previous = previous

    @classmethod
    def pgsim_upgrade(cls, operations: Operations, release: str, *, previous: str | None = None) -> None:
        """Take the database to this release of pgsim.

        With ``--sql`` nobody can ask the database where it stands: the script leads from `previous`, by
        default the release just before, and refuses to run on another.
        """
        operations.invoke(cls(release, previous))


class UninstallOperation(MigrateOperation):
    """Take pgsim out of the database."""

    def __init__(self, drop_vectors: bool) -> None:
        self.drop_vectors = drop_vectors

    @classmethod
    def pgsim_uninstall(cls, operations: Operations, *, drop_vectors: bool = False) -> None:
        """Remove everything pgsim made; it refuses while version tables hold vectors, unless drop_vectors."""
        operations.invoke(cls(drop_vectors))


class CreateSimilarityIndex(MigrateOperation):
    """Build a vector index."""

    def __init__(self, arguments: Mapping[str, object], concurrently: bool) -> None:
        self.arguments = arguments
        self.concurrently = concurrently

    @classmethod
    def create_similarity_index(
        cls,
        operations: Operations,
        collection: str,
        model: str,
        *,
        embedding: str | None = None,
        dims: int | None = None,
        element: str | None = None,
        method: str | None = None,
        where_filter: Mapping[str, object] | None = None,
        options: Mapping[str, object] | None = None,
        concurrently: bool = True,
    ) -> None:
        """Build a vector index for a version: ``pgsim.create_index``.

        The first one of the full width makes codes too, where the collection declares filter columns;
        ``method="codes"`` makes codes alone.

        It is built CONCURRENTLY, which commits the revision so far and needs a connection of psycopg. With
        ``concurrently=False``, and with ``--sql``, it is built within the transaction, and writes wait.
        """
        operations.invoke(
            cls(
                {
                    "collection": collection,
                    "model": model,
                    "embedding": embedding,
                    "dims": dims,
                    "element": element,
                    "method": method,
                    "where_filter": where_filter,
                    "options": options,
                },
                concurrently,
            )
        )


def _call(operations: Operations, operation: CallFunction) -> None:
    script.emit(operations, call_text(operation.function, operation.arguments))


def _drop_similarity_codes(operations: Operations, operation: DropSimilarityCodes) -> None:
    these = " AND ".join(f"i.{name} = {_quoted(value)}" for name, value in operation.arguments.items())
    script.emit(
        operations,
        "SELECT pgsim.drop_index(pg_catalog.format('pgsim_data.%I', i.name)::regclass) FROM pgsim.indexes AS i "
        f"WHERE i.method = 'codes' AND {these};",
    )


def _install(operations: Operations, operation: InstallOperation) -> None:
    if operations.get_context().as_sql:
        script.emit(operations, release.install_script(operation.release))
    else:
        script.run(operations.get_bind(), install.install_steps(operation.release, None))


def _upgrade(operations: Operations, operation: UpgradeOperation) -> None:
    if operations.get_context().as_sql:
        previous = operation.previous or release.predecessor(operation.release)
        for _, text in release.upgrade_scripts(previous, operation.release):
            script.emit(operations, text)
    else:
        script.run(operations.get_bind(), install.upgrade_steps(operation.release, None))


def _uninstall(operations: Operations, operation: UninstallOperation) -> None:
    if operations.get_context().as_sql:
        script.emit(operations, install.uninstall_script(drop_vectors=operation.drop_vectors))
    else:
        script.run(operations.get_bind(), install.uninstall_steps(operation.drop_vectors))


def _create_similarity_index(operations: Operations, operation: CreateSimilarityIndex) -> None:
    _build(operations, "create_index", create_index_concurrently, operation.arguments, operation.concurrently)


def _enable_text(operations: Operations, operation: EnableText) -> None:
    _build(operations, "enable_text", enable_text_concurrently, operation.arguments, operation.concurrently)


def _build(
    operations: Operations, function: str, build: Callable[..., object], arguments: Mapping[str, object], steps: bool
) -> None:
    context = operations.get_context()
    if context.as_sql or not steps:
        script.emit(operations, call_text(function, arguments))
        return
    given: dict[str, Any] = {name: value for name, value in arguments.items() if value is not None}
    with context.autocommit_block():
        connection = operations.get_bind().connection.driver_connection
        if not isinstance(connection, psycopg.Connection):
            raise InvalidArgument(
                "an index is built CONCURRENTLY over a connection of psycopg",
                hint="Use a URL postgresql+psycopg://..., or pass concurrently=False, which makes writers wait.",
            )
        build(connection, **given)


_CALLS = (
    "create_collection",
    "drop_collection",
    "disable_text",
    "create_model",
    "drop_model",
    "create_embedding",
    "drop_embedding",
    "create_version",
    "drop_version",
    "activate_version",
    "rollback_version",
    "retire_version",
    "revive_version",
    "eject_version",
    "set_version_gate",
    "drop_version_gate",
    "record_version_quality",
    "drop_similarity_index",
)


def register() -> None:
    """Put pgsim's operations on Alembic's ``op``; a second call does nothing."""
    if hasattr(Operations, "pgsim_install"):
        return
    for name in _CALLS:
        Operations.register_operation(name)(CallFunction)
    Operations.register_operation("pgsim_install")(InstallOperation)
    Operations.register_operation("pgsim_upgrade")(UpgradeOperation)
    Operations.register_operation("pgsim_uninstall")(UninstallOperation)
    Operations.register_operation("create_similarity_index")(CreateSimilarityIndex)
    Operations.register_operation("drop_similarity_codes")(DropSimilarityCodes)
    Operations.register_operation("enable_text")(EnableText)
    Operations.implementation_for(CallFunction)(_call)
    Operations.implementation_for(DropSimilarityCodes)(_drop_similarity_codes)
    Operations.implementation_for(InstallOperation)(_install)
    Operations.implementation_for(UpgradeOperation)(_upgrade)
    Operations.implementation_for(UninstallOperation)(_uninstall)
    Operations.implementation_for(CreateSimilarityIndex)(_create_similarity_index)
    Operations.implementation_for(EnableText)(_enable_text)


def setup(_plugin: object) -> None:
    """The entry point of Alembic's plugins (1.18 and later): ``Plugin.setup_plugin_from_module``."""
    register()
