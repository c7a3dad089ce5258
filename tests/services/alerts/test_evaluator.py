"""Rules raise alerts, of their owners and of what these may see."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import text, update

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.state import ServiceName
from fullon_graphql.database import Database
from fullon_graphql.models import AlertRule, DryTrade, Order
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.alerts import evaluator
from fullon_graphql.services.alerts.evaluator import AlertEvaluator
from fullon_graphql.services.change_feed.reader import ChangeFeed
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, dry_trade, order

CREATE = "mutation ($input: CreateAlertInput!) { createAlert(input: $input) { ruleId active } }"
EVENTS = "{ alertEvents { nodes { message value condition rule { name } } } }"
PRICE = {"name": "high", "condition": "PRICE_CROSSES", "exchange": "kraken", "symbol": "BTC/USD", "threshold": 100.0}

Evaluate = Callable[[], AbstractAsyncContextManager[Metrics]]


@pytest.fixture
def evaluate(platform: Database, graph: GraphClient, redis: Redis, settings: Settings) -> Evaluate:
    """Runs an evaluator, which reads its rules often."""

    @asynccontextmanager
    async def evaluating() -> AsyncIterator[Metrics]:
        tasks, metrics = BackgroundTasks(), Metrics()
        async with ChangeFeed(platform, graph.worker.redis, 5, tasks) as changes:
            alerts = AlertEvaluator(
                platform, graph.worker.redis, settings, metrics, graph.worker.hub, changes, refresh_seconds=0.02
            )
            async with tasks.running({"alerts": alerts.run}):
                yield metrics

    return evaluating


async def create(client: GraphClient, **values: Any) -> int:
    return int((await client.data(CREATE, input=values))["createAlert"]["ruleId"])


async def messages(client: GraphClient) -> list[str]:
    """The messages of all alerts but the one of the small platform."""
    nodes = (await client.data(EVENTS))["alertEvents"]["nodes"]
    return [node["message"] for node in nodes if node["message"] != "Order 1 of BTC/USD is filled."]


async def tick(redis: Redis, price: float, age: float = 0.0) -> None:
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", price, time.time() - age)])


async def known(database: Database, rule_id: int) -> float | None:
    """The stored value of a rule."""
    row = await database.row(
        text("SELECT last_value FROM fullon_graphql.alert_rules WHERE rule_id = :id"), {"id": rule_id}
    )
    assert row
    return row.last_value  # type: ignore[no-any-return]  # of a text statement


async def test_price_that_crosses_raises_one_alert_for_its_owner(
    graph: GraphClient, platform: Database, redis: Redis, evaluate: Evaluate
) -> None:
    trader = graph.as_(principal(TRADER))
    rule_id = await create(trader, **PRICE, cooldownSeconds=0)
    async with evaluate() as metrics:
        await tick(redis, 99)
        await eventually_equal(lambda: known(platform, rule_id), 99.0)
        await tick(redis, 101)
        await eventually_equal(lambda: messages(trader), ["BTC/USD on kraken is 101: it crosses 100."])
        await tick(redis, 102)
        await tick(redis, 98)
        await eventually(lambda: _count(trader, 2))
        counted = b'fullon_graphql_alerts_total{condition="PRICE_CROSSES"} 2.0'
        await eventually(lambda: counted in metrics.text())  # counted after the commit
    assert await messages(graph.as_(principal(OTHER))) == []
    assert len(await messages(graph.as_(principal(ADMIN, admin=True)))) == 2


async def _count(client: GraphClient, count: int) -> bool:
    return len(await messages(client)) == count


async def test_first_price_crosses_nothing_and_a_crossing_during_a_restart_is_raised(
    graph: GraphClient, platform: Database, redis: Redis, evaluate: Evaluate
) -> None:
    trader = graph.as_(principal(TRADER))
    rule_id = await create(trader, **PRICE)
    await tick(redis, 101)
    async with evaluate():
        await eventually_equal(lambda: known(platform, rule_id), 101.0)
    assert await messages(trader) == []
    await tick(redis, 99)  # while no process evaluates
    async with evaluate():
        await eventually_equal(lambda: messages(trader), ["BTC/USD on kraken is 99: it crosses 100."])


async def test_rule_that_fires_once_is_deactivated(
    graph: GraphClient, platform: Database, redis: Redis, evaluate: Evaluate
) -> None:
    trader = graph.as_(principal(TRADER))
    rule_id = await create(trader, **PRICE, once=True, cooldownSeconds=0)
    async with evaluate():
        await tick(redis, 99)
        await eventually_equal(lambda: known(platform, rule_id), 99.0)
        await tick(redis, 101)
        await eventually(lambda: _count(trader, 1))
    answer = await trader.data(f"{{ alertRule(ruleId: {rule_id}) {{ active lastFiredAt }} }}")
    assert answer["alertRule"]["active"] is False
    assert answer["alertRule"]["lastFiredAt"]


async def test_rule_rests_after_an_alert(
    graph: GraphClient, platform: Database, redis: Redis, evaluate: Evaluate
) -> None:
    trader = graph.as_(principal(TRADER))
    rule_id = await create(trader, **PRICE, cooldownSeconds=3600)
    async with evaluate():
        for price in (99, 101, 98, 102):
            await tick(redis, price)
            await eventually_equal(partial(known, platform, rule_id), float(price))
    assert await messages(trader) == ["BTC/USD on kraken is 101: it crosses 100."]


async def test_change_within_a_window_raises_an_alert(
    graph: GraphClient, platform: Database, redis: Redis, evaluate: Evaluate
) -> None:
    trader = graph.as_(principal(TRADER))
    window = {"name": "w", "condition": "CHANGE_PERCENT", "exchange": "kraken", "symbol": "BTC/USD"}
    price = await create(trader, **PRICE)
    await create(trader, **window, threshold=5.0, windowSeconds=10, direction="BELOW")
    async with evaluate():
        await tick(redis, 100, age=20)
        await eventually_equal(lambda: known(platform, price), 100.0)
        await tick(redis, 90)
        await eventually_equal(lambda: messages(trader), ["BTC/USD on kraken has changed by -10.00 % in 10 s, to 90."])


async def test_stale_feed_raises_an_alert(graph: GraphClient, redis: Redis, evaluate: Evaluate) -> None:
    trader = graph.as_(principal(TRADER))
    await create(trader, name="s", condition="FEED_STALE", exchange="kraken", symbol="BTC/USD", threshold=30.0)
    await tick(redis, 100, age=60)
    async with evaluate():
        await eventually(lambda: _count(trader, 1))
    [message] = await messages(trader)
    assert re.fullmatch(r"The last ticker of BTC/USD on kraken is 6\d s old\.", message)


async def test_failed_service_raises_an_alert_for_administrators(
    graph: GraphClient, redis: Redis, evaluate: Evaluate
) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    rule = {"name": "f", "condition": "SERVICE_FAILED", "service": "TICKER"}
    assert (await graph.as_(principal(TRADER)).ask(CREATE, input=rule)).codes == ["FORBIDDEN"]
    await create(admin, **rule)
    async with evaluate():
        await redis.hset(keys.service_desired(ServiceName.TICKER), mapping={"running": "1", "generation": "1"})
        await redis.set(keys.service_lease(ServiceName.TICKER), "1:host:1:a")
        report: dict[Any, Any] = {
            "fence": "1",
            "state": "failed",
            "generation": "1",
            "started_at": "",
            "heartbeat_at": "",
            "error": "x",
        }
        await redis.hset(keys.service_report(ServiceName.TICKER), mapping=report)
        await eventually_equal(lambda: messages(admin), ["Failed: TICKER."])


async def test_drawdown_of_a_bot_raises_an_alert(
    graph: GraphClient, platform: Database, redis: Redis, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluator, "DRAWDOWN_SECONDS", 0.05)
    trader = graph.as_(principal(TRADER))
    await platform.rows(text("UPDATE bots SET dry_run = true WHERE bot_id = 1 RETURNING 1"))
    rule = {"name": "d", "condition": "DRAWDOWN", "botId": 1, "currency": "USD", "capital": 1000.0, "threshold": 10.0}
    await create(trader, **rule)
    async with evaluate():
        await add(platform, DryTrade, dry_trade(1001, 1, TRADER, closingtrade=True, roi=-200.0, roi_pct=-20.0))
        await eventually_equal(lambda: messages(trader), ["The drawdown of bot 1 is 20.00 %."])


async def test_state_of_an_order_raises_one_alert_per_order(
    graph: GraphClient, platform: Database, evaluate: Evaluate
) -> None:
    trader = graph.as_(principal(TRADER))
    await create(trader, name="o", condition="ORDER_STATE", statuses=["Filled"], cooldownSeconds=0)
    async with evaluate():
        await add(platform, Order, order(1001, 6, OTHER, status="filled"), order(1002, 1, TRADER))
        await change_order(platform, 1002, status="filled")
        await eventually(lambda: _count(trader, 1))
        await change_order(platform, 1002, price=5.0)
        await add(platform, Order, order(1003, 1, TRADER, status="FILLED"))
        await eventually(lambda: _count(trader, 2))
    await add(platform, Order, order(1004, 1, TRADER, status="filled"))  # while no process evaluates
    async with evaluate():
        await eventually(lambda: _count(trader, 3))
    assert await messages(trader) == [
        "Order 1002 of BTC/USD is filled.", "Order 1003 of BTC/USD is FILLED.", "Order 1004 of BTC/USD is filled.",
    ]  # fmt: skip


async def change_order(database: Database, order_id: int, **values: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(Order).where(Order.order_id == order_id).values(values))


async def test_alerts_stream_resumes_after_a_cursor(graph: GraphClient, platform: Database, evaluate: Evaluate) -> None:
    trader = graph.as_(principal(TRADER))
    await create(trader, name="o", condition="ORDER_STATE", statuses=["filled"], cooldownSeconds=0)
    stream = "subscription ($after: String) { alerts(after: $after) { cursor kind alertEvent { message } } }"
    before = (await trader.data("{ alertEvents { cursor } }"))["alertEvents"]["cursor"]
    async with evaluate():
        await add(platform, Order, order(1001, 1, TRADER, status="filled"), order(1002, 1, TRADER, status="filled"))
        await eventually(lambda: _count(trader, 2))
    async with aclosing(trader.stream(stream, after=before)) as events:
        first = (await anext(events)).data["alerts"]
    assert (first["kind"], first["alertEvent"]["message"]) == ("CREATED", "Order 1001 of BTC/USD is filled.")
    async with aclosing(trader.stream(stream, after=first["cursor"])) as events:
        second = (await anext(events)).data["alerts"]
    assert second["alertEvent"]["message"] == "Order 1002 of BTC/USD is filled."


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"condition": "PRICE_CROSSES", "exchange": "kraken", "symbol": "BTC/USD"}, "threshold"),
        ({**PRICE, "threshold": -1.0}, "threshold"),
        ({**PRICE, "symbol": "NONE"}, "symbol"),
        ({**PRICE, "botId": 1}, "botId"),
        ({"condition": "ORDER_STATE", "statuses": []}, "statuses"),
    ],
)
async def test_rule_with_wrong_parameters_is_refused(
    graph: GraphClient, platform: Database, values: dict[str, Any], field: str
) -> None:
    answer = await graph.as_(principal(TRADER)).ask(CREATE, input={"name": "x", **values})
    assert [error["extensions"] for error in answer.errors] == [{"code": "BAD_USER_INPUT", "field": field}]


async def test_number_of_rules_is_limited(graph: GraphClient, platform: Database, settings: Settings) -> None:
    trader = graph.as_(principal(TRADER))
    rule = {"uid": TRADER, "name": "x", "condition": "ORDER_STATE", "direction": "ANY", "statuses": ["filled"]}
    rows = ({**rule, "once": False, "cooldown_seconds": 0} for _ in range(settings.alert_rules_per_user))
    await add(platform, AlertRule, *rows)
    assert (await trader.ask(CREATE, input=PRICE)).codes == ["CONFLICT"]
