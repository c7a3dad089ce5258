"""Whether values can be stored, asked before PostgreSQL is: so that the answer names the field that is to blame.

Fields are named as the graph spells them: `order_type` is `orderType`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Double, Integer, SmallInteger, String, inspect

from fullon_graphql.errors import BadUserInput, Conflict

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(table: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` for columns of `table`, once each fits into its column. A null where none may be means "as it was".

    Raises:
        BadUserInput: a text is too long or holds what PostgreSQL cannot store, or a number is out of range.
    """
    columns = inspect(table).columns
    kept = {name: value for name, value in values.items() if value is not None or columns[name].nullable}
    for name, value in kept.items():
        _fits(columns[name], spelled(name), value)
    return kept


def not_blank(values: Mapping[str, Any], *names: str) -> None:
    """Each text that is among `values` says something.

    Raises:
        BadUserInput: one is empty, or nothing but blanks.
    """
    for name in names:
        if not str(values.get(name, "something")).strip():
            raise BadUserInput(f"`{spelled(name)}` is blank.", field=spelled(name))


def positive(values: Mapping[str, Any], *names: str) -> None:
    """Each number that is among `values`, and not null, is above 0.

    Raises:
        BadUserInput: one is 0 or less.
    """
    for name in names:
        value = values.get(name)
        if value is not None and not value > 0:
            raise BadUserInput(f"`{spelled(name)}` is {value}; it takes a number above 0.", field=spelled(name))


def not_negative(values: Mapping[str, Any], *names: str) -> None:
    """Each number that is among `values`, and not null, is 0 or above.

    Raises:
        BadUserInput: one is negative.
    """
    for name in names:
        value = values.get(name)
        if value is not None and value < 0:
            raise BadUserInput(f"`{spelled(name)}` is {value}; it cannot be negative.", field=spelled(name))


def one_of(value: str, choices: Iterable[str], field: str) -> str:
    """The choice that `value` is, in any letter case.

    Raises:
        BadUserInput: it is none.
    """
    by_name = {choice.lower(): choice for choice in choices}
    found = by_name.get(value.strip().lower())
    if found is None:
        raise BadUserInput(f"`{field}` is one of {', '.join(by_name.values())}; {value[:40]!r} came.", field=field)
    return found


def unchanged_since(expected: datetime | None, actual: datetime) -> None:
    """The row is the one the caller has seen.

    Raises:
        Conflict: its timestamp is another than `expected` (None expects nothing).
    """
    if expected is not None and expected != actual:
        raise Conflict(f"The row's timestamp is {actual.isoformat()}, not {expected.isoformat()}: look at it again.")


def spelled(name: str) -> str:
    """The graph's spelling of a Python name."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def has_only_storable(text: str) -> bool:
    """False where a text holds what PostgreSQL's cannot: NUL, or half a character."""
    return not _UNSTORABLE.search(text)


def _fits(column: Column[Any], field: str, value: Any) -> None:
    match column.type:
        case String(length=length) if isinstance(value, str):
            _fits_text(value, length, field)
        case Integer() if isinstance(value, int):
            most = 2**15 - 1 if isinstance(column.type, SmallInteger) else 2**31 - 1
            if not -most <= value <= most:
                raise BadUserInput(f"`{field}` is {value}; it takes a number up to {most}.", field=field)
        case Double() if isinstance(value, (int, float)) and not math.isfinite(value):
            raise BadUserInput(f"`{field}` must be a finite number.", field=field)
        case _:
            pass


def _fits_text(value: str, length: int | None, field: str) -> None:
    if length is not None and len(value) > length:
        raise BadUserInput(f"`{field}` has {len(value)} characters; it takes at most {length}.", field=field)
    if not has_only_storable(value):
        raise BadUserInput(f"`{field}` holds a character that cannot be stored.", field=field)
