"""Opaque identifiers: the global `id` of a row and the cursor of its place in a list.

Both are URL-safe base64 over a JSON array, e.g. `["Order",17]`. Clients must not read them; we check every part of
what comes back, because anybody can make one up.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Integer, SmallInteger
from sqlalchemy.orm import InstrumentedAttribute

_INTEGER_BITS = ((SmallInteger, 15), (BigInteger, 63), (Integer, 31))
_LONGEST = 512
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What PostgreSQL's texts cannot hold: NUL, and halves of characters, which no encoding has."""


def encode(*parts: object) -> str:
    """An opaque text for `parts` (JSON values)."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode(text: str) -> list[Any]:
    """The parts behind an opaque text.

    Raises:
        ValueError: the text is not one of ours.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    padded = text + "=" * (-len(text) % 4)
    try:
        parts = orjson.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError) as error:
        raise ValueError("not an identifier of this graph") from error
    if not isinstance(parts, list):
        raise ValueError("not an identifier of this graph")  # noqa: TRY004  # what came is a text of the wrong content
    return parts


def fits(values: Sequence[Any], columns: Sequence[InstrumentedAttribute[Any]]) -> bool:
    """True where `values` could stand in `columns`: as many, of the right kind, and in PostgreSQL's range."""
    return len(values) == len(columns) and all(map(_value_fits, values, columns))


def _value_fits(value: object, column: InstrumentedAttribute[Any]) -> bool:
    kind, bits = _kind(column)
    if bits:
        return isinstance(value, int) and not isinstance(value, bool) and -(2**bits) <= value < 2**bits
    return isinstance(value, kind) and "\0" not in str(value)


@cache  # asked with every request, and a mapped attribute takes its time to tell its type
def _kind(column: InstrumentedAttribute[Any]) -> tuple[type[Any], int]:
    """The Python type of a column's values, and for integers how many bits they have beside the sign."""
    bits = next((bits for kind, bits in _INTEGER_BITS if isinstance(column.type, kind)), 0)
    return column.type.python_type, bits
