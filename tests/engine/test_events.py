"""Events: a batch of events is executed at the cost of one, with the responses of the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from fullon_graphql.auth.principal import Principal
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.engine.errors import body
from fullon_graphql.engine.events import Subscription
from fullon_graphql.engine.model.entities import entity_of
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.schema import tickers as schema
from fullon_graphql.schema.alerts import AlertEvent, AlertStreamEvent
from fullon_graphql.schema.audit import AuditEntry, AuditEvent
from fullon_graphql.schema.bot_logs import BotLog, BotLogEvent
from fullon_graphql.schema.dry_trades import DryTrade, DryTradeEvent
from fullon_graphql.schema.orders import Order, OrderEvent
from fullon_graphql.schema.support.changes import RowEvent
from fullon_graphql.schema.trades import Trade, TradeEvent
from fullon_graphql.services.access import SCOPES
from fullon_graphql.services.change_feed.table import ChangeKind
from tests.conftest import Count
from tests.engine.operations import in_order
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER

ADMINISTRATOR = principal(ADMIN, admin=True)
CALLERS = {"trader": principal(TRADER), "other": principal(OTHER), "administrator": ADMINISTRATOR}

STREAMS: dict[str, tuple[type[Any], type[RowEvent], str]] = {
    "orders": (
        Order,
        OrderEvent,
        "subscription { orders { cursor kind order { id orderId side status volume timestamp bot { name user { mail } }"
        " user { uid } ticker { last } instrument { symbol exchange { name } } trades { tradeId } } } }",
    ),
    "trades": (
        Trade,
        TradeEvent,
        "subscription { trades { __typename kind trade { id side cost roi order { orderId bot { name } } } c: cursor } }",
    ),
    "dry trades": (
        DryTrade,
        DryTradeEvent,
        "subscription { dryTrades { dryTrade { id volume bot { botId orders(last: 2) { nodes { status } } } } } }",
    ),
    "logs": (BotLog, BotLogEvent, "subscription { botLogs { kind botLog { id message position timestamp bot { name } } } }"),
    "alerts": (AlertEvent, AlertStreamEvent, "subscription { alerts { kind alertEvent { id message rule { name } } } }"),
    "audit log": (AuditEntry, AuditEvent, "subscription { auditLog { auditEntry { id seq operation entity time } } }"),
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """A subscription of a caller."""

    subscription: Subscription
    context: Context

    async def planned(self, events: Sequence[RowEvent]) -> list[Any]:
        answers = await self.subscription._planned(self.context.fork(), events)
        assert answers is not None, "executed by the reference"
        return [in_order(orjson.loads(answer)) for answer in answers]

    async def by_reference(self, events: Sequence[object]) -> list[Any]:
        results = [await self.subscription._reference(self.context.fork(), event) for event in events]
        return [in_order(orjson.loads(body(result, self.context.request_id))) for result in results]


async def stage(graph: GraphClient, caller: Principal, query: str) -> Stage:
    context = Context(graph.worker, caller=caller)
    return Stage(await OperationExecutor(graph.graph.core).subscription(Request(query, None, {}), context), context)


async def events_of(database: Database, row: type[Any], event: type[RowEvent]) -> list[RowEvent]:
    """An event for each row of any owner, one for a deleted row, and a repeated one."""
    entity = entity_of(row)
    rows = await database.rows(entity.rows(ADMINISTRATOR).order_by(*entity.key))
    keys = [entity.key_of(entity.build(each._asdict())) for each in rows]
    assert keys, f"no {entity.name} in the database"
    return [
        event(cursor=f"1-{number:x}", kind=ChangeKind.UPDATED, key=key, at=1.0)
        for number, key in enumerate([*keys, None, keys[0]])
    ]


@pytest.fixture(autouse=True)
async def _something_of_everything(graph: GraphClient, platform: Database, redis: Redis) -> None:
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 100, 1, last=99.5)])
    await graph.as_(ADMINISTRATOR).data('mutation { createBot(input: {name: "new"}) { botId } }')


@pytest.mark.parametrize(
    ("name", "caller"),
    [(name, caller) for name in STREAMS for caller in CALLERS if name != "audit log" or caller == "administrator"],
)
async def test_batch_of_events_has_the_responses_of_the_reference(
    graph: GraphClient, platform: Database, name: str, caller: str
) -> None:
    row, event, query = STREAMS[name]
    staged = await stage(graph, CALLERS[caller], query)
    events = await events_of(platform, row, event)
    assert await staged.planned(events) == await staged.by_reference(events)


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "audit log"])
async def test_scopes_limit_a_batch_of_events_as_the_reference(
    graph: GraphClient, platform: Database, name: str
) -> None:
    row, event, query = STREAMS[name]
    fine, events = {scope for scope in SCOPES if scope.endswith(":read")}, await events_of(platform, row, event)
    planned, refused = set(), set()
    for missing in fine:
        limited = replace(principal(TRADER), credential="api_key:1", scopes=frozenset(fine - {missing}))
        staged = await stage(graph, limited, query)
        by_reference = await staged.by_reference(events)
        if await staged.subscription._planned(staged.context.fork(), events) is not None:
            assert await staged.planned(events) == by_reference
            planned.add(missing)
        if any("errors" in dict(response) for response in by_reference):
            refused.add(missing)
    assert planned
    assert refused
    assert not planned & refused


async def test_error_of_one_event_does_not_affect_the_others(graph: GraphClient, platform: Database) -> None:
    row, event, query = STREAMS["orders"]
    staged = await stage(graph, ADMINISTRATOR, query)
    events = await events_of(platform, row, event)
    async with platform.transaction() as connection:
        await connection.exec_driver_sql("UPDATE orders SET side = 'hold' WHERE order_id = 1")
    answers = [orjson.loads(answer) for answer in await staged.subscription.answers(staged.context, events)]
    assert [in_order(answer) for answer in answers] == await staged.by_reference(events)
    assert ["errors" in answer for answer in answers] == [event.key in {events[0].key} for event in events]


async def test_batch_of_events_costs_the_statements_of_one(
    graph: GraphClient, platform: Database, statements: Count, redis_calls: Count
) -> None:
    row, event, query = STREAMS["orders"]
    staged = await stage(graph, principal(TRADER), query)
    events = await events_of(platform, row, event)
    costs = []
    for count in (1, 10):
        with statements() as sql, redis_calls() as calls:
            assert len(await staged.subscription.answers(staged.context, events[:count])) == count
        costs.append((len(sql), len([call for call in calls if "HMGET" in call])))
    assert costs == [(1, 1), (1, 1)]


PLAIN = 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { symbol price bid spread time } }'


async def test_events_without_stores_are_answered_at_once_as_by_the_reference(graph: GraphClient) -> None:
    staged = await stage(graph, principal(TRADER), PLAIN)
    events = [schema.Ticker.from_record(Ticker("kraken", "BTC/USD", price, 1, bid=price - 1)) for price in (100, 0.1)]
    answers = staged.subscription.immediate_answers(staged.context, events)
    assert answers == await staged.subscription.answers(staged.context, events)
    assert [in_order(orjson.loads(answer)) for answer in answers or ()] == await staged.by_reference(events)


@pytest.mark.parametrize(
    ("query", "price"), [(PLAIN, math.nan), (PLAIN.replace("spread", "instrument { symbolId }"), 100)]
)
async def test_events_with_errors_or_stores_are_not_answered_at_once(
    graph: GraphClient, query: str, price: float
) -> None:
    staged = await stage(graph, principal(TRADER), query)
    events = [schema.Ticker.from_record(Ticker("kraken", "BTC/USD", price, 1))]
    assert staged.subscription.immediate_answers(staged.context, events) is None
    [answer] = await staged.subscription.answers(staged.context, events)
    assert ("errors" in orjson.loads(answer)) == math.isnan(price)
