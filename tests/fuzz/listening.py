"""Streams that stay open while their sources are damaged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.socket import socket
from tests.fuzz.world import FAULT, SHOWN, World

STREAMS: Final = (
    'ticker(exchange: "kraken", symbol: "BTC/USD") { symbol price volume bid ask last change percentage time ageMs }',
    'tickers(exchange: "kraken") { symbol price volume bid ask last change percentage time ageMs }',
    'candles(exchange: "kraken", symbol: "BTC/USD", timeframe: M1, last: 3) { closed candle { time open high low close volume } }',
    "balances(exId: 20) { currency total free used updatedAt }",
    "positions(exId: 20) { symbol side volume price cost marketPrice unrealizedPnl timestamp }",
    "botStatus(botId: 1) { feedNum status symbol period performance timestamp data }",
    "orders { kind order { orderId side volume price status timestamp bot { name } instrument { base } } }",
    "trades { kind trade { tradeId side volume price cost fee roi time instrument { base } } }",
    "dryTrades { kind dryTrade { tradeId side volume price cost fee roi timestamp } }",
    "botLogs { kind botLog { message position timestamp } }",
)
ADMIN_STREAMS: Final = (
    *STREAMS,
    "processes { processId type component params status heartbeatAt }",
    "serviceStatus { name state }",
)
ENDED: Final = ('"type":"error"', '"type":"complete"')


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[Callable[[], list[str]]]:
    """All subscriptions of two callers in the block. Yields a function that returns the violations since its last call."""
    wrong: list[str] = []
    async with socket(world.server) as trader, socket(world.server) as admin, asyncio.TaskGroup() as group:
        tasks = []
        for client, uid, streams in ((trader, TRADER, STREAMS), (admin, ADMIN, ADMIN_STREAMS)):
            await client.sign_in({"authorization": f"Bearer {world.tokens[uid]}"})
            for number, stream in enumerate(streams):
                await client.subscribe(str(number), f"subscription {{ {stream} }}")
            tasks.append(group.create_task(_collect(client.connection, wrong)))

        def taken() -> list[str]:
            found = wrong[:]
            wrong.clear()
            return found

        yield taken
        for task in tasks:
            task.cancel()


async def _collect(connection: ClientConnection, wrong: list[str]) -> None:
    try:
        async for message in connection:
            text = str(message)
            if FAULT.search(text) or any(mark in text for mark in ENDED):
                wrong.append(f"stream: {text[:SHOWN]}")
    except ConnectionClosed:
        pass
    wrong.append(f"streams: closed with {connection.close_code} {connection.close_reason}")
