"""Live tickers: the newest price of each symbol, as the platform keeps it."""

from __future__ import annotations

import json
import math
import time as clock
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
import structlog
from redis.asyncio import Redis

from fullon_graphql.cache import keys

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ticker:
    """What an exchange last said about one symbol. `time` is unix seconds; `volume` is in base currency."""

    exchange: str
    symbol: str
    price: float
    time: float
    volume: float | None = None
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    change: float | None = None
    percentage: float | None = None

    @property
    def spread(self) -> float | None:
        """`ask - bid`, or None where a side is missing."""
        return None if self.ask is None or self.bid is None else self.ask - self.bid

    def age_ms(self, now: float | None = None) -> float:
        """Milliseconds from the ticker to `now` (unix seconds; the present unless given), never below zero."""
        return max(0.0, ((clock.time() if now is None else now) - self.time) * 1000)


async def read(redis: Redis, exchange: str, symbols: Sequence[str] | None = None) -> list[Ticker]:
    """The tickers of one exchange in one round trip: those of `symbols` in that order, or all, ordered by symbol.

    A symbol without a ticker, or with one that cannot be read, is left out.
    """
    stored = await _stored(redis, exchange, symbols)
    found = (decode(exchange, symbol, text) for symbol, text in stored)
    return [ticker for ticker in found if ticker is not None]


async def read_many(redis: Redis, instruments: Sequence[tuple[str, str]]) -> list[Ticker | None]:
    """The ticker of each (exchange, symbol), in the order asked, None where there is none: one round trip for all."""
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    for exchange, symbol in instruments:
        wanted[exchange][symbol] = None
    if not wanted:
        return []
    async with redis.pipeline(transaction=False) as pipeline:
        for exchange, symbols in wanted.items():
            pipeline.hmget(keys.tickers(exchange), list(symbols))
        answers = await pipeline.execute()
    found = {
        (exchange, symbol): decode(exchange, symbol, text)
        for (exchange, symbols), texts in zip(wanted.items(), answers, strict=True)
        for symbol, text in zip(symbols, texts, strict=True)
    }
    return [found[instrument] for instrument in instruments]


async def read_exchanges(redis: Redis, exchanges: Sequence[str]) -> list[list[Ticker]]:
    """All tickers of each exchange, ordered by symbol: one round trip for all."""
    async with redis.pipeline(transaction=False) as pipeline:
        for exchange in exchanges:
            pipeline.hgetall(keys.tickers(exchange))
        answers = await pipeline.execute()
    decoded = (
        [decode(exchange, symbol, text) for symbol, text in sorted(stored.items())]
        for exchange, stored in zip(exchanges, answers, strict=True)
    )
    return [[ticker for ticker in found if ticker is not None] for found in decoded]


async def write(redis: Redis, tickers: Iterable[Ticker]) -> None:
    """Store and publish tickers in one round trip, as the platform does: hash, time key, channel.

    The hash is written before the channel speaks, so that whoever subscribes and then reads misses nothing.
    """
    encoded = [(ticker, encode(ticker)) for ticker in tickers]
    if not encoded:
        return
    async with redis.pipeline(transaction=False) as pipeline:
        for ticker, text in encoded:
            pipeline.hset(keys.tickers(ticker.exchange), ticker.symbol, text)
            pipeline.set(keys.ticker_time(ticker.exchange, ticker.symbol), str(ticker.time))
            pipeline.publish(keys.ticker_updates(ticker.exchange, ticker.symbol), text)
        await pipeline.execute()


def encode(ticker: Ticker) -> str:
    """The platform's JSON of a ticker, byte for byte: its key order and the spaces of Python's `json.dumps`.

    orjson is faster but leaves the spaces out; programs that compare what they wrote with what they read would differ.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    return json.dumps(
        {
            "symbol": ticker.symbol,
            "exchange": ticker.exchange,
            "price": ticker.price,
            "volume": ticker.volume,
            "time": ticker.time,
            "bid": ticker.bid,
            "ask": ticker.ask,
            "last": ticker.last,
            "change": ticker.change,
            "percentage": ticker.percentage,
        },
        allow_nan=False,
    )


def decode(exchange: str, symbol: str, text: str | bytes | None) -> Ticker | None:
    """The ticker in a hash value or channel message; None where there is none or it makes no sense (logged).

    It belongs to the key it was found under, whatever names stand inside.
    """
    if text is None:
        return None
    try:
        values = cast("Mapping[str, Any]", orjson.loads(text))
        return Ticker(
            exchange=exchange,
            symbol=symbol,
            price=_number(values["price"]),
            time=_number(values["time"]),
            volume=_optional(values.get("volume")),
            bid=_optional(values.get("bid")),
            ask=_optional(values.get("ask")),
            last=_optional(values.get("last")),
            change=_optional(values.get("change")),
            percentage=_optional(values.get("percentage")),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("ticker.unreadable", exchange=exchange, symbol=symbol, error=repr(error))
        return None


async def _stored(redis: Redis, exchange: str, symbols: Sequence[str] | None) -> list[tuple[str, str | None]]:
    """Pairs of symbol and what the hash of the exchange holds for it."""
    if symbols is None:
        return sorted(cast("dict[str, str]", await redis.hgetall(keys.tickers(exchange))).items())
    if not symbols:
        return []
    texts = cast("list[str | None]", await redis.hmget(keys.tickers(exchange), list(symbols)))
    return list(zip(symbols, texts, strict=True))


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)
