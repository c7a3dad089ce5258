"""Halting and resuming of trading."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import insert, select, update

from fullon_graphql.cache import keys
from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Bot, BotExchange, Exchange, Order, TradingHalt
from fullon_graphql.services.halt_blocks import BlockKeeper
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add

HALT = """mutation ($scope: HaltScope!, $exId: Int, $botId: Int, $uid: Int, $everyone: Boolean, $cancelOpen: Boolean,
                    $reason: String! = "news", $dryRun: Boolean) {
  haltTrading(scope: $scope, exId: $exId, botId: $botId, uid: $uid, everyone: $everyone, cancelOpen: $cancelOpen,
              reason: $reason, dryRun: $dryRun)
  { haltId scope uid by reason botIds canceledOrderIds blocked { exId symbol } endedAt } }"""
RESUME = (
    "mutation ($haltId: Int!) { resumeTrading(haltId: $haltId) { botIds resumedBotIds endedBy blocked { symbol } } }"
)
STATE = "query ($uid: Int) { tradingState(uid: $uid) { halted halts { haltId uid botIds } } }"
SWITCH_ON = "mutation ($botId: Int!) { updateBot(input: {botId: $botId, active: true}) { active } }"
ORDER = """mutation { createOrder(
  input: {botId: 1, exId: 20, symbol: "BTC/USD", side: BUY, orderType: "market", volume: 1}) { orderId } }"""


@pytest.fixture
async def trading(platform: Database) -> Database:
    """The small platform with the bots 1, 2 and 6 switched on."""
    async with platform.transaction() as connection:
        await connection.execute(update(Bot).where(Bot.bot_id.in_([1, 2, 6])).values(active=True))
    return platform


@pytest.fixture
def trader(graph: GraphClient, trading: Database) -> GraphClient:
    return graph.as_(principal(TRADER))


@pytest.fixture
def admin(graph: GraphClient, trading: Database) -> GraphClient:
    return graph.as_(principal(ADMIN, admin=True))


async def halted(client: GraphClient, scope: str, **arguments: Any) -> Any:
    return (await client.data(HALT, scope=scope, **arguments))["haltTrading"]


async def resumed(client: GraphClient, halt_id: int) -> Any:
    return (await client.data(RESUME, haltId=halt_id))["resumeTrading"]


async def active_bots(database: Database) -> list[int]:
    return [row.bot_id for row in await database.rows(select(Bot.bot_id).where(Bot.active).order_by(Bot.bot_id))]


async def test_halt_of_all_switches_off_own_bots_and_resume_exactly_those(
    trader: GraphClient, trading: Database
) -> None:
    halt = await halted(trader, "ALL")
    assert halt["botIds"] == [1, 2]
    assert halt["canceledOrderIds"] == []
    assert await active_bots(trading) == [6]

    assert await resumed(trader, halt["haltId"]) == {
        "botIds": [1, 2], "resumedBotIds": [1, 2], "endedBy": TRADER, "blocked": [],
    }  # fmt: skip
    assert await active_bots(trading) == [1, 2, 6]


async def test_halt_of_an_account_switches_off_its_bots(trader: GraphClient, trading: Database) -> None:
    halt = await halted(trader, "EXCHANGE", exId=20)
    assert halt["botIds"] == [1]
    assert await active_bots(trading) == [2, 6]


async def test_dry_run_returns_what_would_stop_and_changes_nothing(
    trader: GraphClient, trading: Database, redis: Redis
) -> None:
    tried = await halted(trader, "EXCHANGE", exId=20, cancelOpen=True, dryRun=True)
    assert tried["botIds"] == [1]
    assert tried["blocked"] == [{"exId": 20, "symbol": "BTC/USD"}, {"exId": 20, "symbol": "GOLD"}]
    assert await active_bots(trading) == [1, 2, 6]
    assert await redis.hgetall(keys.BLOCKED_EXCHANGES) == {}
    real = await halted(trader, "EXCHANGE", exId=20, cancelOpen=True)
    assert len(real["canceledOrderIds"]) > 0
    assert real | {"haltId": 0} == tried | {"haltId": 0}


async def test_cancel_open_marks_only_open_orders_of_the_target(trader: GraphClient, trading: Database) -> None:
    async with trading.transaction() as connection:
        await connection.execute(update(Order).values(status="open"))
        await connection.execute(update(Order).where(Order.order_id == 5).values(status="filled"))
    halt = await halted(trader, "BOT", botId=1, cancelOpen=True)
    rows = await trading.rows(select(Order.order_id).where(Order.status == "canceled").order_by(Order.order_id))
    assert halt["canceledOrderIds"] == [row.order_id for row in rows] == [10, 15, 20, 25, 30, 35, 40]


async def test_blocks_are_in_redis_while_trading_is_halted(trader: GraphClient, redis: Redis) -> None:
    await redis.hset(keys.BLOCKED_EXCHANGES, "20:GOLD", "1")  # a bot's own block is kept
    halt = await halted(trader, "ALL")
    assert await redis.hgetall(keys.BLOCKED_EXCHANGES) == {"20:BTC/USD": keys.NO_BOT, "20:GOLD": "1"}
    await resumed(trader, halt["haltId"])
    assert await redis.hgetall(keys.BLOCKED_EXCHANGES) == {"20:GOLD": "1"}


async def test_halt_of_a_bot_blocks_no_instrument(trader: GraphClient, redis: Redis) -> None:
    await halted(trader, "BOT", botId=1)
    assert await redis.hgetall(keys.BLOCKED_EXCHANGES) == {}


async def test_lost_blocks_are_written_again(trader: GraphClient, trading: Database, redis: Redis) -> None:
    await halted(trader, "EXCHANGE", exId=20)
    await redis.flushdb()
    keeper = asyncio.create_task(BlockKeeper(trading, redis, period=0.01).run(lambda: None))

    async def is_blocked() -> bool:
        return bool(await redis.hget(keys.BLOCKED_EXCHANGES, "20:BTC/USD") == keys.NO_BOT)

    await eventually(is_blocked)
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)


async def test_one_process_compares_the_blocks_in_each_period(
    trader: GraphClient, trading: Database, redis: Redis
) -> None:
    await halted(trader, "EXCHANGE", exId=20)
    keepers = [BlockKeeper(trading, redis) for _ in range(3)]
    assert sorted(await asyncio.gather(*(keeper.compare() for keeper in keepers))) == [False, False, True]
    assert 3_500 < await redis.pttl(keys.HALT_BLOCKS) <= 4_000
    await redis.delete(keys.HALT_BLOCKS, keys.BLOCKED_EXCHANGES)  # the next period
    assert await keepers[2].compare()
    assert await redis.hget(keys.BLOCKED_EXCHANGES, "20:BTC/USD") == keys.NO_BOT


async def test_repeated_halt_extends_the_first_one(trader: GraphClient, trading: Database) -> None:
    first = await halted(trader, "ALL")
    async with trading.transaction() as connection:  # as another program may do
        await connection.execute(update(Bot).where(Bot.bot_id == 3).values(active=True))
    second = await halted(trader, "ALL", reason="more news")
    assert (second["haltId"], second["reason"]) == (first["haltId"], "news")
    assert second["botIds"] == [1, 2, 3]
    assert await active_bots(trading) == [6]


async def test_bot_under_another_halt_is_switched_on_by_its_end(trader: GraphClient, trading: Database) -> None:
    all_ = await halted(trader, "ALL")
    one = await halted(trader, "BOT", botId=1)
    assert one["botIds"] == []
    assert (await resumed(trader, all_["haltId"]))["resumedBotIds"] == [2]
    assert await active_bots(trading) == [2, 6]
    assert (await resumed(trader, one["haltId"]))["resumedBotIds"] == [1]
    assert await active_bots(trading) == [1, 2, 6]


async def test_halted_bot_cannot_be_switched_on_by_any_change(trader: GraphClient, trading: Database) -> None:
    halt = await halted(trader, "EXCHANGE", exId=20, reason="maintenance")
    refused = await trader.ask(SWITCH_ON, botId=1)
    assert refused.codes == ["TRADING_HALTED"]
    assert refused.errors[0]["extensions"]["haltId"] == halt["haltId"]
    assert f"resumeTrading(haltId: {halt['haltId']})" in refused.errors[0]["message"]
    assert "'maintenance'" in refused.errors[0]["message"]
    assert (await trader.ask(ORDER)).codes == ["TRADING_HALTED"]
    attach = "mutation { attachExchange(botId: 2, exId: 20) { botId } }"
    assert (await trader.ask(attach)).codes == ["TRADING_HALTED"]
    create = 'mutation { createBot(input: {name: "new", active: true}) { botId } }'
    assert not (await trader.ask(create)).errors
    await halted(trader, "ALL")
    assert (await trader.ask(create)).codes == ["TRADING_HALTED"]
    await resumed(trader, halt["haltId"])
    assert (await trader.ask(SWITCH_ON, botId=1)).codes == ["TRADING_HALTED"]


async def test_foreign_bots_accounts_and_halts_do_not_exist(trader: GraphClient, graph: GraphClient) -> None:
    for scope, arguments in (("BOT", {"botId": 6}), ("EXCHANGE", {"exId": 30})):
        assert (await trader.ask(HALT, scope=scope, **arguments)).codes == ["NOT_FOUND"]
    for foreign in ({"uid": OTHER}, {"everyone": True}):
        assert (await trader.ask(HALT, scope="ALL", **foreign)).codes == ["FORBIDDEN"]
    other = graph.as_(principal(OTHER))
    theirs = await halted(other, "ALL")
    assert (await trader.ask(RESUME, haltId=theirs["haltId"])).codes == ["NOT_FOUND"]
    assert (await trader.data(STATE))["tradingState"] == {"halted": False, "halts": []}
    assert (await trader.ask(STATE, uid=OTHER)).codes == ["NOT_FOUND"]


@pytest.mark.parametrize(
    ("scope", "arguments", "field"),
    [
        ("BOT", {}, "botId"),
        ("EXCHANGE", {"botId": 1}, "botId"),
        ("ALL", {"exId": 20}, "exId"),
        ("BOT", {"botId": 1, "everyone": True}, "everyone"),
        ("ALL", {"reason": " "}, "reason"),
        ("ALL", {"reason": "x" * 201}, "reason"),
    ],
)
async def test_argument_that_does_not_fit_is_refused(
    trader: GraphClient, scope: str, arguments: dict[str, Any], field: str
) -> None:
    refused = await trader.ask(HALT, scope=scope, **arguments)
    assert refused.codes == ["BAD_USER_INPUT"]
    assert refused.errors[0]["extensions"]["field"] == field


async def test_administrator_halts_one_user_or_everybody(
    admin: GraphClient, trader: GraphClient, trading: Database
) -> None:
    one = await halted(admin, "ALL", uid=OTHER)
    assert (one["uid"], one["by"], one["botIds"]) == (OTHER, ADMIN, [6])
    everyone = await halted(admin, "ALL", everyone=True)
    assert (everyone["uid"], everyone["botIds"]) == (None, [1, 2])
    seen = (await trader.data(STATE))["tradingState"]
    assert seen == {"halted": True, "halts": [{"haltId": everyone["haltId"], "uid": None, "botIds": [1, 2]}]}
    assert (await trader.ask(RESUME, haltId=everyone["haltId"])).codes == ["FORBIDDEN"]
    assert (await resumed(admin, everyone["haltId"]))["resumedBotIds"] == [1, 2]
    assert [halt["haltId"] for halt in (await admin.data(STATE, uid=OTHER))["tradingState"]["halts"]] == [one["haltId"]]


async def test_user_cannot_end_the_halt_of_an_administrator(admin: GraphClient, trader: GraphClient) -> None:
    own = await halted(trader, "BOT", botId=1)
    imposed = await halted(admin, "BOT", botId=1)
    assert imposed["haltId"] != own["haltId"]
    assert (await trader.ask(RESUME, haltId=imposed["haltId"])).codes == ["FORBIDDEN"]
    await resumed(trader, own["haltId"])
    assert (await trader.ask(SWITCH_ON, botId=1)).codes == ["TRADING_HALTED"]


async def test_ended_halt_cannot_be_resumed_again(trader: GraphClient) -> None:
    halt = await halted(trader, "ALL")
    await resumed(trader, halt["haltId"])
    assert (await trader.ask(RESUME, haltId=halt["haltId"])).codes == ["CONFLICT"]


async def test_halt_is_one_audit_row_with_bots_and_orders(trader: GraphClient, trading: Database) -> None:
    halt = await halted(trader, "ALL", cancelOpen=True)
    [entry] = await trading.rows(select(AuditEntry))
    assert (entry.operation, entry.entity, entry.key) == ("haltTrading", "TradingHalt", str(halt["haltId"]))
    assert (entry.after["bots"], entry.after["orders"]) == (halt["botIds"], halt["canceledOrderIds"])


async def test_bot_switched_on_while_a_halt_begins_is_halted_or_refused(trader: GraphClient, trading: Database) -> None:
    for _ in range(5):
        (halt, _switched) = await asyncio.gather(halted(trader, "ALL"), trader.ask(SWITCH_ON, botId=4))
        assert await active_bots(trading) == [6]
        await resumed(trader, halt["haltId"])


async def test_bot_with_two_halted_accounts_is_handed_over_once(trader: GraphClient, trading: Database) -> None:
    await add(trading, Exchange, {"ex_id": 23, "uid": TRADER, "cat_ex_id": 1, "name": "third"})
    async with trading.transaction() as connection:
        await connection.execute(insert(BotExchange).values(bot_id=1, ex_id=23))
    first, second, third = [await halted(trader, "EXCHANGE", exId=ex_id) for ex_id in (20, 21, 23)]
    await resumed(trader, first["haltId"])
    owners = {row.halt_id: row.bots for row in await trading.rows(select(TradingHalt))}
    assert owners == {first["haltId"]: [1], second["haltId"]: [1], third["haltId"]: []}
    await resumed(trader, second["haltId"])
    assert (await resumed(trader, third["haltId"]))["resumedBotIds"] == [1]
