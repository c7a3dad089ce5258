"""A simulated market: plausible prices that depend on the seed and the time only.

The price at a time is computed without the prices before it. Every process therefore sees the same market, also after a
restart, candles agree with tickers, and the generated history ends at the live prices.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.market_feeds import FeedState
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.daemons.feeds.market_feed import (
    CandlePage,
    FeedHealth,
    LiveFrom,
    Market,
    MarketTrade,
    StreamKind,
    TradePage,
)
from fullon_graphql.daemons.minute_bars import MINUTE, MinuteBars

STEP: Final = 0.25
"""Seconds between two tickers of a symbol."""

CATCH_UP: Final = 240
"""A delayed stream delivers at most this many steps of the past."""

PAGE: Final = 60
"""Minutes in a page of candles or trades of the past."""

MEMORY: Final = 2 * 3600
"""Seconds of the past that the market remembers. The past of seven instruments takes 5 s of processor time."""

TRADE_CHANCE: Final = 0.5
TRADE_WORTH: Final = 500.0
DAILY_WORTH: Final = 2_000_000.0
"""The probability of a trade at a step; the average value of a trade and of a day's trades, in dollars."""

BUY_CHANCE: Final = 0.5
SMALLEST_VOLUME: Final = 1e-6

DAY: Final = 86_400.0
DAILY_MOVE: Final = 0.03
OCTAVES: Final = 13
"""A price is a sum of waves of 1 s, 4 s, 16 s … half a year."""

USUAL_PRICES: Final = {
    "BTC": 64_000.0,
    "XBT": 64_000.0,
    "ETH": 3_100.0,
    "SOL": 150.0,
    "XRP": 0.55,
    "GOLD": 2_350.0,
    "SPX": 5_300.0,
}
DOLLARS: Final = frozenset({"USD", "USDT", "USDC"})


class Prices:
    """The price of every symbol at every time. Equal seeds give equal prices."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._factors: dict[tuple[str, str], float] = {}

    def anchor(self, exchange: str, symbol: str, price: float, at: float) -> None:
        """Scale the prices of a symbol, so that its price at `at` (unix seconds) is `price`."""
        self._factors.pop((exchange, symbol), None)
        self._factors[exchange, symbol] = price / self.price(exchange, symbol, at)

    def price(self, exchange: str, symbol: str, at: float) -> float:
        """The price of a symbol at `at` (unix seconds), in its quote currency.

        Exchanges differ by less than 0.1 %.
        """
        base, quote = currencies(symbol)
        premium = 0.0004 * self._wave(f"{exchange}:{symbol}", 4, at)
        factor = self._factors.get((exchange, symbol), 1.0)
        return rounded(self.dollars(base, at) / self.dollars(quote, at) * (1 + premium) * factor)

    def dollars(self, currency: str, at: float) -> float:
        """The price of a currency in dollars."""
        if currency in DOLLARS:
            return 1.0
        usual = USUAL_PRICES.get(currency) or 1 + 99 * self.chance(f"usual:{currency}", 0)
        return usual * math.exp(sum(_amplitude(octave) * self._wave(currency, octave, at) for octave in range(OCTAVES)))

    def chance(self, subject: str, step: int) -> float:
        """A pseudo-random number in [0, 1) for a subject and a step."""
        return (_noise(f"{self._seed}:{subject}", 0, step) + 1) / 2

    def _wave(self, subject: str, octave: int, at: float) -> float:
        """Smooth noise in [-1, 1] with a period of about 4^octave seconds."""
        position = at / 4.0**octave
        left = math.floor(position)
        part = position - left
        weight = part * part * (3 - 2 * part)  # smooth at both ends
        key = f"{self._seed}:{subject}"
        return _noise(key, octave, left) * (1 - weight) + _noise(key, octave, left + 1) * weight


class SimulatedMarket:
    """A simulated market feed, equal for equal `market_seed`."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.prices = Prices(settings.market_seed)
        self._clock = clock
        self._started = clock()

    async def tickers(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[Ticker, None]:
        """A ticker of every symbol at every step."""
        step = self._current_step()
        while True:
            step = await self._next_step(step)
            for symbol in symbols:
                yield self.ticker(exchange, symbol, step * STEP)

    async def trades(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[MarketTrade | LiveFrom, None]:
        """Trades of each symbol, at about every second step."""
        step = self._current_step()
        yield LiveFrom(exchange, symbols, (step + 1) * STEP)
        while True:
            following = await self._next_step(step)
            if following > step + 1:
                yield LiveFrom(exchange, symbols, following * STEP)
            step = following
            for symbol in symbols:
                if trade := self.trade(exchange, symbol, step):
                    yield trade

    def health(self, exchange: str, kind: StreamKind) -> FeedHealth:
        """Always live, with the newest step as the last message."""
        del exchange, kind
        return FeedHealth(FeedState.LIVE, self._started, self._current_step() * STEP, lag=0.0)

    async def candles(self, exchange: str, symbol: str, since: float, until: float) -> AsyncGenerator[CandlePage, None]:
        """The candles of exactly the trades of the stream."""
        async for page in self.past_trades(exchange, symbol, math.ceil(since / MINUTE) * MINUTE, until):
            bars = MinuteBars(page.since)
            for trade in page.trades:
                bars.add(trade)
            over = math.floor(page.until / MINUTE) * MINUTE
            if over > page.since:
                yield CandlePage(page.since, over, bars.close(over))

    async def past_trades(
        self, exchange: str, symbol: str, since: float, until: float
    ) -> AsyncGenerator[TradePage, None]:
        """The trades of the stream, of the last two hours."""
        end = min(until, self._clock())
        since = max(since, math.ceil((self._clock() - MEMORY) / MINUTE) * MINUTE)
        while since < end:
            page_end = min((math.floor(since / MINUTE) + PAGE) * MINUTE, end)
            trades: list[MarketTrade] = []
            for minute in range(math.floor(since), math.ceil(page_end), MINUTE):
                trades += self._past_trades(exchange, symbol, max(since, minute), min(minute + MINUTE, page_end))
                await asyncio.sleep(0)  # a minute takes some milliseconds
            yield TradePage(since, page_end, trades)
            since = page_end

    async def markets(self, exchange: str) -> list[Market]:
        """None: the demo's catalogue is a constant."""
        del exchange
        return []

    async def balances(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Balance]:
        """Dollars and the first three currencies of the exchange; a part of each is in use."""
        step = math.floor(self._clock() / 60)
        now = datetime.fromtimestamp(self._clock(), UTC)
        currencies_ = ["USD", *sorted({currencies(symbol)[0] for symbol in symbols})[:3]]
        return [self._balance(ex_id, currency, step, now) for currency in currencies_]

    async def positions(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Position]:
        """A position in each of the first three symbols, opened at the last midnight (UTC); some are short."""
        opened = math.floor(self._clock() / DAY) * DAY
        return [self._position(ex_id, exchange, symbol, opened) for symbol in sorted(symbols)[:3]]

    def ticker(self, exchange: str, symbol: str, at: float) -> Ticker:
        """The ticker of a symbol at a time. Change and percentage refer to the last 24 hours."""
        last = self.prices.price(exchange, symbol, at)
        before = self.prices.price(exchange, symbol, at - DAY)
        worth = DAILY_WORTH * (1 + self.prices.chance(f"volume:{exchange}:{symbol}", math.floor(at / 60)))
        half_spread = last * (0.0001 + 0.0002 * self.prices.chance(f"spread:{exchange}:{symbol}", math.floor(at)))
        return Ticker(
            exchange=exchange,
            symbol=symbol,
            price=last,
            time=at,
            volume=round(worth / self.prices.dollars(currencies(symbol)[0], at), 4),
            bid=rounded(last - half_spread),
            ask=rounded(last + half_spread),
            last=last,
            change=rounded(last - before),
            percentage=round((last - before) / before * 100, 4),
        )

    def trade(self, exchange: str, symbol: str, step: int) -> MarketTrade | None:
        """The trade of a symbol at a step, or None. Small trades are more frequent than large ones."""
        at = step * STEP
        if self.prices.chance(f"trade:{exchange}:{symbol}", step) >= TRADE_CHANCE:
            return None
        worth = -TRADE_WORTH * math.log(1 - self.prices.chance(f"worth:{exchange}:{symbol}", step))
        return MarketTrade(
            exchange=exchange,
            symbol=symbol,
            price=self.prices.price(exchange, symbol, at),
            volume=max(round(worth / self.prices.dollars(currencies(symbol)[0], at), 6), SMALLEST_VOLUME),
            side="buy" if self.prices.chance(f"side:{exchange}:{symbol}", step) < BUY_CHANCE else "sell",
            time=at,
        )

    def _past_trades(self, exchange: str, symbol: str, since: float, until: float) -> list[MarketTrade]:
        steps = range(math.ceil(since / STEP), math.ceil(until / STEP))
        return [trade for step in steps if (trade := self.trade(exchange, symbol, step))]

    def _balance(self, ex_id: int, currency: str, step: int, now: datetime) -> Balance:
        worth = 1_000 + 9_000 * self.prices.chance(f"worth:{ex_id}:{currency}", 0)
        total = rounded(worth / (1.0 if currency in DOLLARS else USUAL_PRICES.get(currency, 50.0)))
        used = rounded(total * 0.5 * self.prices.chance(f"used:{ex_id}:{currency}", step))
        return Balance(ex_id, currency, total=total, free=total - used, used=used, updated_at=now)

    def _position(self, ex_id: int, exchange: str, symbol: str, opened: float) -> Position:
        price = self.prices.price(exchange, symbol, opened)
        worth = 6_000 * self.prices.chance(f"position:{ex_id}:{symbol}", 0) - 2_000
        return Position(
            ex_id=ex_id,
            symbol=symbol,
            volume=rounded(worth / price),
            cost=round(abs(worth), 2),
            price=price,
            fee=round(abs(worth) * 0.0026, 4),
            count=1.0,
            timestamp=datetime.fromtimestamp(opened, UTC),
        )

    def _current_step(self) -> int:
        return math.floor(self._clock() / STEP)

    async def _next_step(self, step: int) -> int:
        """Wait for the step after `step`, and return its number; its time is `number * STEP`."""
        following = max(step + 1, self._current_step() - CATCH_UP)
        await asyncio.sleep(max(0.0, following * STEP - self._clock()))
        return following


def currencies(symbol: str) -> tuple[str, str]:
    """The base and quote currency of a symbol. Without a slash the quote currency is USD."""
    base, _, quote = symbol.partition(":")[0].partition("/")
    return base, quote or "USD"


def rounded(value: float) -> float:
    """Round to six significant digits, and to at least two decimals."""
    if value == 0:
        return 0.0
    return round(value, max(2, 5 - math.floor(math.log10(abs(value)))))


def _amplitude(octave: int) -> float:
    """The amplitude of a wave. It grows with the root of the period, as in a random walk."""
    return DAILY_MOVE * math.sqrt(4.0**octave / DAY)


@lru_cache(maxsize=16_384)
def _noise(key: str, octave: int, position: int) -> float:
    """A number in [-1, 1) that depends on the arguments only."""
    digest = hashlib.blake2b(f"{key}:{octave}:{position}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**63 - 1
