"""The candle daemon over ccxt, from exchanges with faults: stored candles equal the exchange's, minute by minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from fullon_graphql import models
from fullon_graphql.daemons import ohlcv
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.ohlcv import OhlcvDaemon
from tests.daemons.feeds.conftest import PATH
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.loopback.exchange import LoopbackExchange, until_subscribed
from tests.fixtures.rows import add

SYMBOL = "BTC/USD"
FAULTS: dict[str, Callable[[LoopbackExchange], Awaitable[None]]] = {
    "disconnect": lambda exchange: exchange.disconnect(),
    "silent": lambda exchange: _set(exchange, silent=True),
    "repeat": lambda exchange: _set(exchange, repeat=2),
    "reorder": lambda exchange: _set(exchange, reorder=True),
    "limited": lambda exchange: _set(exchange, too_many_requests=4),
    "refused": lambda exchange: _set(exchange, refuse_sockets=True),
    "healed": lambda exchange: _set(exchange, silent=False, repeat=0, reorder=False, refuse_sockets=False),
}  # fmt: skip


class Clock:
    """The right time, shifted by the test."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._right_time = time.time

    def __call__(self) -> float:
        return self._right_time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the daemon, of the feed and of the exchange."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    monkeypatch.setattr(ohlcv, "PAUSE", 0.01)
    return clock


async def _set(exchange: LoopbackExchange, **faults: object) -> None:
    for name, value in faults.items():
        setattr(exchange.faults, name, value)


@pytest.mark.parametrize(
    "faults",
    [
        ["disconnect", "disconnect", "healed"],
        ["repeat", "reorder", "disconnect", "healed"],
        ["silent", "limited", "disconnect", "healed", "reorder"],
        ["refused", "disconnect", "limited", "healed", "silent", "repeat"],
    ],
    ids="+".join,
)
async def test_candles_equal_the_exchanges_after_faults(
    exchange: LoopbackExchange, resources: Resources, clock: Clock, faults: list[str]
) -> None:
    instrument = exchange.instruments[SYMBOL]
    start = clock() // 60 * 60 - 1200
    for number in range(0, 1200, 25):
        exchange.record(SYMBOL, 100.0 + number % 7, 0.5, at=start + number)

    async def stored() -> list[tuple[float, ...]]:
        rows = await resources.ohlcv_database.rows(
            text(f"SELECT * FROM {exchange.id}.btc_usd_candles1m ORDER BY timestamp")
        )
        return [(row.timestamp.timestamp(), row.open, row.high, row.low, row.close, row.vol) for row in rows]

    resources.settings.market_feed, resources.settings.exchange_urls = PATH, exchange.urls
    resources.settings.candle_history_days = 1
    await add(resources.database, models.CatExchange, {"cat_ex_id": 1, "name": exchange.id})
    await add(resources.database, models.Symbol, {"cat_ex_id": 1, "symbol": SYMBOL, "base": "BTC"})
    daemon = OhlcvDaemon(resources, clock)
    await daemon.start()
    try:
        await until_subscribed(exchange, ("trade", SYMBOL))
        for fault in faults:
            await FAULTS[fault](exchange)
            for number in range(5):
                clock.ahead += 17
                await exchange.trade(SYMBOL, 200.0 + number, 0.25)
                await asyncio.sleep(0.02)  # lets the daemon work in the midst of the faults
        await FAULTS["healed"](exchange)
        clock.ahead += 2 * ohlcv.CHECK
        until = (clock() - ohlcv.SETTLE) // 60 * 60
        await eventually_equal(stored, [row[:6] for row in instrument.candles(0, until)], seconds=40)
    finally:
        await daemon.stop()
