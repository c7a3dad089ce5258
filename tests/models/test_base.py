from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from fullon_graphql.database import Database
from fullon_graphql.models import Base, Order

ORDER = {
    "bot_id": 1, "uid": 1, "ex_id": 1, "cat_ex_id": 1, "exchange": "kraken", "symbol": "BTC/USD",
    "order_type": "limit", "side": "buy", "volume": 1.0, "status": "New", "reason": "",
}  # fmt: skip
NOON = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(NOON, id="utc"),
        pytest.param(NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), id="another zone"),
        pytest.param(NOON.replace(tzinfo=None), id="naive, which is UTC"),
    ],
)
async def test_time_is_stored_as_naive_utc_and_read_as_aware_utc(database: Database, written: datetime) -> None:
    async with database.transaction() as connection:
        await connection.execute(insert(Order).values(ORDER | {"timestamp": written}))

    stored = await database.row(text("SELECT timestamp::text FROM orders"))
    read = await database.row(select(Order.timestamp).where(Order.timestamp == written))

    assert stored == ("2025-03-01 12:00:00",)
    assert read == (NOON,)


async def test_database_fills_in_the_current_time_in_utc(database: Database) -> None:
    async with database.transaction() as connection:
        now = (await connection.execute(text("SELECT now()"))).scalar_one()
        filled = (await connection.execute(insert(Order).values(ORDER).returning(Order.timestamp))).scalar_one()

    assert filled == now


async def test_omitted_required_column_is_refused(database: Database) -> None:
    without_symbol = {name: value for name, value in ORDER.items() if name != "symbol"}

    with pytest.raises(IntegrityError, match="symbol"):
        async with database.transaction() as connection:
            await connection.execute(insert(Order).values(without_symbol))


def test_every_attribute_has_the_name_of_its_column() -> None:
    names = {(a.key, a.columns[0].name) for mapper in Base.registry.mappers for a in inspect(mapper).column_attrs}

    assert all(attribute == column for attribute, column in names)


def test_tables_without_a_key_are_mapped_without_one() -> None:
    keyless = {table.name for table in Base.metadata.sorted_tables if not table.primary_key.columns}

    assert keyless == {
        "bot_exchanges", "bot_log", "cat_exchanges_params", "cat_strategies_params", "exchange_history",
        "strategies_params",
    }  # fmt: skip
