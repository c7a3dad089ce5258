"""The text format of times, in responses and in identifiers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)
"""The first and the last instant that Python and ISO 8601 can represent."""


def format_time(value: datetime) -> str:
    """ISO 8601 in UTC with an offset, like `to_json` of PostgreSQL: no trailing zeros."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    text = aware.replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}+00:00"


def whole_milliseconds(value: datetime) -> datetime:
    """The time cut to milliseconds: many clients keep no finer ones."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def read_stored_time(text: str) -> datetime:
    """The UTC time of a stored one as `to_json` of PostgreSQL writes it, clamped to the years 1 to 9999."""
    try:
        return read_time(text)
    except (ValueError, OverflowError):
        return FIRST if text.startswith("-") or text.endswith("BC") else LAST


def read_time(text: str) -> datetime:
    """The UTC time of an ISO 8601 text with an offset.

    Raises:
        ValueError: the text is malformed or has no offset.
        OverflowError: the time is outside the years 1 to 9999 in UTC.
    """
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("no offset")
    return value.astimezone(UTC)
