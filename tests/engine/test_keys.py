"""Opaque identifiers: ours come back as they were, and nothing else does any harm."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fullon_graphql import models
from fullon_graphql.engine import keys

values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20).filter(str.isprintable)
PLACE = (models.Symbol.symbol, models.Symbol.cat_ex_id)
SMALL = (models.Symbol.decimals,)


@given(st.lists(values, max_size=5))
def test_what_was_encoded_is_what_is_decoded(parts: list[Any]) -> None:
    text = keys.encode(*parts)
    assert re.fullmatch("[A-Za-z0-9_-]*", text)
    assert keys.decode(text) == parts


@given(st.text() | st.binary().map(lambda data: data.hex()) | st.from_regex(r"[A-Za-z0-9_-]{0,40}=*", fullmatch=True))
@example("[" * 500)
@example("W1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tb" * 10)
@example("\ud800")
def test_any_other_text_is_refused_or_a_list(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(keys.decode(text), list)


def test_an_endless_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="too long"):
        keys.decode(keys.encode("x" * 1000))


@pytest.mark.parametrize("good", [("BTC/USD", 1), ("", -(2**31)), ("ä", 2**31 - 1)])
def test_values_that_could_stand_in_the_columns_fit(good: tuple[Any, ...]) -> None:
    assert keys.fits(good, PLACE)


@pytest.mark.parametrize(
    "bad",
    [(), ("BTC/USD",), ("BTC/USD", 1, 1), (1, "BTC/USD"), ("BTC/USD", "1"), ("BTC/USD", True), ("BTC/USD", 1.0),
     ("BTC/USD", None), (None, 1), ("nul\0", 1), ("BTC/USD", 2**31), ("BTC/USD", -(2**31) - 1), ("BTC/USD", [1])],
)  # fmt: skip
def test_values_that_could_not_do_not(bad: tuple[Any, ...]) -> None:
    assert not keys.fits(bad, PLACE)


def test_a_small_column_holds_small_numbers() -> None:
    assert keys.fits([2**15 - 1], SMALL)
    assert not keys.fits([2**15], SMALL)
