"""Opaque identifiers: the global `id` of a row and the cursor of its position in a list.

Both are URL-safe base64 of a JSON array, e.g. `["Order",17]`. Values without an exact JSON form are strings in it:
times in the graph's format, floats as the hexadecimal digits of their eight bytes, numerics without trailing zeros.
Clients must not interpret them. Every part of an identifier from a client is checked, because it may be forged.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import cache
from operator import call
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, DateTime, Double, Integer, Text, cast, func, literal_column
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.engine.model.columns import comparable, is_nullable, stored
from fullon_graphql.engine.model.times import format_time, read_time
from fullon_graphql.services.writing.checks import has_only_storable

Expression = ColumnElement[Any] | InstrumentedAttribute[Any]

_INTEGER_BITS = 63
"""Bits of a `bigint`: installations have widened columns to it."""
_LONGEST = 65_536
_DIGITS = re.compile(r"-?\d+(\.\d+)?|NaN")


def encode(*parts: object) -> str:
    """The identifier of `parts`: JSON values or values of columns."""
    json = orjson.dumps([_WRITTEN.get(type(part), _as_it_is)(part) for part in parts])
    return base64.urlsafe_b64encode(json).rstrip(b"=").decode()


def decode(text: str) -> list[Any]:
    """The parts of an identifier as JSON values; `read` converts them to values of columns.

    Raises:
        ValueError: the text is not an identifier of this graph.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    padded = text + "=" * (-len(text) % 4)
    try:
        parts = orjson.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError) as error:
        raise ValueError("not an identifier of this graph") from error
    if not isinstance(parts, list):
        raise ValueError("not an identifier of this graph")  # noqa: TRY004  # the argument's type is right, its content is not
    return parts


def read(parts: Sequence[Any], columns: Sequence[Expression]) -> tuple[Any, ...] | None:
    """The values of `columns` for decoded `parts`; None if they do not fit."""
    with suppress(ValueError, OverflowError):
        values = tuple(map(_read, parts, columns))
        return values if len(parts) == len(columns) and fits(values, columns) else None
    return None


def fits(values: Sequence[Any], columns: Sequence[Expression]) -> bool:
    """True if `values` can be stored in `columns`: same number, right types, in PostgreSQL's range."""
    return fitting(columns)(values)


def fitting(columns: Sequence[Expression]) -> Callable[[Sequence[Any]], bool]:
    """The function `fits` for these columns, if many values are to be checked."""
    checks = [_check(column) for column in columns]
    if len(checks) == 1:  # as most keys have
        [check] = checks
        return lambda values: len(values) == 1 and check(values[0])
    return lambda values: len(values) == len(checks) and all(map(call, checks, values))


def as_json(column: ColumnElement[Any], *, nullable: bool = False) -> ColumnElement[str]:
    """The SQL that writes a column's values as `encode` does."""
    json: ColumnElement[str] = cast(func.to_json(_exact(column)), Text)
    return func.coalesce(json, literal_column("'null'", Text)) if nullable else json


def _exact(column: ColumnElement[Any]) -> ColumnElement[Any]:
    kind, type_ = _kind(column)[0], stored(column)
    if isinstance(type_, DateTime):
        time = comparable(column)
        return time if type_.timezone else func.timezone("UTC", time)  # stored without a zone, and UTC
    if kind is float:
        return func.encode(func.float8send(cast(column, Double)), "hex")
    if kind is Decimal:
        return cast(func.trim_scale(column), Text)
    return column


def _check(column: Expression) -> Callable[[object], bool]:
    """The function that is true for the values that can be stored in a column."""
    if isinstance(column, InstrumentedAttribute):  # a column of a model, cached: their number is fixed
        return _check_of_attribute(column)
    return _check_of(column)


def _check_of(column: Expression) -> Callable[[object], bool]:
    kind, bits = _kind(column)
    nullable = is_nullable(column)
    bound = 2**bits

    def fits_integer(value: object) -> bool:
        if isinstance(value, int):
            return -bound <= value < bound and not isinstance(value, bool)
        return value is None and nullable

    def fits_other(value: object) -> bool:
        if value is None:
            return nullable
        return isinstance(value, kind) and (not isinstance(value, str) or has_only_storable(value))

    return fits_integer if bits else fits_other


_check_of_attribute = cache(_check_of)


def _read(part: object, column: Expression) -> Any:
    """The Python value of a part; one of a wrong type is returned unchanged and does not fit."""
    kind, _ = _kind(column)
    return _READ[kind](part) if kind in _READ and isinstance(part, str) else part


def _kind(column: Expression) -> tuple[type[Any], int]:
    """The Python type of a column's values and, for integers, the number of bits without the sign."""
    if isinstance(column, InstrumentedAttribute):  # a column of a model, cached: their number is fixed
        return _kind_of_attribute(column)
    return _kind_of(column)


def _kind_of(column: Expression) -> tuple[type[Any], int]:
    type_ = stored(column)
    return type_.python_type, _INTEGER_BITS if isinstance(type_, Integer) else 0


_kind_of_attribute = cache(_kind_of)


def _as_it_is(value: Any) -> Any:
    return value


def _write_float(value: float) -> str:
    return struct.pack(">d", value).hex()


def _read_float(text: str) -> float:
    if len(text) != len(_write_float(0)):
        raise ValueError("not eight bytes")
    [value] = struct.unpack(">d", bytes.fromhex(text))
    return float(value)


def _write_decimal(value: Decimal) -> str:
    digits = format(value, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _read_decimal(text: str) -> Decimal:
    if not _DIGITS.fullmatch(text):
        raise ValueError("not a numeric")
    return Decimal(text)


_WRITTEN: dict[type[Any], Callable[[Any], Any]] = {
    datetime: format_time,
    float: _write_float,
    Decimal: _write_decimal,
}
_READ: dict[type[Any], Callable[[str], Any]] = {
    datetime: read_time,
    float: _read_float,
    Decimal: _read_decimal,
    UUID: UUID,
}
