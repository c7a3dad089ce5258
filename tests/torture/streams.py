"""What is followed, by whom, and what the stores say to it in the end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice, product
from typing import Final

import asyncpg

from fullon_graphql.cache import accounts, tickers
from fullon_graphql.services.changes import Position
from tests.fixtures.rows import ADMIN, OTHER, TRADER
from tests.torture.followers import Event, EventFollower, StateFollower
from tests.torture.stage import Stage, client
from tests.torture.transports import TRANSPORTS
from tests.torture.writers import ACCOUNT


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


@dataclass(frozen=True)
class StateStream:
    """A stream of states, each with the number of the step that it comes from."""

    name: str
    query: str


TICKER: Final = StateStream(
    "ticker", 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { symbol step: price } }'
)
TICKERS: Final = StateStream(
    "tickers", 'subscription { tickers(exchange: "kraken", maxRate: 20) { symbol step: price } }'
)
POSITIONS: Final = StateStream("positions", f"subscription {{ positions(exId: {ACCOUNT}) {{ symbol step: volume }} }}")
STATES: Final = (TICKER, TICKERS, POSITIONS)


def event_followers(stage: Stage, count: int, after: str) -> list[tuple[EventStream, EventFollower]]:
    """So many clients, with all streams and transports in turn, from the cursor `after` on."""
    return [
        (
            stream,
            EventFollower(
                f"{stream.name} by {transport}",
                TRANSPORTS[transport],
                stage.server.url,
                stage.tokens[stream.uid],
                stream.query,
                {"after": after},
            ),
        )
        for transport, stream in islice(cycle(product(TRANSPORTS, EVENTS)), count)
    ]


def state_followers(stage: Stage, count: int) -> list[tuple[StateStream, StateFollower]]:
    """So many clients, with all streams and transports in turn."""
    return [
        (
            stream,
            StateFollower(
                f"{stream.name} by {transport}",
                TRANSPORTS[transport],
                stage.server.url,
                stage.tokens[TRADER],
                stream.query,
            ),
        )
        for transport, stream in islice(cycle(product(TRANSPORTS, STATES)), count)
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
    """What Redis says of each stream of states: the step of each symbol."""
    async with client(stage.settings) as redis:
        prices = {ticker.symbol: ticker.price for ticker in await tickers.read(redis, "kraken")}
        [held] = (await accounts.read_positions(redis, [ACCOUNT])).values()
    return {
        TICKER: {"BTC/USD": prices["BTC/USD"]},
        TICKERS: prices,
        POSITIONS: {position.symbol: position.volume for position in held},
    }
