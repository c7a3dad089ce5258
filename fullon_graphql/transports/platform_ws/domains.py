"""`/api/v1/cache/ws/{domain}/{connection_id}`: `{action, request_id, params}`, each domain at an address of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from fullon_graphql.transports.platform_ws import accounts, bots, ohlcv, orders, processes, tickers, trades
from fullon_graphql.transports.platform_ws.graph_client import Result
from fullon_graphql.transports.platform_ws.protocol import PlatformRequest, Reads, Streams, asked_by

DOMAINS: Final = {
    "tickers": tickers,
    "accounts": accounts,
    "orders": orders,
    "trades": trades,
    "bots": bots,
    "ohlcv": ohlcv,
    "process": processes,
}


@dataclass(frozen=True)
class Domain:
    """One domain on one connection, which the client has named."""

    reads: Reads
    streams: Streams
    connection_id: str

    _CODES: ClassVar = {
        "BAD_USER_INPUT": "INVALID_PARAMS",
        "SERVICE_UNAVAILABLE": "CACHE_ERROR",
        "TIMEOUT": "CACHE_ERROR",
        "INTERNAL": "INTERNAL_ERROR",
    }

    def asked(self, message: Result) -> PlatformRequest:
        return asked_by(message, "action", self.connection_id)

    def code(self, code: str, asked: PlatformRequest | None) -> str:
        operation = asked and (self.reads.get(asked.name) or self.streams.get(asked.name))
        return operation.missing if code == "NOT_FOUND" and operation else self._CODES.get(code, code)

    def answer(self, asked: PlatformRequest, result: Result, milliseconds: float) -> Result:
        return {"request_id": asked.id, "action": asked.name, "success": True, "result": result}

    def started(self, asked: PlatformRequest) -> Result:
        told = {"message": f"{asked.name} has started", "stream_key": asked.key}
        return self.answer(asked, {"stream_key": asked.key}, 0) | told

    def stopped(self, asked: PlatformRequest) -> Result:
        return self.answer(asked, {"stream_key": asked.key}, 0)

    def update(self, asked: PlatformRequest, kind: str, result: Result) -> Result:
        return {"request_id": asked.id, "action": kind, "result": {"stream_key": asked.key} | result}

    def refusal(self, asked: PlatformRequest | None, code: str, message: str) -> Result:
        known = {"request_id": asked.id, "action": asked.name} if asked else {"request_id": None}
        return known | {"success": False, "error_code": code, "error": message}
