"""Opaque identifiers: encoding is reversible, and malformed identifiers are refused."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Double,
    Numeric,
    Text,
    Uuid,
    cast,
    column,
    literal,
    null,
    select,
    type_coerce,
)

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.models.base import UtcDateTime
from fullon_graphql.services.writing.checks import has_only_storable

DECIMALS = [Decimal(text) for text in ("0", "0.00", "1E+3", "-1E-20", "100", "1.50", "NaN")]

values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20).filter(str.isprintable)
PLACE = (models.Symbol.symbol, models.Symbol.cat_ex_id)
SMALL = (models.Symbol.decimals,)


@given(st.lists(values, max_size=5))
def test_decoding_reverses_encoding(parts: list[Any]) -> None:
    text = opaque_ids.encode(*parts)
    assert re.fullmatch("[A-Za-z0-9_-]*", text)
    assert opaque_ids.decode(text) == parts


@given(st.text() | st.binary().map(lambda data: data.hex()) | st.from_regex(r"[A-Za-z0-9_-]{0,40}=*", fullmatch=True))
@example("[" * 500)
@example("W1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tb" * 10)
@example("\ud800")
def test_arbitrary_text_is_refused_or_decodes_to_a_list(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(opaque_ids.decode(text), list)


def test_overlong_text_is_refused_before_decoding() -> None:
    with pytest.raises(ValueError, match="too long"):
        opaque_ids.decode(opaque_ids.encode("x" * 50_000))


@pytest.mark.parametrize("good", [("BTC/USD", 1), ("", -(2**63)), ("ä", 2**63 - 1)])
def test_values_in_range_fit(good: tuple[Any, ...]) -> None:
    assert opaque_ids.fits(good, PLACE)


@pytest.mark.parametrize(
    "bad",
    [(), ("BTC/USD",), ("BTC/USD", 1, 1), (1, "BTC/USD"), ("BTC/USD", "1"), ("BTC/USD", True), ("BTC/USD", 1.0),
     ("BTC/USD", None), (None, 1), ("nul\0", 1), ("BTC/USD", 2**63), ("BTC/USD", -(2**63) - 1), ("BTC/USD", [1])],
)  # fmt: skip
def test_values_out_of_range_do_not_fit(bad: tuple[Any, ...]) -> None:
    assert not opaque_ids.fits(bad, PLACE)


def test_integer_column_may_have_been_widened() -> None:
    assert opaque_ids.fits([2**63 - 1], SMALL)
    assert not opaque_ids.fits([2**63], SMALL)


KINDS: dict[str, tuple[ColumnElement[Any], st.SearchStrategy[Any]]] = {
    "text": (column("c", Text), st.text(max_size=20).filter(has_only_storable)),
    "whole numbers": (column("c", BigInteger), st.integers(-(2**63), 2**63 - 1)),
    "truth": (column("c", Boolean), st.booleans()),
    "floats": (column("c", Double), st.floats()),
    "numerics": (
        column("c", Numeric),
        st.decimals(allow_infinity=False, allow_nan=False, places=12) | st.sampled_from(DECIMALS),
    ),
    "UTC times": (column("c", UtcDateTime), st.datetimes(timezones=st.just(UTC))),
    "times": (column("c", DateTime(timezone=True)), st.datetimes(timezones=st.just(UTC))),
    "UUIDs": (column("c", Uuid), st.uuids()),
}
"""A column of each kind in keys and orders, and a strategy for its values."""

by_kind = pytest.mark.parametrize("kind", KINDS)


@by_kind
@given(data=st.data())
def test_values_of_every_kind_are_restored_exactly(kind: str, data: st.DataObject) -> None:
    place, values = KINDS[kind]
    value = data.draw(values)
    found = opaque_ids.read(opaque_ids.decode(opaque_ids.encode(value, None)), [place, place])
    assert repr(found) == repr((value, None)) or found == (value, None)


@by_kind
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_postgresql_encodes_like_python(kind: str, database: Database, data: st.DataObject) -> None:
    place, values = KINDS[kind]
    value = data.draw(values)
    given = literal(value, place.type)
    texts = opaque_ids.as_json(given).concat(",").concat(opaque_ids.as_json(null_of(place), nullable=True))
    row = await database.row(select(texts.label("texts")))
    assert row is not None
    assert f"[{row.texts}]" == written(value, None)


def null_of(place: ColumnElement[Any]) -> ColumnElement[Any]:
    return type_coerce(cast(null(), place.type), place.type)


def written(*parts: object) -> str:
    text = opaque_ids.encode(*parts)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


@pytest.mark.parametrize(
    ("kind", "part"),
    [("floats", 1), ("floats", "1.5"), ("floats", "zz" * 8), ("floats", "00" * 9), ("numerics", 1),
     ("numerics", "1e9999999"), ("numerics", "Infinity"), ("numerics", ""), ("UTC times", 0), ("UTC times", "yesterday"),
     ("UTC times", "2026-01-01T00:00:00"), ("times", "2026-01-01T00:00:00"), ("times", "0001-01-01T00:00:00+14:00"),
     ("truth", 1), ("truth", "true"), ("UUIDs", "1"), ("UUIDs", 1), ("text", 1), ("text", ["a"]), ("text", "nul\0"),
     ("whole numbers", "1"), ("whole numbers", True), ("whole numbers", 2**63)],
)  # fmt: skip
def test_parts_of_another_kind_are_refused(kind: str, part: object) -> None:
    assert opaque_ids.read([part], [KINDS[kind][0]]) is None
