from __future__ import annotations

import re
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import BotLog
from fullon_graphql.services.change_feed import relay
from fullon_graphql.services.change_feed.table import EDGE, Batch, Interest, Position, read_batch, stored
from tests.fixtures.eventually import eventually

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


@pytest.mark.parametrize("position", ["1e400", "-1e5000", "123456789012345678901.5", "NaN"])
async def test_change_of_a_row_with_an_extreme_number_in_its_key_reaches_every_worker(
    platform: Database, position: str
) -> None:
    [(running,)] = await platform.records(EDGE)
    start = Position(running, 0)
    async with platform.transaction() as connection:
        await connection.execute(text(f"UPDATE bot_log SET position = '{position}' WHERE message = 'foreign'"))
    changes = await eventually(lambda: stored(platform, Interest(BotLog), start))
    assert str(Decimal(position)) in {str(Decimal(change.key["position"]).normalize()) for change in changes}
    batch = Batch(start, changes[-1].position, changes)
    assert relay._decode(relay._encode(batch)) == batch


async def test_batch_ends_at_a_committed_change(platform: Database, settings: Settings) -> None:
    """After a crash or a failover PostgreSQL may use the numbers of rolled-back transactions again."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        start = Position(await connection.fetchval(EDGE), 0)
        await connection.execute("UPDATE bot_log SET position = 1 WHERE message = 'foreign'")
        await eventually(lambda: stored(platform, Interest(BotLog), start))
        batch = await read_batch(connection, start)
        assert batch.upto == batch.changes[-1].position
        await connection.execute("BEGIN; SELECT pg_current_xact_id(); ROLLBACK")
        assert await read_batch(connection, batch.upto) == Batch(batch.upto, batch.upto, [])
    finally:
        await connection.close()
