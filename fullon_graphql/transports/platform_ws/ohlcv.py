"""Bars: of the candle store and live. Without an `exchange`, what a program of the platform has put by for a symbol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from fullon_graphql.cache import market
from fullon_graphql.errors import BadUserInput, NotFound
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.transports.platform_ws.graph_client import GraphClient, Params, Read, Result, Source, Stream, text

MOST: Final = 1000
_BAR = "time open high low close volume"
_STORED = f"""query ($exchange: String!, $symbol: String!, $timeframe: Timeframe!, $last: Int!) {{
  candles(exchange: $exchange, symbol: $symbol, timeframe: $timeframe, last: $last) {{ {_BAR} }}
}}"""
_LIVE = f"""subscription ($exchange: String!, $symbol: String!, $timeframe: Timeframe!) {{
  candles(exchange: $exchange, symbol: $symbol, timeframe: $timeframe) {{ closed candle {{ {_BAR} }} }}
}}"""
_EXCHANGES = """query ($symbol: String!) {
  symbols(first: 1000, filter: {symbol: {eq: $symbol}}) { nodes { exchangeName } }
}"""


async def get_latest_ohlcv_bars(asking: GraphClient, params: Params) -> Result:
    """The newest `count` bars as `[milliseconds, open, high, low, close, volume]`, oldest first."""
    _ = asking.principal
    symbol, timeframe, count = text(params, "symbol"), timeframe_of(params), params.get("count", 10)
    if not isinstance(count, int) or not 1 <= count <= MOST:
        raise BadUserInput(f"`count` is from 1 to {MOST}; {count!r} came.", field="count")
    if "exchange" in params:
        named = {"exchange": text(params, "exchange"), "symbol": symbol, "timeframe": timeframe.name, "last": count}
        bars = [_bar(candle) for candle in (await asking.data(_STORED, **named))["candles"]]
    else:
        bars = await market.read_bars(asking.worker.redis, symbol, timeframe, count)
    if not bars:
        raise NotFound(f"There are no bars of {symbol!r} in {timeframe}.")
    return {"symbol": symbol, "timeframe": timeframe, "bars": bars}


async def stream_ohlcv(asking: GraphClient, params: Params) -> Sequence[Source]:
    """The last bar that is over, and then each when it is; without `exchange`, of the only one with this symbol."""
    symbol, timeframe = text(params, "symbol"), timeframe_of(params)
    exchange = text(params, "exchange") if "exchange" in params else await _only_exchange(asking, symbol)
    return [Source(live(asking, exchange, symbol, timeframe), _new(symbol, timeframe))]


def live(asking: GraphClient, exchange: str, symbol: str, timeframe: Timeframe) -> AsyncGenerator[Any, None]:
    """All that happens to the newest bars, under `candles`: `closed`, and the `candle`."""
    return asking.events(_LIVE, exchange=exchange, symbol=symbol, timeframe=timeframe.name)


def _new(symbol: str, timeframe: Timeframe) -> Callable[[Any], Iterable[Result]]:
    newest = ""

    def worded(data: Any) -> Iterable[Result]:
        nonlocal newest
        update = data["candles"]
        if update["closed"] and update["candle"]["time"] > newest:
            newest = update["candle"]["time"]
            yield {"symbol": symbol, "timeframe": timeframe, "bar": _bar(update["candle"])}

    return worded


async def _only_exchange(asking: GraphClient, symbol: str) -> str:
    nodes = (await asking.data(_EXCHANGES, symbol=symbol))["symbols"]["nodes"]
    names = sorted({str(node["exchangeName"]) for node in nodes})
    if not names:
        raise NotFound(f"No exchange has {symbol!r}.")
    if len(names) > 1:
        raise BadUserInput(f"{symbol!r} is on {', '.join(names)}; name one as `exchange`.", field="exchange")
    return names[0]


def timeframe_of(params: Params) -> Timeframe:
    """The timeframe that is asked for.

    Raises:
        BadUserInput: it is none of the platform's.
    """
    name = text(params, "timeframe")
    try:
        return Timeframe(name)
    except ValueError as error:
        known = ", ".join(Timeframe)
        raise BadUserInput(f"`timeframe` is one of {known}; {name!r} came.", field="timeframe") from error


def _bar(candle: Result) -> list[Any]:
    time = datetime.fromisoformat(candle["time"])
    return [round(time.timestamp() * 1000), *(candle[name] for name in _BAR.split()[1:])]


MISSING = "OHLCV_NOT_FOUND"
READS = {"get_latest_ohlcv_bars": Read(get_latest_ohlcv_bars, MISSING)}
STREAMS = {"stream_ohlcv": Stream(stream_ohlcv, "ohlcv_update", MISSING)}
