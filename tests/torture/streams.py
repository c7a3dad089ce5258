"""The streams under test, their clients, and their expected contents from the stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, product
from typing import Final, Protocol, TypeVar

import asyncpg

from fullon_graphql.cache import accounts, tickers
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.ohlcv.naming import candles_table, quoted, schema_name
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services.change_feed.table import Position
from tests.fixtures.rows import ADMIN, OTHER, TRADER
from tests.torture.clients import Event, EventClient, RowClient, StateClient
from tests.torture.deployment import Deployment, redis_client
from tests.torture.platform_sockets import BARS, GATEWAY, PlatformSocket, domain
from tests.torture.transports import TRANSPORTS, OpenStream, graph_transports
from tests.torture.writers import ACCOUNT, CANDLE_SYMBOL


@dataclass(frozen=True)
class EventStream:
    """A stream of events, and the condition that selects them in the feed's table."""

    name: str
    uid: int
    query: str
    changes: str


ALL_ORDERS: Final = EventStream(
    "all orders",
    ADMIN,
    "subscription ($after: String) { orders(after: $after) { cursor kind order { status bot { user { mail } } } } }",
    "entity = 'orders'",
)
EVENTS: Final = (
    EventStream(
        "orders of a trader",
        TRADER,
        "subscription ($after: String) { orders(after: $after) { cursor kind order { orderId bot { botId } } } }",
        f"entity = 'orders' AND uid = {TRADER}",
    ),
    ALL_ORDERS,
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


@dataclass(frozen=True)
class RowStream:
    """A stream of orders that begins with its rows, and the condition that selects them in the table."""

    name: str
    uid: int
    arguments: str
    rows: str

    @property
    def query(self) -> str:
        """The subscription."""
        return (
            "subscription ($after: String) {"
            f" orders(after: $after, snapshot: true{self.arguments}) {{ cursor kind rowId order {{ status }} }} }}"
        )


ROWS: Final = (
    RowStream("rows of a trader", TRADER, "", f"uid = {TRADER}"),
    RowStream("statuses of all rows of a bot", ADMIN, ", botId: 6, changed: [STATUS]", "bot_id = 6"),
    RowStream("rows that match a filter", ADMIN, ', filter: {status: {like: "%n%"}}', "status LIKE '%n%'"),
)
*_, FILTERED = ROWS
"""A status is `New`, then alternately `open`, which matches the filter, and `Filled`."""


@dataclass(frozen=True, eq=False)
class StateStream:
    """A stream of states, each with the number of its step; `transports` has the function that opens it on each."""

    name: str
    transports: Mapping[str, OpenStream]


TICKER: Final = StateStream(
    "ticker",
    graph_transports('subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { symbol step: price } }')
    | {
        "platform socket of a domain": PlatformSocket(
            domain("tickers"),
            {"action": "stream_tickers", "params": {"exchange": "kraken", "symbols": ["BTC/USD"]}},
            step="price",
        )
    },
)
TICKERS: Final = StateStream(
    "tickers",
    graph_transports('subscription { tickers(exchange: "kraken", maxRate: 20) { symbol step: price } }')
    | {
        "platform gateway": PlatformSocket(
            GATEWAY, {"operation": "stream_tickers", "params": {"exchange": "kraken"}}, step="price"
        )
    },
)
POSITIONS: Final = StateStream(
    "positions",
    graph_transports(f"subscription {{ positions(exId: {ACCOUNT}) {{ symbol step: volume }} }}")
    | {
        "platform gateway": PlatformSocket(
            GATEWAY, {"operation": "stream_user_positions", "params": {"exchange": "kraken"}}, step="size"
        ),
        "platform socket of a domain": PlatformSocket(
            domain("accounts"), {"action": "stream_positions", "params": {"ex_id": ACCOUNT}}, step="size"
        ),
    },
)
HOURS: Final = StateStream(
    "hours",
    graph_transports(
        f'subscription {{ candles(exchange: "kraken", symbol: "{CANDLE_SYMBOL}", timeframe: H1)'
        " { candle { symbol: time step: volume } } }"
    )
    | {
        "platform socket of bars": PlatformSocket(
            BARS,
            {"action": "subscribe", "exchange": "kraken", "symbol": CANDLE_SYMBOL, "timeframe": "1h", "type": "ohlcv"},
            step="volume",
            symbol="timestamp",
        )
    },
)
STATES: Final = (TICKER, TICKERS, POSITIONS, HOURS)


def event_clients(deployment: Deployment, count: int, after: str) -> list[tuple[EventStream, EventClient]]:
    """`count` clients, with all streams and transports in turn, that start after the cursor `after`."""
    return [
        (
            stream,
            EventClient(
                stream.name,
                transport,
                graph_transports(stream.query)[transport],
                deployment.url,
                deployment.tokens[stream.uid],
                {"after": after},
            ),
        )
        for transport, stream in islice(cycle(product(TRANSPORTS, EVENTS)), count)
    ]


def row_clients(deployment: Deployment) -> list[tuple[RowStream, RowClient]]:
    """One client of each stream of rows on each transport."""
    return [
        (stream, RowClient(stream.name, transport, open_stream, deployment.url, deployment.tokens[stream.uid]))
        for stream in ROWS
        for transport, open_stream in graph_transports(stream.query).items()
    ]


async def stored_rows(deployment: Deployment) -> dict[RowStream, dict[str, str]]:
    """The status of each order by its id, as each stream of rows should have it."""
    connection = await asyncpg.connect(deployment.settings.database_url, timeout=60)
    try:
        return {
            stream: {
                opaque_ids.encode("Order", row["order_id"]): row["status"]
                for row in await connection.fetch(f"SELECT order_id, status FROM orders WHERE {stream.rows}")
            }
            for stream in ROWS
        }
    finally:
        await connection.close()


def state_clients(deployment: Deployment, count: int) -> list[tuple[StateStream, StateClient]]:
    """`count` clients, with all streams and their transports in turn."""
    transports = (
        (stream, transport, open_stream) for stream in STATES for transport, open_stream in stream.transports.items()
    )
    return [
        (stream, StateClient(stream.name, transport, open_stream, deployment.url, deployment.tokens[TRADER]))
        for stream, transport, open_stream in islice(cycle(transports), count)
    ]


class RecordedStream(Protocol):
    """Events whose condition in the feed's table is known."""

    @property
    def changes(self) -> str: ...


R = TypeVar("R", bound=RecordedStream)


async def recorded_events(deployment: Deployment, streams: Sequence[R]) -> dict[R, list[Event]]:
    """The events of each stream in the feed's table, in order."""
    connection = await asyncpg.connect(deployment.settings.database_url, timeout=60)
    try:
        return {
            stream: [
                Event(Position(row["xid"], row["seq"]).cursor, row["operation"])
                for row in await connection.fetch(
                    f"SELECT xid, seq, operation FROM fullon_graphql.changes WHERE {stream.changes} ORDER BY xid, seq"
                )
            ]
            for stream in streams
        }
    finally:
        await connection.close()


async def newest_states(deployment: Deployment) -> dict[StateStream, dict[str, float]]:
    """The stored step of each symbol, by stream of states."""
    async with redis_client(deployment.settings) as redis:
        prices = {ticker.symbol: ticker.price for ticker in await tickers.read(redis, "kraken")}
        [held] = (await accounts.read_positions(redis, [ACCOUNT])).values()
    return {
        TICKER: {"BTC/USD": prices["BTC/USD"]},
        TICKERS: prices,
        POSITIONS: {position.symbol: position.volume for position in held},
        HOURS: await _hours(deployment),
    }


async def _hours(deployment: Deployment) -> dict[str, float]:
    """The volume of each hour in the table of one-minute candles."""
    connection = await asyncpg.connect(deployment.settings.ohlcv_database_url, timeout=60)
    try:
        table = quoted(schema_name("kraken"), candles_table(CANDLE_SYMBOL, Timeframe.M1))
        rows = await connection.fetch(
            f"SELECT date_trunc('hour', \"timestamp\", 'UTC') AS hour, sum(vol) AS step FROM {table} GROUP BY hour"
        )
    finally:
        await connection.close()
    return {row["hour"].isoformat(): row["step"] for row in rows}
