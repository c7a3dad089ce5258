"""Visibility and relations of the remaining entities."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys, processes, tickers
from fullon_graphql.cache.client import recorded_commands
from fullon_graphql.cache.processes import Process, ProcessStatus, ProcessType
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.engine.lists.opaque_ids import encode
from tests.fixtures.graph import ANONYMOUS, GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER

pytestmark = pytest.mark.usefixtures("platform")

OWN = {
    "trades": ("tradeId", list(range(1, 10))),
    "dryTrades": ("tradeId", list(range(1, 7))),
    "strategies": ("strId", [1, 2, 3]),
    "feeds": ("feedId", [1, 2, 3]),
    "simulations": ("num", [1, 2]),
    "exchanges": ("exId", [20, 21]),
    "apiKeys": ("apiKeyId", [1, 2]),
    "botLogs": ("message", ["buy", "buy", "sell", "later", "elsewhere"]),
    "exchangeHistory": ("balance", [0.1, 0.1, 0.2, 0.1]),
    "catStrategies": ("catStrId", [1, 2]),
}
"""The trader's rows in each list, by a field that identifies them."""

ONE = {
    "trade": ("tradeId", 1, 101),
    "dryTrade": ("tradeId", 1, 101),
    "strategy": ("strId", 1, 61),
    "feed": ("feedId", 1, 61),
    "simulation": ("num", 1, 61),
    "exchange": ("exId", 20, 30),
    "apiKey": ("apiKeyId", 1, 31),
}
"""Per look-up by key: a row of the trader and a row of another user."""


@pytest.mark.parametrize(("field", "key", "expected"), [(name, *rest) for name, rest in OWN.items()])
async def test_lists_contain_own_rows_only(graph: GraphClient, field: str, key: str, expected: list[Any]) -> None:
    query = f"{{ {field} {{ totalCount nodes {{ {key} }} }} }}"
    found = (await graph.as_(principal(TRADER)).data(query))[field]
    assert [node[key] for node in found["nodes"]] == expected
    assert found["totalCount"] == len(expected)
    everything = (await graph.as_(principal(ADMIN, admin=True)).data(query))[field]
    assert everything["totalCount"] == len(everything["nodes"]) >= len(expected)
    assert (await graph.as_(ANONYMOUS).ask(query)).codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(("field", "key", "own", "foreign"), [(name, *rest) for name, rest in ONE.items()])
async def test_foreign_and_absent_rows_are_null_without_an_error(
    graph: GraphClient, field: str, key: str, own: int, foreign: int
) -> None:
    trader, type_ = graph.as_(principal(TRADER)), field[0].upper() + field[1:]
    node = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await trader.data(f"{{ {field}({key}: {own}) {{ {key} }} }}"))[field][key] == own
    assert (await trader.data(node, id=encode(type_, own)))["node"]["id"] == encode(type_, own)
    for missing in (foreign, 999):
        assert await trader.data(f"{{ {field}({key}: {missing}) {{ {key} }} }}") == {field: None}
        assert await trader.data(node, id=encode(type_, missing)) == {"node": None}
    assert (await graph.as_(principal(OTHER)).data(f"{{ {field}({key}: {foreign}) {{ {key} }} }}"))[field]


async def test_orders_and_trades_are_related_on_the_same_account_only(graph: GraphClient) -> None:
    """Order 1 and the other trader's order 41 have the same id on their exchanges."""
    data = await graph.as_(principal(ADMIN, admin=True)).data(
        "{ own: order(orderId: 1) { exOrderId trades { tradeId side order { orderId } } }"
        " foreign: order(orderId: 41) { exOrderId trades { tradeId order { orderId } } }"
        " none: order(orderId: 40) { exOrderId trades { tradeId } } lost: trade(tradeId: 9) { exchange order { orderId } } }"
    )
    assert data["own"]["exOrderId"] == data["foreign"]["exOrderId"] == "O1"
    assert [(trade["tradeId"], trade["side"]) for trade in data["own"]["trades"]] == [(1, "BUY"), (8, "SELL")]
    assert {trade["order"]["orderId"] for trade in data["own"]["trades"]} == {1}
    assert data["foreign"]["trades"] == [{"tradeId": 101, "order": {"orderId": 41}}]
    assert data["none"] == {"exOrderId": None, "trades": []}
    assert data["lost"] == {"exchange": None, "order": None}


async def test_bot_relations_return_its_rows(graph: GraphClient) -> None:
    data = await graph.as_(principal(TRADER)).data(
        "{ bot(botId: 1) { strategies { strId feedCount catalog { name params { name value } } params { name value }"
        " feeds { feedId order symbol { symbol } bot { botId } } } feeds { feedId } simulations { name json }"
        " dryTrades { nodes { tradeId closingtrade } } logs(last: 1) { nodes { message position timestamp } } } }"
    )
    first, second = data["bot"]["strategies"]
    assert first["catalog"]["params"] == [{"name": "rsi_lower", "value": "40"}, {"name": "rsi_upper", "value": "60"}]
    assert first["params"] == [{"name": "prompt", "value": 'buy "low"'}, {"name": "rsi_upper", "value": "65"}]
    assert [(feed["order"], feed["symbol"]["symbol"]) for feed in first["feeds"]] == [(0, "BTC/USD"), (1, "GOLD")]
    assert (second["strId"], second["feeds"]) == (2, [])
    assert [feed["feedId"] for feed in data["bot"]["feeds"]] == [1, 2]
    assert data["bot"]["simulations"][0]["json"] == {"trades": 12, "roi_pct": 1.5, "note": 'a "quiet" month'}
    assert [trade["tradeId"] for trade in data["bot"]["dryTrades"]["nodes"]] == [2, 4, 6]
    [line] = data["bot"]["logs"]["nodes"]
    assert line == {"message": "later", "position": 1.5, "timestamp": "2026-01-01T12:00:00.000001+00:00"}


async def test_api_key_fields_exclude_the_secret(graph: GraphClient) -> None:
    data = await graph.as_(principal(TRADER)).data("{ me { apiKeys { name scopes isActive expiresAt user { uid } } } }")
    assert data["me"]["apiKeys"][0] == {
        "name": "laptop", "scopes": ["read", "write"], "isActive": True, "expiresAt": None, "user": {"uid": TRADER},
    }  # fmt: skip


@pytest.mark.parametrize(("field", "end"), [("botLogs", "first"), ("exchangeHistory", "first"), ("botLogs", "last")])
async def test_rows_without_a_key_appear_once_per_content(graph: GraphClient, field: str, end: str) -> None:
    """Three of them are stored two or three times."""
    admin, seen, cursor = graph.as_(principal(ADMIN, admin=True)), list[str](), None
    turn = "after" if end == "first" else "before"
    query = f"query ($cursor: String) {{ {field}({end}: 1, {turn}: $cursor) {{ totalCount edges {{ cursor node {{ id }} }} }} }}"
    for _ in range(20):
        page = (await admin.data(query, cursor=cursor))[field]
        if not page["edges"]:
            break
        [edge] = page["edges"]
        cursor = edge["cursor"]
        seen.append(edge["node"]["id"])
        found = await admin.data("query ($id: ID!) { node(id: $id) { id } }", id=seen[-1])
        assert found["node"]["id"] == seen[-1]
    assert len(set(seen)) == len(seen) == page["totalCount"] == {"botLogs": 6, "exchangeHistory": 5}[field]


LIVE = """{ exchanges { nodes { exId blocks { symbol bot { name } } openings { symbol since bot { botId } }
    liveOrders { exOrderId status order { orderId } } } } bots { nodes { botId status { feedNum status } blocks { exId } } } }"""


async def test_live_state_of_all_parents_takes_one_round_trip(graph: GraphClient, redis: Redis) -> None:
    await redis.hset(keys.BOT_STATUS, mapping={"1": '{"0": {"status": "calm"}}', "2": "{corrupt", "6": '{"0": {}}'})
    await redis.hset(keys.BLOCKED_EXCHANGES, mapping={"20:BTC/USD": "1", "20:GOLD": "6", "30:GOLD": "6"})
    await redis.hset(keys.OPENING_POSITIONS, "20:BTC/USD", "1:2026-01-01T12:00:00+00:00")
    await redis.hset(
        keys.order_status("kraken"), mapping={"O1": '{"ex_id": 20, "status": "filled"}', "O2": '{"ex_id": 30}'}
    )
    seen: list[str] = []
    with recorded_commands(seen):
        data = await graph.as_(principal(TRADER)).data(LIVE)
    main, futures = data["exchanges"]["nodes"]
    assert main["blocks"] == [{"symbol": "BTC/USD", "bot": {"name": "bot 1"}}, {"symbol": "GOLD", "bot": None}]
    assert main["openings"] == [{"symbol": "BTC/USD", "since": "2026-01-01T12:00:00+00:00", "bot": {"botId": 1}}]
    assert main["liveOrders"] == [{"exOrderId": "O1", "status": "filled", "order": {"orderId": 1}}]
    assert futures == {"exId": 21, "blocks": [], "openings": [], "liveOrders": []}
    assert [len(bot["status"]) for bot in data["bots"]["nodes"]] == [1, 0, 0, 0, 0]
    assert data["bots"]["nodes"][0]["blocks"] == [{"exId": 20}]
    assert sorted(seen) == [
        *["HGETALL block_exchange"] * 3,  # once for each of three fields, in one round trip with the next
        *["HGETALL opening_position"] * 3,
        *(f"HGETALL order_status:{place}" for place in ("20", "21", "bitmex", "kraken")),
        "HMGET bot_status",
    ]


async def test_trade_ticker_is_the_live_price(graph: GraphClient, redis: Redis) -> None:
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 101, 10)])
    data = await graph.as_(principal(TRADER)).data(
        "{ trades(first: 1) { nodes { exchange instrument { symbolId } account { name } ticker { price } } }"
        " trade(tradeId: 9) { ticker { price } } }"
    )
    [trade] = data["trades"]["nodes"]
    assert trade == {
        "exchange": "kraken", "instrument": {"symbolId": 1}, "account": {"name": "main"}, "ticker": {"price": 101.0},
    }  # fmt: skip
    assert data["trade"]["ticker"] is None


async def test_processes_require_admin(graph: GraphClient, redis: Redis) -> None:
    daemon = Process(ProcessType.TICK, "ticker_daemon", {"pid": 7})
    await processes.register(redis, [daemon])
    await processes.update(redis, [Process(ProcessType.BOT, "bot_1")], ProcessStatus.ERROR, "lost")
    query = """{ processes(type: TICK, component: "ticker_daemon", sinceMinutes: 5) { processId params isStale }
        none: processes(component: "nothing") { processId }
        systemHealth { healthy totalProcesses errorProcesses staleProcesses byType { name count } } }"""
    data = await graph.as_(principal(ADMIN, admin=True)).data(query)
    assert data["processes"] == [{"processId": daemon.id, "params": {"pid": 7}, "isStale": False}]
    assert data["none"] == []
    assert data["systemHealth"] == {
        "healthy": False, "totalProcesses": 2, "errorProcesses": 1, "staleProcesses": 0,
        "byType": [{"name": "bot", "count": 1}, {"name": "tick", "count": 1}],
    }  # fmt: skip
    assert set((await graph.as_(principal(TRADER)).ask(query)).codes) == {"FORBIDDEN"}
    bad = await graph.as_(principal(ADMIN, admin=True)).ask("{ processes(sinceMinutes: 0) { processId } }")
    assert bad.codes == ["BAD_USER_INPUT"]
