"""Stored JSON, as the platform wrote it: `json` columns hold values that no client could parse."""

from __future__ import annotations

from typing import Any, Final

import orjson

DEEPEST: Final = 100
"""Levels of nesting of a stored value; a response must not have more than 254 in all."""


class Unreadable:
    """Takes the place of a stored JSON value that cannot be represented in a response."""


UNREADABLE: Final = Unreadable()


def read_json(text: str) -> Any:
    """The value of stored JSON text.

    `UNREADABLE` for lone surrogates, numbers beyond the range of a double, and more than `DEEPEST` levels.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return UNREADABLE
    return UNREADABLE if _is_deeper(value, DEEPEST) else value


def _is_deeper(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)
