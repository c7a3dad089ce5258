"""Mutations of live trades."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Exchange, Trade
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER

pytestmark = pytest.mark.usefixtures("platform")

GOOD = {
    "exId": 20, "exTradeId": "T1001", "exOrderId": "O2", "symbol": "BTC/USD", "side": "SELL", "orderType": "market",
    "volume": 0.5, "price": 100.0,
}  # fmt: skip
CREATE = """mutation ($trade: CreateTradeInput!) { createTrade(input: $trade) {
  tradeId uid exId exTradeId exOrderId symbol side orderType volume price cost fee roi leverage time
  order { orderId } account { name } } }"""
UPDATE = "mutation ($trade: UpdateTradeInput!) { updateTrade(input: $trade) { roi roiPct totalFee curVolume price } }"

WAITING = text(
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"
)


@pytest.fixture
def trader(graph: GraphClient) -> GraphClient:
    return graph.as_(principal(TRADER))


async def stored(database: Database) -> int:
    [row] = await database.rows(select(func.count()).select_from(Trade))
    return int(row[0])


async def test_create_trade_completes_the_row_and_relates_its_order(trader: GraphClient, database: Database) -> None:
    trade = (await trader.data(CREATE, trade=GOOD))["createTrade"]
    assert trade.pop("tradeId") > 1000
    assert trade.pop("time").endswith("+00:00")
    assert trade == GOOD | {
        "uid": TRADER, "cost": 50.0, "fee": 0.0, "roi": None, "leverage": None, "order": {"orderId": 2},
        "account": {"name": "main"},
    }  # fmt: skip
    assert await database.row(select(Trade.side).where(Trade.trade_id > 1000)) == ("sell",)


async def test_create_trade_keeps_reported_cost_fee_and_time(trader: GraphClient) -> None:
    reported = {"cost": 51.0, "fee": -0.5, "leverage": 2.0, "time": "2026-01-01T02:00:00+02:00"}
    trade = (await trader.data(CREATE, trade=GOOD | reported))["createTrade"]
    assert {name: trade[name] for name in reported} == reported | {"time": "2026-01-01T00:00:00+00:00"}


async def test_repeated_trade_report_keeps_computed_values(trader: GraphClient, database: Database) -> None:
    report = GOOD | {"time": "2026-01-01T00:00:00.123456Z"}
    first = (await trader.data(CREATE, trade=report))["createTrade"]
    await trader.data(UPDATE, trade={"tradeId": first["tradeId"], "roi": 7.5})
    before = await stored(database)
    assert (await trader.data(CREATE, trade=report))["createTrade"] == first | {"roi": 7.5}
    assert await stored(database) == before


async def test_trade_side_is_compared_without_case(trader: GraphClient, database: Database) -> None:
    known = {"exTradeId": "T1", "exOrderId": "O1", "side": "BUY", "orderType": "limit", "volume": 0.75, "fee": 0.25}
    assert (await trader.data(CREATE, trade=GOOD | known))["createTrade"]["tradeId"] == 1
    assert await database.row(select(Trade.side).where(Trade.trade_id == 1)) == ("Buy",)


async def test_concurrent_reports_store_one_trade(trader: GraphClient, database: Database) -> None:
    before = await stored(database)
    async with database.transaction() as connection, asyncio.timeout(60):
        await connection.execute(select(Exchange).where(Exchange.ex_id == 20).with_for_update())
        reports = [asyncio.create_task(trader.data(CREATE, trade=GOOD)) for _ in range(2)]
        while (await connection.execute(WAITING)).scalar_one() < len(reports):
            assert not any(report.done() for report in reports)
    first, second = await asyncio.gather(*reports)
    assert first == second
    assert await stored(database) == before + 1


async def test_reported_cost_replaces_a_computed_one(trader: GraphClient) -> None:
    report = GOOD | {"volume": 0.1, "price": 3.0}
    first = (await trader.data(CREATE, trade=report))["createTrade"]
    assert first["cost"] == 0.30000000000000004
    for _ in range(2):
        assert (await trader.data(CREATE, trade=report | {"cost": 0.3}))["createTrade"] == first | {"cost": 0.3}
    assert (await trader.data(CREATE, trade=report))["createTrade"]["cost"] == 0.3
    assert (await trader.ask(CREATE, trade=report | {"cost": 0.31})).codes == ["CONFLICT"]


async def test_contradicting_report_is_conflict_with_fields(trader: GraphClient, database: Database) -> None:
    await trader.data(CREATE, trade=GOOD)
    before = await stored(database)
    refused = await trader.ask(CREATE, trade=GOOD | {"volume": 0.25, "side": "BUY", "fee": 1.0})
    assert refused.codes == ["CONFLICT"]
    assert refused.errors[0]["message"].endswith("stored with different values: side, volume, fee.")
    elsewhere = {"exTradeId": "T101", "exOrderId": "O1"}  # another user's trade; its ids are unique in the table
    assert (await trader.ask(CREATE, trade=GOOD | elsewhere)).codes == ["CONFLICT"]
    assert await stored(database) == before


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("volume", {"volume": 0}),
        ("price", {"price": -1}),
        ("cost", {"cost": 0}),
        ("cost", {"volume": 1e10, "price": 1e10}),
        ("leverage", {"leverage": 0}),
        ("exTradeId", {"exTradeId": " "}),
        ("exOrderId", {"exOrderId": "x" * 65}),
        ("orderType", {"orderType": ""}),
        ("symbol", {"symbol": "BTC/USD:BTC"}),
    ],
)
async def test_invalid_trade_is_bad_user_input(
    trader: GraphClient, database: Database, field: str, changes: dict[str, Any]
) -> None:
    before = await stored(database)
    refused = await trader.ask(CREATE, trade=GOOD | changes)
    assert (refused.codes, refused.errors[0]["extensions"]["field"]) == (["BAD_USER_INPUT"], field)
    assert await stored(database) == before


async def test_trade_created_by_admin_belongs_to_the_account_owner(graph: GraphClient) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    assert (await admin.data(CREATE, trade=GOOD | {"exId": 30}))["createTrade"]["uid"] == OTHER


async def test_changes_of_foreign_trades_are_not_found(trader: GraphClient) -> None:
    assert (await trader.ask(CREATE, trade=GOOD | {"exId": 30})).codes == ["NOT_FOUND"]
    assert (await trader.ask(UPDATE, trade={"tradeId": 101, "roi": 1.0})).codes == ["NOT_FOUND"]
    assert (await trader.ask("mutation { deleteTrade(tradeId: 101) }")).codes == ["NOT_FOUND"]


async def test_update_trade_changes_given_fields_only(trader: GraphClient, database: Database) -> None:
    await database.rows(update(Trade).where(Trade.trade_id == 8).values(roi_pct=3.0).returning(Trade.trade_id))
    changed = await trader.data(UPDATE, trade={"tradeId": 8, "roi": None, "totalFee": 0.5, "curVolume": -2.0})
    assert changed["updateTrade"] == {"roi": None, "roiPct": 3.0, "totalFee": 0.5, "curVolume": -2.0, "price": 100.0}
    entry = await database.row(select(AuditEntry.operation, AuditEntry.entity, AuditEntry.key))
    assert entry == ("updateTrade", "Trade", "8")


async def test_delete_trade_keeps_its_order(trader: GraphClient) -> None:
    assert await trader.data("mutation { deleteTrade(tradeId: 2) }") == {"deleteTrade": True}
    assert await trader.data("{ trade(tradeId: 2) { tradeId } }") == {"trade": None}
    assert (await trader.data("{ order(orderId: 2) { orderId } }"))["order"] == {"orderId": 2}
