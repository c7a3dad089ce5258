from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.change_feed.table import Position

numbers = st.integers(0, 2**63 - 1)
positions = st.builds(Position, numbers, numbers)


@given(positions)
def test_cursor_is_parsed_to_its_position(position: Position) -> None:
    assert Position.parse(position.cursor) == position


@given(st.text().filter(lambda text: not re.fullmatch("[0-9a-f]{1,16}-[0-9a-f]{1,16}", text)))
def test_arbitrary_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        Position.parse(text)
    assert refusal.value.field == "after"


@pytest.mark.parametrize(
    "text", ["", "-", "1", "1-", "-1", "1-2-3", "1-g", "A-1", "1-1\n", f"{2**63:x}-0", "0-" + "1" * 17]
)
def test_almost_valid_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadUserInput):
        Position.parse(text)
