"""Live tickers: the newest price of each symbol, in the platform's layout."""

from __future__ import annotations

import json
import time as clock
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.client import ticker_max_ahead
from fullon_graphql.cache.reading import UnreadableError, execute, is_text, leave_out, parse_number, parse_object, texts


@dataclass(frozen=True, slots=True)
class Ticker:
    """The last price of a symbol on an exchange. `time` is unix seconds; `volume` is in base currency."""

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
        """`ask - bid`, or None if one of them is unknown."""
        return None if self.ask is None or self.bid is None else self.ask - self.bid

    def age_ms(self, now: float | None = None) -> float:
        """Milliseconds from the ticker to `now` (unix seconds; by default the present), never negative."""
        return max(0.0, ((clock.time() if now is None else now) - self.time) * 1000)


async def read(redis: Redis, exchange: str, symbols: Sequence[str] | None = None) -> list[Ticker]:
    """The tickers of one exchange in one round trip: those of `symbols` in that order, or all, ordered by symbol.

    Symbols without a readable ticker are left out.
    """
    if symbols is None:
        return (await read_exchanges(redis, [exchange]))[0]
    found = await read_many(redis, [(exchange, symbol) for symbol in symbols])
    return [ticker for ticker in found if ticker is not None]


async def read_many(redis: Redis, instruments: Sequence[tuple[str, str]]) -> list[Ticker | None]:
    """The ticker of each (exchange, symbol), in the given order, or None: one round trip for all."""
    requested: dict[str, dict[str, None]] = defaultdict(dict)
    for exchange, symbol in instruments:
        requested[exchange][symbol] = None
    if not requested:
        return []
    async with redis.pipeline(transaction=False) as pipeline:
        for exchange, symbols in requested.items():
            pipeline.hmget(keys.tickers(exchange), list(symbols))
        answers = await execute(pipeline, "tickers", by_field=True)
    latest = latest_time(redis)
    found = {
        (exchange, symbol): decode(exchange, symbol, text, latest)
        for (exchange, symbols), stored in zip(requested.items(), answers, strict=True)
        for symbol, text in zip(symbols, stored or [None] * len(symbols), strict=True)
    }
    return [found[instrument] for instrument in instruments]


async def read_exchanges(redis: Redis, exchanges: Sequence[str]) -> list[list[Ticker]]:
    """All tickers of each exchange, ordered by symbol: one round trip for all."""
    async with redis.pipeline(transaction=False) as pipeline:
        for exchange in exchanges:
            pipeline.hgetall(keys.tickers(exchange))
        answers = await execute(pipeline, "tickers")
    latest = latest_time(redis)
    decoded = (
        [decode(exchange, symbol, text, latest) for symbol, text in texts(stored, "ticker")]
        for exchange, stored in zip(exchanges, answers, strict=True)
    )
    return [[ticker for ticker in found if ticker is not None] for found in decoded]


async def write(redis: Redis, tickers: Iterable[Ticker]) -> None:
    """Store and publish tickers in one round trip, as the platform does: hash, time key, channel.

    The hash is written before the message is published, so a client that subscribes and then reads misses nothing.
    """
    encoded = [(ticker, encode(ticker)) for ticker in tickers]
    if not encoded:
        return
    hashes: defaultdict[str, dict[Any, Any]] = defaultdict(dict)
    for ticker, text in encoded:
        hashes[ticker.exchange][ticker.symbol] = text
    times = {keys.ticker_time(ticker.exchange, ticker.symbol): str(ticker.time) for ticker, _ in encoded}
    async with redis.pipeline(transaction=False) as pipeline:  # each command costs more than its values
        for exchange, texts in hashes.items():
            pipeline.hset(keys.tickers(exchange), mapping=texts)
        pipeline.mset(times)
        for ticker, text in encoded:
            pipeline.publish(keys.ticker_updates(ticker.exchange, ticker.symbol), text)
        await pipeline.execute()


_encode: Final = json.JSONEncoder(allow_nan=False).encode


def encode(ticker: Ticker) -> str:
    """The platform's JSON of a ticker, byte for byte: its order of keys and the spaces of Python's `json.dumps`.

    orjson writes no spaces, and programs that compare what they wrote with what they read would see a difference.

    Raises:
        ValueError: a number is not finite.
    """
    return _encode(
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
        }
    )


def latest_time(redis: Redis) -> float:
    """The latest plausible time of a ticker, in unix seconds: the clock plus the tolerance of the settings."""
    return clock.time() + ticker_max_ahead(redis)


def decode(exchange: str, symbol: str, text: str | None, latest: float) -> Ticker | None:
    """The ticker in a value of the hash or a message, or None if it is left out.

    The names in the JSON are ignored: it belongs to the key or channel. A ticker without a price other than 0, or with
    a time before 1970 or after `latest` (unix seconds), is left out; so is each optional number that is broken.
    """
    if text is None:
        return None
    try:
        if not is_text(symbol):
            raise UnreadableError("the symbol is not UTF-8")
        values = parse_object(text)
        return Ticker(
            exchange=exchange,
            symbol=symbol,
            price=_price(values),
            time=_time(values, latest),
            bid=_optional(values, "bid") or None,
            ask=_optional(values, "ask") or None,
            last=_optional(values, "last") or None,
            volume=_optional(values, "volume"),
            change=_optional(values, "change"),
            percentage=_optional(values, "percentage"),
        )
    except UnreadableError as error:
        leave_out("ticker", error, exchange=exchange, symbol=symbol)
        return None


def _price(values: Mapping[str, Any]) -> float:
    price = parse_number(values.get("price"))
    if not price:
        raise UnreadableError("no price")
    return price


def _time(values: Mapping[str, Any], latest: float) -> float:
    time = parse_number(values.get("time"))
    if time is None or not 0 <= time <= latest:
        raise UnreadableError("no time, or one in the future")
    return time


def _optional(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    number = parse_number(value)
    if number is None and value is not None:
        leave_out("ticker_number", "not a finite number", name=name, value=value)
    return number
