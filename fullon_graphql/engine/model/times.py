"""Times as text: the one form in which they leave, in answers and inside of identifiers."""

from __future__ import annotations

from datetime import UTC, datetime


def format_time(value: datetime) -> str:
    """ISO 8601 in UTC with offset, as PostgreSQL's `to_json` writes it: no more digits of a second than needed."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    text = aware.replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}+00:00"


def read_time(text: str) -> datetime:
    """The UTC time behind an ISO 8601 text with an offset.

    Raises:
        ValueError: it is no such text, or it names no offset.
        OverflowError: it is outside of the years 1 to 9999 in UTC.
    """
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("no offset")
    return value.astimezone(UTC)
