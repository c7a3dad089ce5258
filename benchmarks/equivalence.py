"""Comparison of answers, before the measurement.

Schemas differ in the wrapping of lists, the spelling of times and enums, and the order of unordered rows; everything
else must be equal.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def same(ours: Any, theirs: Any) -> bool:
    """True if two answers contain the same rows with the same values."""
    return bool(_canonical(ours) == _canonical(theirs))


def rows(answer: Any) -> int:
    """The number of objects in an answer."""
    if isinstance(answer, list):
        return sum(map(rows, answer))
    return 1 + sum(map(rows, answer.values())) if isinstance(answer, dict) else 0


def _canonical(value: Any) -> Any:
    match value:
        case {"nodes": nodes}:
            return _canonical(nodes)
        case dict():
            return {name: _canonical(each) for name, each in value.items()}
        case list():
            return sorted(map(_canonical, value), key=json.dumps)
        case bool() | None:
            return value
        case int() | float():
            return float(f"{value:.12g}")
        case str():
            return _time(value) or value.upper()
        case _:
            raise TypeError(f"{value!r} is not JSON")


def _time(value: str) -> int | None:
    """Whole milliseconds, the resolution of JavaScript."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MILLISECOND
