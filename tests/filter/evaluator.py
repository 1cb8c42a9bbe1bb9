"""The filter language evaluated in Python: the semantics that docs/filters.md describes, over dictionaries.

A condition is true, false, or unknown (None) where it compares a missing value, as in SQL.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = None | bool | int | float | Decimal | str | list["Json"] | dict[str, "Json"]
Truth = bool | None
ABSENT = object()

ORDER: dict[str, Callable[[object, object], bool]] = {
    "$gt": lambda a, b: a > b,  # type: ignore[operator]
    "$gte": lambda a, b: a >= b,  # type: ignore[operator]
    "$lt": lambda a, b: a < b,  # type: ignore[operator]
    "$lte": lambda a, b: a <= b,  # type: ignore[operator]
}


def negation(truth: Truth) -> Truth:
    return None if truth is None else not truth


def conjunction(truths: Iterable[Truth]) -> Truth:
    return reduce(lambda a, b: False if a is False or b is False else None if None in (a, b) else True, truths, True)


def disjunction(truths: Iterable[Truth]) -> Truth:
    return negation(conjunction(negation(truth) for truth in truths))


def evaluate(
    filter: dict[str, Json],
    row: dict[str, object],
    json_columns: frozenset[str],
    relations: frozenset[str] = frozenset(),
) -> Truth:
    """Whether a row meets a filter. ``json_columns`` are those that paths lead into.

    ``relations`` are names under which a row holds a row of another table, or None.
    """

    def entry(key: str, value: Json) -> Truth:
        if key in {"$and", "$or"}:
            join = conjunction if key == "$and" else disjunction
            return join(evaluate(branch, row, json_columns, relations) for branch in value)  # type: ignore[union-attr,arg-type]
        if key == "$not":
            return negation(evaluate(value, row, json_columns, relations))  # type: ignore[arg-type]
        at: dict[str, object] | None = row
        column, dot, path = key.partition(".")
        while column in relations:
            at = at and at[column]  # type: ignore[assignment]
            column, dot, path = path.partition(".")
        if column in json_columns:
            found = ABSENT if at is None else at[column]
            for step in path.split(".") if dot else []:
                found = descend(found, step)
            return on_column(found, value, json_operator, plain_object=True)
        return on_column(at and at[column], value, operator, plain_object=False)

    return conjunction(entry(key, value) for key, value in filter.items())


def on_column(
    stored: object, condition: Json, apply: Callable[[str, object, Json], Truth], *, plain_object: bool
) -> Truth:
    if not isinstance(condition, dict) or (plain_object and not any(key.startswith("$") for key in condition)):
        condition = {"$eq": condition}
    return conjunction(
        negation(on_column(stored, value, apply, plain_object=plain_object))
        if name == "$not"
        else apply(name, stored, value)
        for name, value in condition.items()
    )


def operator(name: str, stored: object, value: Json) -> Truth:
    """One operator on a column that is not JSON; a missing value is None."""
    if name == "$exists":
        return (stored is not None) == value
    if name in {"$eq", "$ne"} and value is None:
        return (stored is None) == (name == "$eq")
    if name in {"$in", "$nin"}:
        listed = [item for item in value if item is not None]  # type: ignore[union-attr]
        found = False if not listed else None if stored is None else stored in listed
        if None in value:  # type: ignore[operator]
            found = disjunction([found, stored is None])
        return found if name == "$in" else negation(found)
    if stored is None:
        return None
    if name in {"$contains", "$overlap", "$contained"}:
        wanted = set(value if isinstance(value, list) else [value])
        held = set(stored)  # type: ignore[call-overload]
        return {"$contains": wanted <= held, "$contained": held <= wanted, "$overlap": bool(wanted & held)}[name]
    if name == "$between":
        low, high = value  # type: ignore[misc]
        return low <= stored <= high  # type: ignore[operator]
    if name in {"$like", "$ilike"}:
        return like(stored, value, ignore_case=name == "$ilike")  # type: ignore[arg-type]
    if name in {"$eq", "$ne"}:
        return (stored == value) == (name == "$eq")
    return ORDER[name](stored, value)


def json_operator(name: str, stored: object, value: Json) -> Truth:
    """One operator on a JSON value; JSON's null is None, and what is not there ABSENT."""
    missing = stored is None or stored is ABSENT
    if name == "$exists":
        return (stored is not ABSENT) == value
    if name in {"$eq", "$ne"} and value is None:
        return missing == (name == "$eq")
    if name in {"$in", "$nin"}:
        listed = [tagged(item) for item in value if item is not None]  # type: ignore[union-attr]
        found = False if not listed else None if stored is ABSENT else tagged(stored) in listed
        if None in value:  # type: ignore[operator]
            found = disjunction([found, missing])
        return found if name == "$in" else negation(found)
    if stored is ABSENT:
        return None
    if name in {"$eq", "$ne"}:
        return (tagged(stored) == tagged(value)) == (name == "$eq")
    if name == "$contains":
        return contains(stored, value if isinstance(value, list | dict) else [value])
    if name == "$contained":
        scalar_in_list = isinstance(value, list) and not isinstance(stored, list | dict)
        return contains(value, [stored] if scalar_in_list else stored)
    if name == "$overlap":
        return any(contains(stored, [item]) for item in value)  # type: ignore[union-attr]
    given = value[0] if name == "$between" else value  # type: ignore[index]
    if kind(stored) != kind(given):
        return False
    return operator(name, stored, value)


def descend(value: object, step: str) -> object:
    if isinstance(value, dict):
        return value.get(step, ABSENT)
    if isinstance(value, list) and re.fullmatch(r"-?\d+", step) and -len(value) <= int(step) < len(value):
        return value[int(step)]
    return ABSENT


def kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float | Decimal) else type(value).__name__


def tagged(value: object) -> object:
    """A form in which equality is JSON's: true is not 1."""
    if isinstance(value, list):
        return [tagged(item) for item in value]
    if isinstance(value, dict):
        return {key: tagged(item) for key, item in value.items()}
    return (kind(value), value)


def contains(outer: object, inner: object) -> bool:
    """Containment as jsonb's @> has it."""
    if isinstance(inner, dict):
        return isinstance(outer, dict) and all(key in outer and contains(outer[key], inner[key]) for key in inner)
    if isinstance(inner, list):
        return isinstance(outer, list) and all(any(contains(one, item) for one in outer) for item in inner)
    return tagged(outer) == tagged(inner)


def like(text: str, pattern: str, *, ignore_case: bool) -> bool:
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    translated = "".join({"%": ".*", "_": "."}.get(piece, re.escape(piece[-1])) for piece in pieces)
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.fullmatch(translated, text, flags) is not None
