"""`/ws` and `/api/v1/cache/ws`: `{request_id, operation, params}`, all domains on one connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final
from uuid import uuid4

from fullon_graphql.transports.platform_ws import accounts, bots, ohlcv, orders, processes, tickers, trades
from fullon_graphql.transports.platform_ws.graph_client import GraphClient, Params, Read, Result, Stream
from fullon_graphql.transports.platform_ws.protocol import PlatformRequest, Reads, Streams, asked_by, now


async def _ping(_asking: GraphClient, _params: Params) -> Result:
    return {"status": "ok"}


async def _health_check(_asking: GraphClient, _params: Params) -> Result:
    return {"status": "healthy"}


READS: Final[Reads] = {
    "ping": Read(_ping),
    "health_check": Read(_health_check),
    "get_ticker": Read(tickers.get_ticker),
    "get_all_tickers": Read(tickers.get_all_tickers),
    "get_user_positions": Read(accounts.get_positions),
    "get_user_balances": Read(accounts.get_user_balances),
    "get_account_status": Read(accounts.get_account_status),
    "get_order_status": Read(orders.get_order_status),
    "get_queue_length": Read(orders.get_queue_length),
    "is_blocked": Read(bots.is_blocked),
    "get_bots": Read(bots.get_bots),
    "get_trades": Read(trades.get_trades),
    "get_trade_status": Read(trades.get_trade_status),
    "get_latest_ohlcv_bars": Read(ohlcv.get_latest_ohlcv_bars),
    "get_active_processes": Read(processes.get_active_processes),
    "get_system_health": Read(processes.get_system_health),
}
STREAMS: Final[Streams] = {
    "stream_tickers": Stream(tickers.stream_tickers, "ticker_update"),
    "stream_user_positions": Stream(accounts.stream_positions, "position_update"),
    "stream_user_balances": Stream(accounts.stream_balances, "balance_update"),
    "stream_order_queue": Stream(orders.stream_order_queue, "queue_update"),
    "stream_bot_status": Stream(bots.stream_bot_status, "bot_update"),
    "stream_trade_updates": Stream(trades.stream_trade_updates, "trade_update"),
    "stream_ohlcv_updates": Stream(ohlcv.stream_ohlcv, "ohlcv_update"),
    "stream_process_health": Stream(processes.stream_process_health, "process_health_update"),
}


@dataclass(frozen=True)
class Gateway:
    """One connection."""

    reads: ClassVar[Reads] = READS
    streams: ClassVar[Streams] = STREAMS
    connection_id: str = field(default_factory=lambda: uuid4().hex)

    _CODES: ClassVar = {
        "BAD_USER_INPUT": "INVALID_PARAMS",
        "NOT_FOUND": "CACHE_MISS",
        "TIMEOUT": "CACHE_TIMEOUT",
        "INTERNAL": "INTERNAL_ERROR",
    }

    def asked(self, message: Result) -> PlatformRequest:
        return asked_by(message, "operation", self.connection_id)

    def code(self, code: str, asked: PlatformRequest | None) -> str:
        return self._CODES.get(code, code)

    def answer(self, asked: PlatformRequest, result: Result, milliseconds: float) -> Result:
        told = {"result": result, "error": None, "error_code": None, "latency_ms": milliseconds}
        return {"request_id": asked.id, "success": True, "timestamp": now()} | told

    def started(self, asked: PlatformRequest) -> Result:
        return self.answer(asked, {"status": "streaming", "stream_key": asked.key}, 0.0)

    def stopped(self, asked: PlatformRequest) -> Result:
        return self.answer(asked, {"status": "stopped", "stream_key": asked.key}, 0.0)

    def update(self, asked: PlatformRequest, kind: str, result: Result) -> Result:
        named = {"request_id": asked.id, "operation": kind, "success": True, "timestamp": now()}
        return named | {"result": {"stream_key": asked.key} | result}

    def refusal(self, asked: PlatformRequest | None, code: str, message: str) -> Result:
        told = {"error": message, "error_code": code, "error_message": message, "details": None}
        return {"request_id": asked.id if asked else None, "success": False, "timestamp": now()} | told
