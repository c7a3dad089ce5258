"""What is followed, by whom, and what the stores say to it in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice, product
from typing import Final

import asyncpg

from fullon_graphql.cache import accounts, tickers
from fullon_graphql.ohlcv.naming import candles_table, quoted, schema_name
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services.change_feed.table import Position
from tests.fixtures.rows import ADMIN, OTHER, TRADER
from tests.torture.followers import Event, EventFollower, StateFollower
from tests.torture.plain import BARS, GATEWAY, Plain, domain
from tests.torture.stage import Stage, client
from tests.torture.transports import TRANSPORTS, Way, on_the_graph
from tests.torture.writers import ACCOUNT, CANDLES


@dataclass(frozen=True)
class EventStream:
    """A stream of events, and the condition on the feed's table that says which."""

    name: str
    uid: int
    query: str
    changes: str


EVENTS: Final = (
    EventStream(
        "orders of a trader",
        TRADER,
        "subscription ($after: String) { orders(after: $after) { cursor kind order { orderId bot { botId } } } }",
        f"entity = 'orders' AND uid = {TRADER}",
    ),
    EventStream(
        "orders of everybody",
        ADMIN,
        "subscription ($after: String) { orders(after: $after) { cursor kind order { status bot { user { mail } } } } }",
        "entity = 'orders'",
    ),
    EventStream(
        "orders of a bot",
        TRADER,
        "subscription ($after: String) { orders(after: $after, botId: 1) { cursor kind } }",
        f"entity = 'orders' AND uid = {TRADER} AND bot_id = 1",
    ),
    EventStream(
        "trades of another trader",
        OTHER,
        "subscription ($after: String) { trades(after: $after) { cursor kind trade { tradeId } } }",
        f"entity = 'trades' AND uid = {OTHER}",
    ),
    EventStream(
        "logs of a trader",
        TRADER,
        "subscription ($after: String) { botLogs(after: $after) { cursor kind botLog { message } } }",
        f"entity = 'bot_log' AND uid = {TRADER}",
    ),
)


@dataclass(frozen=True, eq=False)
class StateStream:
    """A stream of states, each with the number of the step that it comes from, and every way to it by its transport."""

    name: str
    ways: Mapping[str, Way]


TICKER: Final = StateStream(
    "ticker",
    on_the_graph('subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { symbol step: price } }')
    | {
        "a plain domain": Plain(
            domain("tickers"),
            {"action": "stream_tickers", "params": {"exchange": "kraken", "symbols": ["BTC/USD"]}},
            step="price",
        )
    },
)
TICKERS: Final = StateStream(
    "tickers",
    on_the_graph('subscription { tickers(exchange: "kraken", maxRate: 20) { symbol step: price } }')
    | {
        "the plain gateway": Plain(
            GATEWAY, {"operation": "stream_tickers", "params": {"exchange": "kraken"}}, step="price"
        )
    },
)
POSITIONS: Final = StateStream(
    "positions",
    on_the_graph(f"subscription {{ positions(exId: {ACCOUNT}) {{ symbol step: volume }} }}")
    | {
        "the plain gateway": Plain(
            GATEWAY, {"operation": "stream_user_positions", "params": {"exchange": "kraken"}}, step="size"
        ),
        "a plain domain": Plain(
            domain("accounts"), {"action": "stream_positions", "params": {"ex_id": ACCOUNT}}, step="size"
        ),
    },
)
HOURS: Final = StateStream(
    "hours",
    on_the_graph(
        f'subscription {{ candles(exchange: "kraken", symbol: "{CANDLES}", timeframe: H1)'
        " { candle { symbol: time step: volume } } }"
    )
    | {
        "plain bars": Plain(
            BARS,
            {"action": "subscribe", "exchange": "kraken", "symbol": CANDLES, "timeframe": "1h", "type": "ohlcv"},
            step="volume",
            symbol="timestamp",
        )
    },
)
STATES: Final = (TICKER, TICKERS, POSITIONS, HOURS)


def event_followers(stage: Stage, count: int, after: str) -> list[tuple[EventStream, EventFollower]]:
    """So many clients, with all streams and transports in turn, from the cursor `after` on."""
    return [
        (
            stream,
            EventFollower(
                stream.name,
                transport,
                on_the_graph(stream.query)[transport],
                stage.server.url,
                stage.tokens[stream.uid],
                {"after": after},
            ),
        )
        for transport, stream in islice(cycle(product(TRANSPORTS, EVENTS)), count)
    ]


def state_followers(stage: Stage, count: int) -> list[tuple[StateStream, StateFollower]]:
    """So many clients, with all streams and the ways to them in turn."""
    ways = ((stream, transport, way) for stream in STATES for transport, way in stream.ways.items())
    return [
        (stream, StateFollower(stream.name, transport, way, stage.server.url, stage.tokens[TRADER]))
        for stream, transport, way in islice(cycle(ways), count)
    ]


async def happened(stage: Stage) -> dict[EventStream, list[Event]]:
    """What the feed's table says of each stream, in order."""
    connection = await asyncpg.connect(stage.settings.database_url, timeout=60)
    try:
        return {
            stream: [
                Event(Position(row["xid"], row["seq"]).cursor, row["operation"])
                for row in await connection.fetch(
                    f"SELECT xid, seq, operation FROM fullon_graphql.changes WHERE {stream.changes} ORDER BY xid, seq"
                )
            ]
            for stream in EVENTS
        }
    finally:
        await connection.close()


async def newest(stage: Stage) -> dict[StateStream, dict[str, float]]:
    """What the stores say of each stream of states: the step of each symbol."""
    async with client(stage.settings) as redis:
        prices = {ticker.symbol: ticker.price for ticker in await tickers.read(redis, "kraken")}
        [held] = (await accounts.read_positions(redis, [ACCOUNT])).values()
    return {
        TICKER: {"BTC/USD": prices["BTC/USD"]},
        TICKERS: prices,
        POSITIONS: {position.symbol: position.volume for position in held},
        HOURS: await _hours(stage),
    }


async def _hours(stage: Stage) -> dict[str, float]:
    """What the table of minutes says of each hour: its volume."""
    connection = await asyncpg.connect(stage.settings.ohlcv_database_url, timeout=60)
    try:
        table = quoted(schema_name("kraken"), candles_table(CANDLES, Timeframe.M1))
        rows = await connection.fetch(
            f"SELECT date_trunc('hour', \"timestamp\", 'UTC') AS hour, sum(vol) AS step FROM {table} GROUP BY hour"
        )
    finally:
        await connection.close()
    return {row["hour"].isoformat(): row["step"] for row in rows}
