"""Bars of the candle store and live bars. Without an `exchange`, those that the platform has cached for a symbol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from fullon_graphql.cache import market
from fullon_graphql.errors import BadUserInput, NotFound, shortened
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    string_param,
)

MAX_COUNT: Final = 1000
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


async def get_latest_ohlcv_bars(client: GraphClient, params: Params) -> Result:
    """The newest `count` bars as `[milliseconds, open, high, low, close, volume]`, oldest first."""
    _ = client.principal
    symbol, timeframe, count = string_param(params, "symbol"), timeframe_param(params), params.get("count", 10)
    if not isinstance(count, int) or not 1 <= count <= MAX_COUNT:
        raise BadUserInput(f"`count` must be an integer from 1 to {MAX_COUNT}, not {shortened(count)}.", field="count")
    if "exchange" in params:
        variables = {
            "exchange": string_param(params, "exchange"),
            "symbol": symbol,
            "timeframe": timeframe.name,
            "last": count,
        }
        bars = [_bar(candle) for candle in (await client.data(_STORED, **variables))["candles"]]
    else:
        bars = await market.read_bars(client.worker.redis, symbol, timeframe, count)
    if not bars:
        raise NotFound(f"There are no bars of {shortened(symbol)} in {timeframe}.")
    return {"symbol": symbol, "timeframe": timeframe, "bars": bars}


async def stream_ohlcv(client: GraphClient, params: Params) -> Sequence[Source]:
    """The last closed bar, then each bar when it closes; `exchange` is optional if only one has the symbol."""
    symbol, timeframe = string_param(params, "symbol"), timeframe_param(params)
    exchange = string_param(params, "exchange") if "exchange" in params else await _only_exchange(client, symbol)
    return [Source(_live(client, exchange, symbol, timeframe), _closed_bars(symbol, timeframe))]


async def stream_bars(client: GraphClient, params: Params) -> Sequence[Source]:
    """Every update of the newest bars, open ones included."""
    events = _live(client, params["exchange"], params["symbol"], timeframe_param(params))
    return [Source(events, _any_bar)]


def _any_bar(data: Result) -> list[Result]:
    update = data["candles"]
    prices = {name: update["candle"][name] for name in ("open", "high", "low", "close", "volume")}
    return [{"timestamp": update["candle"]["time"], **prices, "is_final": update["closed"]}]


def _live(client: GraphClient, exchange: str, symbol: str, timeframe: Timeframe) -> AsyncGenerator[Any, None]:
    return client.events(_LIVE, exchange=exchange, symbol=symbol, timeframe=timeframe.name)


def _closed_bars(symbol: str, timeframe: Timeframe) -> Callable[[Any], Iterable[Result]]:
    newest = ""

    def results(data: Any) -> Iterable[Result]:
        nonlocal newest
        update = data["candles"]
        if update["closed"] and update["candle"]["time"] > newest:
            newest = update["candle"]["time"]
            yield {"symbol": symbol, "timeframe": timeframe, "bar": _bar(update["candle"])}

    return results


async def _only_exchange(client: GraphClient, symbol: str) -> str:
    nodes = (await client.data(_EXCHANGES, symbol=symbol))["symbols"]["nodes"]
    names = sorted({str(node["exchangeName"]) for node in nodes})
    if not names:
        raise NotFound(f"No exchange has {shortened(symbol)}.")
    if len(names) > 1:
        raise BadUserInput(f"{shortened(symbol)} is on {', '.join(names)}; pass one as `exchange`.", field="exchange")
    return names[0]


def timeframe_param(params: Params) -> Timeframe:
    """The parameter `timeframe`.

    Raises:
        BadUserInput: it is not one of the platform's timeframes.
    """
    name = string_param(params, "timeframe")
    try:
        return Timeframe(name)
    except ValueError as error:
        known = ", ".join(Timeframe)
        raise BadUserInput(f"`timeframe` must be one of {known}, not {shortened(name)}.", field="timeframe") from error


def _bar(candle: Result) -> list[Any]:
    time = datetime.fromisoformat(candle["time"])
    return [round(time.timestamp() * 1000), *(candle[name] for name in _BAR.split()[1:])]


MISSING = "OHLCV_NOT_FOUND"
READS = {"get_latest_ohlcv_bars": Read(get_latest_ohlcv_bars, MISSING)}
STREAMS = {"stream_ohlcv": Stream(stream_ohlcv, "ohlcv_update", MISSING)}
