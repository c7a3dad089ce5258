"""Values as the platform's programs write them into Redis, read leniently: one odd entry must not spoil the rest."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, Final

_KEY: Final = re.compile(r"[0-9]{1,9}")


def read_object(text: str | None) -> dict[str, Any]:
    """The JSON object in a text; empty where there is none.

    NaN and Infinity, which are no JSON, become null; integers beyond 64 bits, which we could not write again, floats.

    Raises:
        ValueError: the text is something else.
    """
    value = json.loads(text or "{}", parse_constant=lambda _: None, parse_int=_read_integer)
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__} where an object belongs")  # noqa: TRY004  # a text of wrong content
    return value


def read_key(text: str) -> int | None:
    """The key of a row, or another count; None where the text is none."""
    return int(text) if _KEY.fullmatch(text) else None


def read_text(value: Any) -> str | None:
    """A text, also where it was written as a number; None for everything else."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def read_number(value: Any) -> float | None:
    """A finite number, also where it was written as a text; None for everything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_time(value: Any) -> datetime | None:
    """The UTC time behind ISO 8601 (a naive one is UTC) or unix seconds; None where it is neither."""
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value, UTC) if value else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _read_integer(digits: str) -> int | float:
    return int(digits) if len(digits) < len(str(2**63)) else float(digits)
