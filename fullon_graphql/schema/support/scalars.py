"""Scalars."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final, NewType
from uuid import UUID

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from fullon_graphql.database.json import Unreadable
from fullon_graphql.engine.model.times import format_time
from fullon_graphql.errors import BadUserInput, Unrepresentable, shortened

DateTime = NewType("DateTime", datetime)

# Python's parsers accept more: a NUL at the end of a time, braces around a UUID.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2}){0,2})?"
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def parse_time(value: object) -> datetime:
    """The UTC time of an ISO 8601 string with an offset.

    Raises:
        BadUserInput: the value is not such a string, or it has no offset.
    """
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _not_a_time(value)
    try:
        parsed = datetime.fromisoformat(value)
        aware = parsed.tzinfo is not None
        return _in_utc(parsed) if aware else _refuse_naive(value)
    except (ValueError, OverflowError) as error:
        raise _not_a_time(value) from error


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _refuse_naive(value: str) -> datetime:
    raise BadUserInput(
        f"{shortened(value)} has no UTC offset; write 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00."
    )


def _not_a_time(value: object) -> BadUserInput:
    return BadUserInput(f"A DateTime is an ISO 8601 string such as 2026-01-31T12:00:00Z; got {shortened(value)}.")


def parse_uuid(value: object) -> UUID:
    """The UUID of its text form.

    Raises:
        BadUserInput: the value is not 32 hexadecimal digits in five groups.
    """
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise BadUserInput(f"A UUID is 32 hexadecimal digits in five groups; got {shortened(value)}.")
    return UUID(value)


def _readable_json(value: Any) -> Any:
    if isinstance(value, Unreadable):
        raise Unrepresentable("The stored JSON cannot be represented.")
    return value


DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description=(
        "ISO 8601 date and time with a UTC offset: always +00:00 on output, any offset on input. A time without an"
        " offset is an error."
    ),
    serialize=format_time,
    parse_value=parse_time,
)
UUID_TEXT: ScalarDefinition = strawberry.scalar(
    name="UUID",
    description="A UUID as a string: 32 hexadecimal digits in five groups, lower case on output.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc9562",
    serialize=str,
    parse_value=parse_uuid,
)
JSON_VALUE: ScalarDefinition = strawberry.scalar(
    name="JSON",
    description="A JSON value, as the platform stores it. Null with an error if it has no valid form.",
    specified_by_url="https://ecma-international.org/wp-content/uploads/ECMA-404_2nd_edition_december_2017.pdf",
    serialize=_readable_json,
    parse_value=lambda value: value,
)
SCALARS: dict[object, ScalarDefinition] = {DateTime: DATE_TIME, UUID: UUID_TEXT, JSON: JSON_VALUE}
"""The Python types that the schema maps to scalars."""
