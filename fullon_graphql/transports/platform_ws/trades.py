"""Public trades that wait to be stored. They go on waiting: whoever stores them finds them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fullon_graphql.cache import market
from fullon_graphql.transports.platform_ws.graph_client import GraphClient, Params, Read, Result, Source, Stream, text


async def get_trades(asking: GraphClient, params: Params) -> Result:
    """The newest that wait, oldest first."""
    exchange, symbol, queue = await _queue(asking, params)
    trades = [_worded(exchange, symbol, trade) for trade in queue.trades if isinstance(trade, dict)]
    return {"exchange": exchange, "symbol": symbol, "trades": trades}


async def get_trade_status(asking: GraphClient, params: Params) -> Result:
    """How many wait, and when the exchange's last one came."""
    exchange, symbol, queue = await _queue(asking, params)
    return {"exchange": exchange, "symbol": symbol, "queue_length": queue.size, "timestamp": queue.last_pushed}


async def stream_trade_updates(asking: GraphClient, params: Params) -> Sequence[Source]:
    """Each trade that comes from now on. Nothing without a `symbol`, as ever."""
    _ = asking.principal
    exchange = text(params, "exchange")
    if "symbol" not in params:
        return []
    symbol = text(params, "symbol")
    return [Source(asking.worker.watches.trades.states((exchange, symbol)), _new(exchange, symbol))]


async def _queue(asking: GraphClient, params: Params) -> tuple[str, str, market.TradeQueue]:
    _ = asking.principal
    exchange, symbol = text(params, "exchange"), text(params, "symbol")
    return exchange, symbol, await market.read_trades(asking.worker.redis, exchange, symbol, market.MOST_TRADES)


def _new(exchange: str, symbol: str) -> Callable[[Sequence[Any]], Iterable[Result]]:
    known: Sequence[Any] | None = None

    def worded(trades: Sequence[Any]) -> Iterable[Result]:
        nonlocal known
        before, known = known, trades
        new = () if before is None else appended(before, trades)
        return [_worded(exchange, symbol, trade) for trade in new if isinstance(trade, dict)]

    return worded


def appended(before: Sequence[Any], after: Sequence[Any]) -> Sequence[Any]:
    """What has come at the end of a queue from whose beginning something may have been taken."""
    for taken in range(len(before) + 1):
        if before[taken:] == after[: len(before) - taken]:
            return after[len(before) - taken :]
    raise AssertionError("nothing is left of `before` at the latest")


def _worded(exchange: str, symbol: str, trade: Result) -> Result:
    """What its writer wrote; programs differ in how they name the time and the number."""
    return {
        "symbol": symbol,
        "exchange": exchange,
        "side": trade.get("side"),
        "volume": trade.get("volume"),
        "price": trade.get("price"),
        "timestamp": trade.get("timestamp", trade.get("time")),
        "trade_id": trade.get("ex_trade_id") or trade.get("trade_id"),
    }


READS = {"get_trades": Read(get_trades)}
STREAMS = {"stream_trade_updates": Stream(stream_trade_updates, "trade_update")}
