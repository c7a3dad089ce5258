"""Checks of input before it reaches PostgreSQL, so that the error names the field.

Fields are named as in the graph: `order_type` is `orderType`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Double, Integer, SmallInteger, String, inspect

from fullon_graphql.errors import BadUserInput, Conflict, shortened

LARGEST: Final = 1e15
"""The largest number in a change. Products and sums of such numbers stay finite."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(table: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` after a check against the columns of `table`. A null for a column that is NOT NULL is dropped.

    Raises:
        BadUserInput: a text is too long or has characters that PostgreSQL cannot store, or a number is out of range.
    """
    columns = inspect(table).columns
    kept = {name: value for name, value in values.items() if value is not None or columns[name].nullable}
    for name, value in kept.items():
        _fits(columns[name], spelled(name), value)
    return kept


def not_blank(values: Mapping[str, Any], *names: str) -> None:
    """Require that each named text in `values` is not blank.

    Raises:
        BadUserInput: one is empty or has only blanks.
    """
    for name in names:
        if not str(values.get(name, "something")).strip():
            raise BadUserInput(f"`{spelled(name)}` is blank.", field=spelled(name))


def positive(values: Mapping[str, Any], *names: str) -> None:
    """Require that each named number in `values` is null or above 0.

    Raises:
        BadUserInput: one is 0 or less.
    """
    for name in names:
        value = values.get(name)
        if value is not None and not value > 0:
            raise BadUserInput(f"`{spelled(name)}` is {value}; it must be above 0.", field=spelled(name))


def not_negative(values: Mapping[str, Any], *names: str) -> None:
    """Require that each named number in `values` is null, 0 or above.

    Raises:
        BadUserInput: one is negative.
    """
    for name in names:
        value = values.get(name)
        if value is not None and value < 0:
            raise BadUserInput(f"`{spelled(name)}` is {value}; it cannot be negative.", field=spelled(name))


def one_of(value: str, choices: Iterable[str], field: str) -> str:
    """The choice that equals `value`, ignoring case.

    Raises:
        BadUserInput: there is none.
    """
    by_name = {choice.lower(): choice for choice in choices}
    found = by_name.get(value.strip().lower())
    if found is None:
        raise BadUserInput(f"`{field}` is one of {', '.join(by_name.values())}; got {shortened(value)}.", field=field)
    return found


def unchanged_since(expected: datetime | None, actual: datetime) -> None:
    """Require that the row has the timestamp that the caller read, to the millisecond.

    Raises:
        Conflict: its timestamp is not `expected`, unless that is None.
    """
    if expected is not None and _milliseconds(expected) != _milliseconds(actual):
        raise Conflict(f"The row's timestamp is {actual.isoformat()}, not {expected.isoformat()}; read the row again.")


def _milliseconds(value: datetime) -> datetime:
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def spelled(name: str) -> str:
    """The name in the graph for a Python name."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def has_only_storable(text: str) -> bool:
    """False if a text has a NUL or a lone surrogate, which PostgreSQL cannot store."""
    return not _UNSTORABLE.search(text)


def _fits(column: Column[Any], field: str, value: Any) -> None:
    match column.type:
        case String(length=length) if isinstance(value, str):
            _fits_text(value, length, field)
        case Integer() if isinstance(value, int):
            most = 2**15 - 1 if isinstance(column.type, SmallInteger) else 2**31 - 1
            if not -most <= value <= most:
                raise BadUserInput(f"`{field}` is {value}; it must be between -{most} and {most}.", field=field)
        case Double() if isinstance(value, (int, float)) and not math.isfinite(value):
            raise BadUserInput(f"`{field}` must be a finite number.", field=field)
        case Double() if isinstance(value, (int, float)) and abs(value) > LARGEST:
            message = f"`{field}` is {value:g}; it must be between -{LARGEST:g} and {LARGEST:g}."
            raise BadUserInput(message, field=field)
        case _:
            pass


def _fits_text(value: str, length: int | None, field: str) -> None:
    if length is not None and len(value) > length:
        raise BadUserInput(f"`{field}` has {len(value)} characters; at most {length} are allowed.", field=field)
    if not has_only_storable(value):
        raise BadUserInput(f"`{field}` has a character that cannot be stored.", field=field)
