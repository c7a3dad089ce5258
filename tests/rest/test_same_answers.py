"""GraphQL and REST give the same answer to equivalent requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rest import Rest
from tests.fixtures.rows import ADMIN, OTHER, TRADER
from tests.ohlcv.filling import minutes, put_candles

pytestmark = pytest.mark.usefixtures("platform", "_live")

CASES: list[tuple[str, str, str]] = [
    ("orm/users/me", "{ me { ROW } }", "uid mail name lastname active timestamp phone idNum"),
    ("orm/users", "{ users { nodes { ROW } } }", "uid mail role"),
    ("orm/bots", "{ bots { nodes { ROW } } }", "botId uid name active timestamp"),
    ("orm/bots/1", "{ bot(botId: 1) { ROW } }", "botId uid name active timestamp"),
    ("orm/bots/1/exchanges", "{ bot(botId: 1) { exchanges { ROW } } }", "exId uid name test active timestamp"),
    ("orm/bots/1/strategies", "{ bot(botId: 1) { strategies { ROW } } }", "strId catStrId takeProfit leverage pairs"),
    ("orm/exchanges/catalog", "{ catExchanges { ROW } }", "catExId name"),
    ("orm/strategies/catalog", "{ catStrategies { nodes { ROW } } }", "catStrId name takeProfit preLoadBars"),
    ("orm/symbols", "{ symbols { nodes { ROW } } }", "symbolId symbol base quote decimals futures onlyTicker"),
    ("orm/symbols/1", '{ symbol(exchange: "kraken", symbol: "BTC/USD") { ROW } }', "symbolId symbol base quote"),
    ("orm/orders/1", "{ order(orderId: 1) { ROW } }", "orderId botId exId symbol side volume price status timestamp"),
    ("orm/orders?limit=5", "{ orders(first: 5, orderBy: [{field: ORDER_ID, direction: DESC}]) { nodes { ROW } } }",
     "orderId botId side volume finalVolume exOrderId reason"),
    ("orm/orders/by-bot?bot_id=1&limit=1000", "{ bot(botId: 1) { orders(first: 1000, orderBy: [{field: ORDER_ID, direction: DESC}]) { nodes { ROW } } } }",
     "orderId"),
    ("orm/trades/live", "{ trades(orderBy: [{field: TRADE_ID, direction: DESC}]) { nodes { ROW } } }",
     "tradeId exTradeId symbol side volume price cost fee roi time"),
    ("orm/trades", "{ dryTrades(orderBy: [{field: TRADE_ID, direction: DESC}]) { nodes { ROW } } }",
     "tradeId botId side volume cost timestamp"),
    ("cache/tickers/kraken/BTC/USD#ticker", '{ ticker(exchange: "kraken", symbol: "BTC/USD") { ROW } }', "price bid ask last volume"),
    ("ohlcv/candles/kraken/BTC/USD/1m?limit=2#candles", '{ candles(exchange: "kraken", symbol: "BTC/USD", timeframe: M1, last: 2) { ROW } }',
     "open high low close"),
    ("services#services", "{ services { ROW } }", "isRunning startedAt error"),
]  # fmt: skip
"""A route (after `#`, the part of its answer), a query, and the compared fields in GraphQL's spelling."""


@pytest.fixture
async def _live(redis: Redis, ohlcv_database: Database) -> None:
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 3.0, 1_700_000_000.5, bid=2.5)])
    await put_candles(ohlcv_database, "BTC/USD", minutes(0, 1, 4))


@pytest.mark.parametrize(("route", "query", "fields"), CASES)
async def test_rest_and_graphql_answer_alike(
    rest: Rest, graph: GraphClient, route: str, query: str, fields: str
) -> None:
    for uid in (TRADER, OTHER, ADMIN):
        await compare(rest, graph, uid, route, query, fields)


async def compare(rest: Rest, graph: GraphClient, uid: int, route: str, query: str, fields: str) -> None:
    path, _, part = route.partition("#")
    response = await (await rest.as_(uid)).send("GET", path)
    answer = await graph.as_(principal(uid, admin=uid == ADMIN)).ask(query.replace("ROW", fields))
    if response.status_code == 404:  # a look-up by key is null in the graph, without an error
        assert not answer.errors
        assert list(answer.data.values()) == [None]
        return
    if response.status_code != 200:
        assert answer.codes == [response.json()["error"]["code"]]
        return
    assert not answer.errors, answer.errors
    body = response.json()[part] if part else response.json()
    found = body.values() if part == "services" else body if isinstance(body, list) else [body]
    assert [[plain(row[snake(name)]) for name in fields.split()] for row in found] == [
        [plain(row[name]) for name in fields.split()] for row in rows(answer.data)
    ]


def rows(data: Any) -> Iterator[dict[str, Any]]:
    """The innermost objects of an answer."""
    if isinstance(data, list):
        yield from data
    elif len(data) == 1 and isinstance(inner := next(iter(data.values())), (dict, list)):
        yield from rows(inner)
    else:
        yield data


def plain(value: Any) -> Any:
    """Parsed times, and words in lower case: GraphQL has one spelling of sides and roles, the tables have several."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return value.lower()


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
