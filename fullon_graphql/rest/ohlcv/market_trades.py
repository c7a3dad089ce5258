"""Public trades of an exchange over REST."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, BaseModel

from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.stored import Trade
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import MarketDataDep
from fullon_graphql.rest.ohlcv.envelope import Envelope, wrap_list
from fullon_graphql.rest.parameters import ExchangeName, SymbolName, Time
from fullon_graphql.rest.route_list import RouteList

router = RouteList(prefix="/ohlcv/trades", tags=["ohlcv"])


class MarketTrade(BaseModel):
    """One trade. `price` is in quote currency, `volume` in base currency."""

    timestamp: AwareDatetime
    price: float
    volume: float
    side: str | None
    type: str | None


class MarketTrades(Envelope):
    """Trades in ascending order of time."""

    exchange: str
    symbol: str
    trades: list[MarketTrade]


@router.get("/{exchange}/{symbol:path}/range", response_model=MarketTrades, summary="List trades of a period")
async def list_trades_between(
    data: MarketDataDep,
    exchange: ExchangeName,
    symbol: SymbolName,
    start_time: Annotated[Time, Query(description="Trades at or after this time.")],
    end_time: Annotated[Time, Query(description="Trades at or before this time.")],
    limit: Annotated[int, Query(ge=1, le=10_000, description="Maximum number of trades.")] = 1_000,
) -> Json:
    """Oldest first. For the next page set `start_time` to the time of the last trade."""
    trades = await data.trades(Market(exchange, symbol), start_time, end_time, limit)
    bounds = {"start_time": start_time, "end_time": end_time, "limit": limit}
    return wrap_list("trades", [_as_json(trade) for trade in trades], exchange=exchange, symbol=symbol, **bounds)


@router.get("/{exchange}/{symbol:path}", response_model=MarketTrades, summary="List the newest trades")
async def list_newest_trades(
    data: MarketDataDep,
    exchange: ExchangeName,
    symbol: SymbolName,
    limit: Annotated[int, Query(ge=1, le=5_000, description="Maximum number of trades.")] = 100,
) -> Json:
    """Oldest first; empty if only candles are stored."""
    trades = await data.newest_trades(Market(exchange, symbol), limit)
    return wrap_list("trades", [_as_json(trade) for trade in trades], exchange=exchange, symbol=symbol, limit=limit)


def _as_json(trade: Trade) -> dict[str, object]:
    return {
        "timestamp": trade.time, "price": trade.price, "volume": trade.volume, "side": trade.side, "type": trade.type
    }  # fmt: skip
