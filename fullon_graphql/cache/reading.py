"""Tolerant readers for everything that other programs write to Redis.

A broken value is left out, so that it affects no other: it is logged, at most once per kind and interval, and counted
in the metric `fullon_graphql_values_left_out`.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from fullon_graphql.observability.metrics import VALUES_LEFT_OUT, count_reads

log = structlog.get_logger(__name__)

LOG_INTERVAL: Final = 10.0
"""Seconds between two log lines about the same kind of value."""
LONGEST_VALUE: Final = 1_000_000
"""Characters of a value. Parsing a longer one would block the event loop."""
DEEPEST_DATA: Final = 32
"""Levels of nesting in data that is passed on as JSON."""

SCAN_COUNT: Final = 1_000
"""Keys that Redis scans in one call."""

_KEY: Final = re.compile(r"[0-9]{1,9}")
_UNQUOTED: Final = 80

_last_logged: dict[str, float] = {}
_unlogged: dict[str, int] = {}


class UnreadableError(ValueError):
    """A value is not what its place requires. The message says why."""


def leave_out(kind: str, why: object, **place: object) -> None:
    """Record that a value was left out. `kind` is a constant of ours, `place` says where the value was found."""
    VALUES_LEFT_OUT.add(kind)
    now = time.monotonic()
    if now - _last_logged.get(kind, -math.inf) < LOG_INTERVAL:
        _unlogged[kind] = _unlogged.get(kind, 0) + 1
        return
    _last_logged[kind] = now
    found = {name: ascii(value)[:_UNQUOTED] for name, value in place.items()}
    log.warning("cache.value_left_out", kind=kind, why=str(why)[:200], **found, others=_unlogged.pop(kind, 0))


async def execute(pipeline: Pipeline, kind: str, *, by_field: bool = False) -> list[Any]:
    """The results of a pipeline of reads. None for a key of another type than ours: its value is left out.

    Hits and misses are counted for `kind`, a constant of ours: one for each key, or with `by_field` for each field.
    """
    results: list[Any] = await pipeline.execute(raise_on_error=False)
    found = [_without_wrong_type(result) for result in results]
    counted = [value for values in found for value in values or ()] if by_field else found
    hits = sum(map(bool, counted))
    count_reads(kind, hits=hits, misses=len(counted) - hits)
    return found


async def scan(redis: Redis, pattern: str) -> list[str]:
    """The keys that match a pattern, ordered."""
    return sorted([key async for key in redis.scan_iter(pattern, count=SCAN_COUNT) if is_text(key)])


def texts(stored: Mapping[str, str] | None, kind: str) -> Iterator[tuple[str, str]]:
    """The fields and values of a hash, in order. Those that are not UTF-8 are left out."""
    for field, value in sorted((stored or {}).items()):
        if is_text(field) and is_text(value):
            yield field, value
        else:
            leave_out(kind, "not UTF-8", field=field)


def items(stored: Iterable[str] | None, kind: str) -> Iterator[str]:
    """The items of a list. Those that are not UTF-8 are left out."""
    for item in stored or ():
        if is_text(item):
            yield item
        else:
            leave_out(kind, "not UTF-8", item=item)


def is_text(value: str) -> bool:
    """Whether a value was UTF-8 in Redis. The clients decode other bytes as lone surrogates."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_json(text: str) -> Any:
    """A JSON value, also with the `NaN` and `Infinity` of Python's writer.

    Integers beyond 64 bits, which could not be written again, become floats.

    Raises:
        UnreadableError: the text is not JSON, not UTF-8, or too long.
    """
    if len(text) > LONGEST_VALUE:
        raise UnreadableError(f"longer than {LONGEST_VALUE} characters")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_leniently(text)


def parse_object(text: str | None) -> dict[str, Any]:
    """A JSON object, as `parse_json` reads it. Empty without a text.

    Raises:
        UnreadableError: the text is something else.
    """
    value = parse_json(text) if text else {}
    if not isinstance(value, dict):
        raise UnreadableError(f"{type(value).__name__} instead of an object")
    return value


def as_data(value: Any, depth: int = 0) -> Any:
    """A JSON value that can be written again: numbers that are not finite and texts with lone surrogates are None."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case int() if not -(2**63) <= value < 2**64:
            return parse_number(value)
        case str():
            return value if is_text(value) else None
        case dict() | list() if depth == DEEPEST_DATA:
            return None
        case dict():
            return {key: as_data(part, depth + 1) for key, part in value.items() if is_text(key)}
        case list():
            return [as_data(part, depth + 1) for part in value]
        case _:
            return value


def parse_key(text: str) -> int | None:
    """A whole number, such as the key of a row. None for another text."""
    return int(text) if _KEY.fullmatch(text) else None


def parse_text(value: Any) -> str | None:
    """A text, also if it was written as a number. None for another value."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    return text if is_text(text) else None


def parse_number(value: Any) -> float | None:
    """A finite number, also if it was written as a text. None for another value."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def parse_time(value: Any) -> datetime | None:
    """The UTC time of an ISO 8601 text (UTC if it has no offset) or of unix seconds after 1970. None for another value.

    Milliseconds and other large numbers are beyond the year 9999, hence None.
    """
    try:
        if isinstance(value, str):
            time_ = datetime.fromisoformat(value)
            return time_.astimezone(UTC) if time_.tzinfo else time_.replace(tzinfo=UTC)
        seconds = parse_number(value)
        return datetime.fromtimestamp(seconds, UTC) if seconds and seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _parse_leniently(text: str) -> Any:
    if not is_text(text):
        raise UnreadableError("not UTF-8")
    try:
        return json.loads(text, parse_int=_parse_integer)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from None


def _parse_integer(digits: str) -> int | float:
    return int(digits) if len(digits) < len(str(2**63)) else float(digits)


def _without_wrong_type(result: Any) -> Any:
    if not isinstance(result, Exception):
        return result
    if isinstance(result, ResponseError) and str(result).startswith("WRONGTYPE"):
        leave_out("key", result)
        return None
    raise result
