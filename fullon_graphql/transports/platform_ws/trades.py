"""Public trades that wait to be stored. They are read, not consumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fullon_graphql.cache import market
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    string_param,
)


async def get_trades(client: GraphClient, params: Params) -> Result:
    """The newest queued trades, oldest first."""
    exchange, symbol, queue = await _queue(client, params)
    trades = [_result(exchange, symbol, trade) for trade in queue.trades if isinstance(trade, dict)]
    return {"exchange": exchange, "symbol": symbol, "trades": trades}


async def get_trade_status(client: GraphClient, params: Params) -> Result:
    """The length of the queue, and when the exchange's last trade was queued."""
    exchange, symbol, queue = await _queue(client, params)
    return {"exchange": exchange, "symbol": symbol, "queue_length": queue.size, "timestamp": queue.last_pushed}


async def stream_trade_updates(client: GraphClient, params: Params) -> Sequence[Source]:
    """Each new trade. Without a `symbol` there is none, as in the platform."""
    _ = client.principal
    exchange = string_param(params, "exchange")
    if "symbol" not in params:
        return []
    symbol = string_param(params, "symbol")
    return [Source(client.worker.watches.trades.states((exchange, symbol)), _new(exchange, symbol))]


async def _queue(client: GraphClient, params: Params) -> tuple[str, str, market.TradeQueue]:
    _ = client.principal
    exchange, symbol = string_param(params, "exchange"), string_param(params, "symbol")
    return exchange, symbol, await market.read_trades(client.worker.redis, exchange, symbol, market.MOST_TRADES)


def _new(exchange: str, symbol: str) -> Callable[[Sequence[Any]], Iterable[Result]]:
    known: Sequence[Any] | None = None

    def results(trades: Sequence[Any]) -> Iterable[Result]:
        nonlocal known
        before, known = known, trades
        new = () if before is None else appended(before, trades)
        return [_result(exchange, symbol, trade) for trade in new if isinstance(trade, dict)]

    return results


def appended(before: Sequence[Any], after: Sequence[Any]) -> Sequence[Any]:
    """The items appended to a queue since `before`; items may have been consumed from its front."""
    for consumed in range(len(before) + 1):
        if before[consumed:] == after[: len(before) - consumed]:
            return after[len(before) - consumed :]
    raise AssertionError("an empty rest of `before` matches")


def _result(exchange: str, symbol: str, trade: Result) -> Result:
    """The trade as it was written; programs differ in the names of its time and id."""
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
