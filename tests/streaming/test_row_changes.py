"""Streams of row changes as subscribers receive them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import ColumnElement, Text, and_, case, cast, delete, func, insert, text, update

from fullon_graphql import models
from fullon_graphql.auth.principal import Principal, Scope
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from fullon_graphql.services import access
from tests.conftest import Count
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import ANONYMOUS, Answer, GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order
from tests.ohlcv.filling import NOON, flat, put_candles

ORDERS = """
subscription ($botId: Int, $after: String) { orders(botId: $botId, after: $after) { cursor kind order { orderId status } } }
"""


@asynccontextmanager
async def listening(
    graph: GraphClient, query: str = ORDERS, **variables: Any
) -> AsyncIterator[AsyncGenerator[Any, None]]:
    """All events of a stream from the beginning of the block."""
    feed = graph.worker.changes
    before = feed.listeners
    async with aclosing(one_by_one(graph, query, **variables)) as events:
        first = asyncio.ensure_future(anext(events))
        await eventually(lambda: feed.listeners != before or first.done(), seconds=60)
        async with aclosing(after_first(first, events)) as all_events:
            yield all_events


async def one_by_one(graph: GraphClient, query: str, **variables: Any) -> AsyncGenerator[Any, None]:
    async with aclosing(graph.stream(query, **variables)) as answers:
        async for answer in answers:
            assert not answer.errors, answer.errors
            [value] = answer.data.values()
            yield value


async def after_first(first: asyncio.Future[Any], rest: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    try:
        yield await first
        async for event in rest:
            yield event
    finally:
        if first.cancel():
            await asyncio.wait([first])


async def take(events: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(60):
        return [await anext(events) for _ in range(count)]


async def refusal(graph: GraphClient, query: str = ORDERS, **variables: Any) -> Answer:
    """The errors of a refused stream."""
    async with aclosing(graph.stream(query, **variables)) as answers, asyncio.timeout(60):
        return await anext(answers)


async def write(database: Database, *statements: Any) -> None:
    """Execute the statements in one transaction."""
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(statement)


def status(order_id: int, text: str) -> Any:
    return update(models.Order).where(models.Order.order_id == order_id).values(status=text)


async def test_owner_receives_changes_of_their_orders(graph: GraphClient, platform: Database) -> None:
    async with listening(graph.as_(principal(TRADER))) as events:
        await add(platform, models.Order, order(100, 1, TRADER, status="New"))
        await write(platform, status(100, "open"))
        [created] = await take(events, 1)
        await write(platform, delete(models.Order).where(models.Order.order_id == 100))
        [updated, deleted] = await take(events, 2)

    assert [event["kind"] for event in (created, updated, deleted)] == ["CREATED", "UPDATED", "DELETED"]
    assert deleted["order"] is None


async def test_each_event_is_sent_once_with_the_current_row(graph: GraphClient, platform: Database) -> None:
    async with listening(graph.as_(principal(TRADER))) as events:
        await write(platform, status(1, "partially_filled"), status(1, "filled"))
        both = await take(events, 2)

    assert [(event["kind"], event["order"]["status"]) for event in both] == [("UPDATED", "filled")] * 2
    assert both[0]["cursor"] != both[1]["cursor"]


async def test_cursor_delivers_all_later_events_then_live_ones(graph: GraphClient, platform: Database) -> None:
    trader = graph.as_(principal(TRADER))
    async with listening(trader) as events:
        for number in (1, 2, 3):
            await write(platform, status(number, "filled"))
        missed = await take(events, 3)

    async with listening(trader, after=missed[0]["cursor"]) as events:
        assert await take(events, 2) == missed[1:]
        await write(platform, status(4, "filled"))
        [live] = await take(events, 1)
    assert live["order"]["orderId"] == 4


async def test_changes_of_other_users_are_not_delivered(graph: GraphClient, platform: Database) -> None:
    async with (
        listening(graph.as_(principal(TRADER))) as own,
        listening(graph.as_(principal(OTHER))) as others,
        listening(graph.as_(principal(ADMIN, admin=True))) as everything,
    ):
        for number in (41, 1, 42):
            await write(platform, status(number, "filled"))
        assert [event["order"]["orderId"] for event in await take(everything, 3)] == [41, 1, 42]
        assert [event["order"]["orderId"] for event in await take(others, 2)] == [41, 42]
        [first] = await take(own, 1)
    assert first["order"]["orderId"] == 1


async def test_order_moved_to_another_user_is_deleted_for_the_first_and_created_for_the_second(
    graph: GraphClient, platform: Database
) -> None:
    async with (
        listening(graph.as_(principal(TRADER))) as giver,
        listening(graph.as_(principal(OTHER))) as taker,
    ):
        await write(platform, update(models.Order).where(models.Order.order_id == 1).values(uid=OTHER, bot_id=6))
        [gone], [new] = await take(giver, 1), await take(taker, 1)

    assert (gone["kind"], gone["order"]) == ("DELETED", None)
    assert (new["kind"], new["order"]["orderId"]) == ("CREATED", 1)


async def test_bot_id_limits_the_stream_to_one_bot(graph: GraphClient, platform: Database) -> None:
    async with listening(graph.as_(principal(TRADER)), botId=3) as events:
        for number in (1, 2, 3):  # of the bots 2, 3 and 4
            await write(platform, status(number, "filled"))
        [event] = await take(events, 1)
    assert event["order"]["orderId"] == 2


@pytest.mark.parametrize("bot_id", [6, 999])
async def test_bot_of_another_user_is_not_found(graph: GraphClient, platform: Database, bot_id: int) -> None:
    assert (await refusal(graph.as_(principal(TRADER)), botId=bot_id)).codes == ["NOT_FOUND"]


async def test_anonymous_subscription_is_unauthenticated(graph: GraphClient, platform: Database) -> None:
    assert (await refusal(graph.as_(ANONYMOUS))).codes == ["UNAUTHENTICATED"]


async def test_credential_without_read_scope_is_forbidden(graph: GraphClient, platform: Database) -> None:
    writer = Principal(TRADER, "user2@fullon", False, "api_key:1", None, frozenset({Scope.WRITE}))
    assert (await refusal(graph.as_(writer))).codes == ["FORBIDDEN"]


async def test_invalid_cursor_is_bad_user_input(graph: GraphClient, platform: Database) -> None:
    answer = await refusal(graph.as_(principal(TRADER)), after="yesterday")
    assert answer.codes == ["BAD_USER_INPUT"]
    assert answer.errors[0]["extensions"]["field"] == "after"


async def test_pruned_cursor_is_cursor_expired(graph: GraphClient, platform: Database) -> None:
    await write(platform, insert(models.ChangesFloor).values(xid=5, seq=1))
    assert (await refusal(graph.as_(principal(TRADER)), after="4-1")).codes == ["CURSOR_EXPIRED"]


async def test_trades_simulated_trades_and_logs_are_streamed(graph: GraphClient, platform: Database) -> None:
    trade = {"uid": TRADER, "ex_id": 20, "symbol": "BTC/USD", "volume": 1, "price": 1, "cost": 1, "fee": 0}
    line = {
        "bot_id": 1, "feed_num": 0, "ex_id": 20, "symbol": "BTC/USD", "position": Decimal("1.50"), "message": "héllo",
        "timestamp": datetime(2026, 1, 31, 12, 0, 0, 250_000, UTC),
    }  # fmt: skip
    trader = graph.as_(principal(TRADER))
    async with (
        listening(trader, "subscription { trades { kind trade { symbol order { orderId } } } }") as trades,
        listening(trader, "subscription { dryTrades(botId: 1) { kind dryTrade { bot { botId } } } }") as dry_trades,
        listening(trader, "subscription { botLogs(botId: 1) { kind botLog { message position timestamp } } }") as logs,
    ):
        await write(
            platform,
            update(models.Order).where(models.Order.order_id == 1).values(ex_order_id="o-1"),
            insert(models.Trade).values(
                **trade, trade_id=1001, ex_trade_id="t-1", ex_order_id="o-1", order_type="limit", side="Buy"
            ),
            insert(models.DryTrade).values(**trade, trade_id=1002, bot_id=1, side="buy"),
            insert(models.BotLog).values(**line),
        )
        assert await take(trades, 1) == [{"kind": "CREATED", "trade": {"symbol": "BTC/USD", "order": {"orderId": 1}}}]
        assert await take(dry_trades, 1) == [{"kind": "CREATED", "dryTrade": {"bot": {"botId": 1}}}]
        [written] = await take(logs, 1)
        await write(platform, delete(models.Simulation), delete(models.Bot).where(models.Bot.bot_id == 1))
        [gone] = await take(logs, 1)

    log = {"message": "héllo", "position": 1.5, "timestamp": "2026-01-31T12:00:00.25+00:00"}
    assert written == {"kind": "CREATED", "botLog": log}
    assert gone == {"kind": "DELETED", "botLog": None}


async def test_audit_log_requires_admin(graph: GraphClient, platform: Database) -> None:
    query = "subscription { auditLog { kind auditEntry { seq operation entity } } }"
    admin = graph.as_(principal(ADMIN, admin=True))
    async with listening(admin, query) as events:
        await admin.data('mutation { createBot(input: {name: "new"}) { botId } }')
        assert await take(events, 1) == [
            {"kind": "CREATED", "auditEntry": {"seq": 1, "operation": "createBot", "entity": "Bot"}}
        ]
    assert (await refusal(graph.as_(principal(TRADER)), query)).codes == ["FORBIDDEN"]


async def test_relations_of_a_batch_of_events_take_one_statement(
    graph: GraphClient, redis: Redis, platform: Database, ohlcv_database: Database, statements: Count
) -> None:
    query = """
    subscription { orders { cursor kind order {
        orderId bot { user { mail } } ticker { last } instrument { symbol candles(timeframe: M1, last: 1) { close } }
    } } }
    """
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 100, 1, last=99.5)])
    await put_candles(ohlcv_database, "BTC/USD", [flat(NOON, price=98)])
    async with listening(graph.as_(principal(TRADER)), query) as events:
        await write(platform, status(1, "filled"))
        [event] = await take(events, 1)
        costs = []
        for count in (1, 5):
            with statements() as sql:
                await write(platform, *(status(number, "open") for number in range(1, 1 + count)))
                await take(events, count)
            costs.append(len([one for one in sql if one.lstrip().startswith("SELECT") and "pg_" not in one]))

    assert event["order"] == {
        "orderId": 1,
        "bot": {"user": {"mail": f"user{TRADER}@fullon"}},
        "ticker": {"last": 99.5},
        "instrument": {"symbol": "BTC/USD", "candles": [{"close": 98}]},
    }
    assert costs == [2, 2]  # the orders with everything in the same database, and the candles


FAULTS = {
    "hangs": case((models.Order.uid == TRADER, cast(func.pg_sleep(3_600), Text)), else_="").is_not(None),
    "raises": (1 / (models.Order.uid - TRADER)).is_not(None),
}
"""Conditions that hold for the orders of every owner but one."""
HANGING = text("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")


@pytest.mark.parametrize("fault", FAULTS)
async def test_faulty_access_rule_of_one_owner_delays_no_other(
    graph: GraphClient, platform: Database, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    class FaultyRule(access.OwnedBy):
        def condition(self, owner: access.Owner) -> ColumnElement[bool]:
            return and_(super().condition(owner), FAULTS[fault])

    rules: dict[Any, access.Rule] = {**access.RULES, models.Order: FaultyRule(models.Order.uid)}
    monkeypatch.setattr(access, "RULES", rules)
    trader, other = graph.as_(principal(TRADER)), graph.as_(principal(OTHER))
    async with aclosing(trader.stream(ORDERS)) as failing, listening(other) as events:
        first = asyncio.ensure_future(anext(failing))
        try:
            await eventually(lambda: graph.worker.changes.listeners == 2)
            await add(platform, models.Order, order(100, 1, TRADER))
            if fault == "hangs":
                await eventually(lambda: platform.rows(HANGING))
            else:
                assert (await first).codes == ["INTERNAL"]
            for number in range(101, 106):
                await add(platform, models.Order, order(number, 3, OTHER))
                [event] = await take(events, 1)
                assert event["order"]["orderId"] == number
            assert first.done() is (fault == "raises")
        finally:
            first.cancel()
            await asyncio.wait([first])


async def test_times_outside_of_the_years_1_to_9999_are_clamped(graph: GraphClient, platform: Database) -> None:
    last, first = "9999-12-31T23:59:59.999999+00:00", "0001-01-01T00:00:00+00:00"
    trader = graph.as_(principal(TRADER))
    async with listening(trader, "subscription { orders { order { orderId timestamp } } }") as events:
        await write(platform, text("UPDATE orders SET timestamp = '-infinity' WHERE order_id = 1"))
        assert await take(events, 1) == [{"order": {"orderId": 1, "timestamp": first}}]
    async with listening(trader, "subscription { botLogs { botLog { message timestamp } } }") as events:
        for time in ("infinity", "12026-01-01", "0044-03-15 BC"):
            await write(
                platform,
                text(
                    "INSERT INTO bot_log (bot_id, feed_num, ex_id, symbol, position, message, timestamp)"
                    f" VALUES (1, 0, 20, 'BTC/USD', 0, '{time}', '{time}')"
                ),
            )
        assert [event["botLog"]["timestamp"] for event in await take(events, 3)] == [last, last, first]
