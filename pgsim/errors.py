"""Every error pgsim raises, one class for each SQLSTATE.

SQL functions raise SQLSTATEs of class ``PS``; Python raises the class of the same SQLSTATE, whether the
fault was found in the database or before a statement was sent.
"""

from __future__ import annotations

from typing import ClassVar

_BY_SQLSTATE: dict[str, type[PgsimError]] = {}


class PgsimError(Exception):
    """Base of all errors of pgsim.

    ``message`` says what was given and what is allowed, ``hint`` what to do, ``detail`` lists what
    does not fit one sentence.
    """

    sqlstate: ClassVar[str] = "PS000"

    def __init_subclass__(cls, *, sqlstate: str) -> None:
        cls.sqlstate = sqlstate
        _BY_SQLSTATE[sqlstate] = cls

    def __init__(self, message: str, *, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.message]
        if self.detail:
            parts.append(f"DETAIL: {self.detail}")
        if self.hint:
            parts.append(f"HINT: {self.hint}")
        return "\n".join(parts)


class UnknownCollection(PgsimError, sqlstate="PS001"):
    """No collection of that name is registered."""


class UnknownModel(PgsimError, sqlstate="PS002"):
    """No model of that name is registered."""


class UnknownEmbedding(PgsimError, sqlstate="PS003"):
    """The collection has no embedding of that name."""


class UnknownVersion(PgsimError, sqlstate="PS004"):
    """The embedding has no version under that model, or no active one."""


class UnknownColumn(PgsimError, sqlstate="PS005"):
    """The table has no such column, or a filter names one that it does not have."""


class UnknownRelation(PgsimError, sqlstate="PS006"):
    """The relation does not exist, or is not a table that can be registered."""


class UnknownKey(PgsimError, sqlstate="PS007"):
    """A key is not in the base table."""


class UnknownIndex(PgsimError, sqlstate="PS008"):
    """The index does not exist, or was not made by pgsim."""


class UnknownFusion(PgsimError, sqlstate="PS009"):
    """The collection has no fusion of that name, and it is no method of fusion."""


class InvalidArgument(PgsimError, sqlstate="PS010"):
    """An argument is outside what is allowed."""


class InvalidName(PgsimError, sqlstate="PS011"):
    """A name is empty, too long, or holds a control character."""


class DimensionMismatch(PgsimError, sqlstate="PS012"):
    """A vector has not the width of its model."""


class InvalidVector(PgsimError, sqlstate="PS013"):
    """A vector is NULL, zero under cosine, or holds NaN, infinity or a value its element type cannot."""


class InvalidFilter(PgsimError, sqlstate="PS014"):
    """A filter is not of the filter language: its form, an operator, or where an operator stands."""


class InvalidFilterValue(PgsimError, sqlstate="PS015"):
    """A filter's value does not fit the column it is compared with."""


class InvalidKey(PgsimError, sqlstate="PS016"):
    """A key is NULL, repeated, or cannot be read as the base table's key type."""


class AlreadyExists(PgsimError, sqlstate="PS020"):
    """Something of that name exists already, and differs from what was asked for."""


class InUse(PgsimError, sqlstate="PS021"):
    """The object cannot be dropped while others depend on it."""


class NoPrimaryKey(PgsimError, sqlstate="PS022"):
    """The table has no primary key, and no unique, not null key was named."""


class PgvectorMissing(PgsimError, sqlstate="PS030"):
    """The extension pgvector is not installed in the database, and could not be created."""


class PgvectorTooOld(PgsimError, sqlstate="PS031"):
    """The installed pgvector lacks what pgsim needs."""


class InsufficientPrivilege(PgsimError, sqlstate="PS032"):
    """The role may not do this."""


class NewerRelease(PgsimError, sqlstate="PS033"):
    """The database holds a release of pgsim that this code cannot work with."""


class NotInstalled(PgsimError, sqlstate="PS034"):
    """The database does not hold pgsim, or a release too old for this code."""


class WrongState(PgsimError, sqlstate="PS035"):
    """The object's state does not allow this step."""


class UnsupportedServer(PgsimError, sqlstate="PS036"):
    """The server is not a PostgreSQL that pgsim runs on."""


class WeakPrefix(PgsimError, sqlstate="PS050"):
    """A prefix was measured to find too few of the nearest rows, of a model that does not declare it."""


class ForeignLayer(PgsimError, sqlstate="PS051"):
    """A model is no layer of the other, so vectors of the one say nothing of the other's."""


class EmbedderError(PgsimError, sqlstate="PS040"):
    """An embedder failed, or gave the wrong number, width or kind of vectors."""


class MissingExtra(PgsimError, sqlstate="PS041"):
    """A feature needs an optional dependency that is not installed."""


class ConnectionFailed(PgsimError, sqlstate="PS042"):
    """The server could not be reached, or refused the connection."""


class UnknownMap(PgsimError, sqlstate="PS054"):
    """There is no map of that name."""


class InvalidMap(PgsimError, sqlstate="PS055"):
    """A map's shapes do not fit together or to its model, or it does not keep what its kind promises."""


class NotReady(PgsimError, sqlstate="PS043"):
    """A version is not ready to be activated; ``detail`` lists all reasons."""


class ModelChanged(PgsimError, sqlstate="PS044"):
    """An embedder does not give the vectors by which its model is known."""


class UnknownBatch(PgsimError, sqlstate="PS045"):
    """The batch is not with a worker any more: it was finished, or its lease ended."""


class BudgetTooSmall(PgsimError, sqlstate="PS046"):
    """One call of an embedder is more than the budget of a whole day."""


class NothingRecorded(PgsimError, sqlstate="PS047"):
    """What was asked for is known from recorded searches alone, and there are none."""


def class_for(sqlstate: str | None) -> type[PgsimError] | None:
    """The class of an SQLSTATE, or None when it is not one of pgsim's."""
    return _BY_SQLSTATE.get(sqlstate or "")


def all_classes() -> dict[str, type[PgsimError]]:
    """Every class by its SQLSTATE."""
    return dict(_BY_SQLSTATE)
