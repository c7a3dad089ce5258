"""The platform's three socket protocols: how a request is read from a message, and how answers are written.

Names and codes are the platform's. An error for which it has no code gets that of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Protocol, Self, TypeAlias
from uuid import uuid4

from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.transports.platform_ws import accounts, bots, ohlcv, orders, processes, tickers, trades
from fullon_graphql.transports.platform_ws.graph_client import GraphClient, Params, Read, Result, Stream, present_params

SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"

Reads: TypeAlias = Mapping[str, Read]
Streams: TypeAlias = Mapping[str, Stream]


class InvalidRequest(Exception):
    """A message that is not a request, with the platform's code for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class PlatformRequest:
    """A request.

    `parts` are the streams that it starts or ends: their names, unique on the connection, and the parameters of each.
    Without any, `unsubscribe` ends all streams.
    """

    id: Any
    name: str
    params: Params
    parts: Mapping[str, Params]

    @property
    def key(self) -> str:
        """The name of its stream."""
        return next(iter(self.parts))


class PlatformProtocol(Protocol):
    """One protocol on one connection."""

    @property
    def reads(self) -> Reads: ...

    @property
    def streams(self) -> Streams: ...

    def parse(self, message: Result) -> PlatformRequest:
        """The request in a message.

        Raises:
            InvalidRequest: it has none.
        """
        ...

    def code(self, code: str, request: PlatformRequest | None) -> str:
        """The platform's code for one of the graph's."""
        ...

    def answer(self, request: PlatformRequest, result: Result, milliseconds: float) -> Result: ...

    def started(self, request: PlatformRequest) -> Result: ...

    def stopped(self, request: PlatformRequest) -> Result: ...

    def update(self, request: PlatformRequest, kind: str, result: Result) -> Result: ...

    def error(self, request: PlatformRequest | None, code: str, message: str) -> Result: ...


def protocol_at(path: str, prefix: str) -> PlatformProtocol | None:
    """The protocol at an address, for a new connection; None if there is none. `prefix` is API_PREFIX."""
    inside = path.removeprefix(f"{prefix}/") if path.startswith(f"{prefix}/") else None
    if path in GATEWAYS or inside == "cache/ws":
        return GatewayProtocol()
    if path == "/ws/ohlcv" or inside == "ohlcv/ws/ohlcv":
        return CandleProtocol()
    match (inside or "").split("/"):
        case ["cache", "ws", domain] if domain in DOMAINS:
            return DomainProtocol.of_domain(domain, uuid4().hex)
        case ["cache", "ws", domain, connection_id] if domain in DOMAINS:
            return DomainProtocol.of_domain(domain, connection_id)
        case _:
            return None


def _parse(message: Result, name_field: str, connection_id: str) -> PlatformRequest:
    """The request in `{request_id, <name_field>, params}`."""
    id_, name, params = message.get("request_id"), message.get(name_field), message.get("params") or {}
    id_ = uuid4().hex if id_ is None else id_
    if not isinstance(id_, str | int) or not isinstance(name, str) or not isinstance(params, dict):
        expected = f"A message has a string `{name_field}`, and may have `request_id` and an object `params`."
        raise InvalidRequest("MALFORMED_MESSAGE", expected)
    ended = params if name == UNSUBSCRIBE else {}
    key = ended.get("stream_key") or f"{connection_id}:{ended.get('request_id', id_)}"
    return PlatformRequest(id_, name, params, {str(key): params})


def _now() -> str:
    return datetime.now(UTC).isoformat()


# ---------------------------------------------------------------- all domains on one connection

GATEWAYS: Final = {"/ws", "/ws/tickers", "/ws/order_queue", "/ws/bot_status"}
"""Addresses outside API_PREFIX of the same protocol."""


async def _ping(_client: GraphClient, _params: Params) -> Result:
    return {"status": "ok"}


async def _health_check(_client: GraphClient, _params: Params) -> Result:
    return {"status": "healthy"}


@dataclass(frozen=True)
class GatewayProtocol:
    """`/ws` and `cache/ws`: `{request_id, operation, params}`, all domains on one connection."""

    reads: ClassVar[Reads] = {
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
    streams: ClassVar[Streams] = {
        "stream_tickers": Stream(tickers.stream_tickers, "ticker_update"),
        "stream_user_positions": Stream(accounts.stream_positions, "position_update"),
        "stream_user_balances": Stream(accounts.stream_balances, "balance_update"),
        "stream_order_queue": Stream(orders.stream_order_queue, "queue_update"),
        "stream_bot_status": Stream(bots.stream_bot_status, "bot_update"),
        "stream_trade_updates": Stream(trades.stream_trade_updates, "trade_update"),
        "stream_ohlcv_updates": Stream(ohlcv.stream_ohlcv, "ohlcv_update"),
        "stream_process_health": Stream(processes.stream_process_health, "process_health_update"),
    }
    connection_id: str = field(default_factory=lambda: uuid4().hex)

    _CODES: ClassVar = {
        "BAD_USER_INPUT": "INVALID_PARAMS",
        "NOT_FOUND": "CACHE_MISS",
        "TIMEOUT": "CACHE_TIMEOUT",
        "INTERNAL": "INTERNAL_ERROR",
    }

    def parse(self, message: Result) -> PlatformRequest:
        return _parse(message, "operation", self.connection_id)

    def code(self, code: str, request: PlatformRequest | None) -> str:
        return self._CODES.get(code, code)

    def answer(self, request: PlatformRequest, result: Result, milliseconds: float) -> Result:
        outcome = {"result": result, "error": None, "error_code": None, "latency_ms": milliseconds}
        return {"request_id": request.id, "success": True, "timestamp": _now()} | outcome

    def started(self, request: PlatformRequest) -> Result:
        return self.answer(request, {"status": "streaming", "stream_key": request.key}, 0.0)

    def stopped(self, request: PlatformRequest) -> Result:
        return self.answer(request, {"status": "stopped", "stream_key": request.key}, 0.0)

    def update(self, request: PlatformRequest, kind: str, result: Result) -> Result:
        head = {"request_id": request.id, "operation": kind, "success": True, "timestamp": _now()}
        return head | {"result": {"stream_key": request.key} | result}

    def error(self, request: PlatformRequest | None, code: str, message: str) -> Result:
        outcome = {"error": message, "error_code": code, "error_message": message, "details": None}
        return {"request_id": request.id if request else None, "success": False, "timestamp": _now()} | outcome


# ---------------------------------------------------------------- one domain on one connection

DOMAINS: Final = {
    "tickers": tickers,
    "accounts": accounts,
    "orders": orders,
    "trades": trades,
    "bots": bots,
    "ohlcv": ohlcv,
    "process": processes,
}


_COMMON_FIELDS: Final = ("exchange", "timeframe", "user_id", "bot_id")
_SUBSCRIPTION_FIELDS: Final = (*_COMMON_FIELDS, "symbol", "symbols")
"""Fields of `subscribe` and `unsubscribe` beside the action."""


@dataclass(frozen=True)
class DomainProtocol:
    """`cache/ws/{domain}` or `cache/ws/{domain}/{connection_id}`: `{action, request_id, params}`.

    `{action: "subscribe", exchange, symbol}` starts the stream of the domain, too, as one stream per symbol. Its
    updates have their values at the top level, and `unsubscribe` with the same fields ends it.
    """

    reads: Reads
    streams: Streams
    connection_id: str

    _CODES: ClassVar = {
        "BAD_USER_INPUT": "INVALID_PARAMS",
        "SERVICE_UNAVAILABLE": "CACHE_ERROR",
        "TIMEOUT": "CACHE_ERROR",
        "INTERNAL": "INTERNAL_ERROR",
    }

    @classmethod
    def of_domain(cls, domain: str, connection_id: str) -> Self:
        """The protocol of a domain, on a new connection."""
        module = DOMAINS[domain]
        [stream] = module.STREAMS.values()
        return cls(module.READS, {**module.STREAMS, SUBSCRIBE: stream}, connection_id)

    def parse(self, message: Result) -> PlatformRequest:
        request = _parse(message, "action", self.connection_id)
        named = present_params(message, *_SUBSCRIPTION_FIELDS)
        if request.name == SUBSCRIBE:
            return self._of_symbols(request, present_params({**request.params, **named}, *_SUBSCRIPTION_FIELDS))
        if request.name == UNSUBSCRIBE and named:
            return self._of_symbols(request, named)
        if message.keys() <= {"action", "token"} and request.name == UNSUBSCRIBE:
            return replace(request, parts={})
        return request

    def _of_symbols(self, request: PlatformRequest, fields: Result) -> PlatformRequest:
        """The request with a part for each symbol, or with one part if `fields` have no symbol."""
        symbols = fields.get("symbols", [fields["symbol"]] if "symbol" in fields else [])
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) and symbol for symbol in symbols):
            raise InvalidRequest("INVALID_PARAMS", "`symbol` is a string, and `symbols` a list of strings.")
        common = {"timeframe": Timeframe.M1} | {name: fields[name] for name in _COMMON_FIELDS if name in fields}
        each = [common | {"symbol": symbol, "symbols": [symbol]} for symbol in dict.fromkeys(symbols)] or [common]
        return replace(request, params=fields, parts={self._name(part): part for part in each})

    def _name(self, params: Params) -> str:
        """The name of a stream of `subscribe`, which the same fields in `unsubscribe` have."""
        return ":".join([self.connection_id, *(str(params.get(name, "")) for name in (*_COMMON_FIELDS, "symbol"))])

    def code(self, code: str, request: PlatformRequest | None) -> str:
        operation = request and (self.reads.get(request.name) or self.streams.get(request.name))
        return operation.missing if code == "NOT_FOUND" and operation else self._CODES.get(code, code)

    def answer(self, request: PlatformRequest, result: Result, milliseconds: float) -> Result:
        return {"request_id": request.id, "action": request.name, "success": True, "result": result}

    def started(self, request: PlatformRequest) -> Result:
        if request.name == SUBSCRIBE:
            return self.answer(request, dict(request.params), 0)
        started = {"message": f"{request.name} has started", "stream_key": request.key}
        return self.answer(request, {"stream_key": request.key}, 0) | started

    def stopped(self, request: PlatformRequest) -> Result:
        has_fields = not request.parts or request.params.keys() & set(_SUBSCRIPTION_FIELDS)
        return self.answer(request, dict(request.params) if has_fields else {"stream_key": request.key}, 0)

    def update(self, request: PlatformRequest, kind: str, result: Result) -> Result:
        if request.name == SUBSCRIBE:
            return {"request_id": request.id, "action": kind, **result}
        return {"request_id": request.id, "action": kind, "result": {"stream_key": request.key} | result}

    def error(self, request: PlatformRequest | None, code: str, message: str) -> Result:
        head = {"request_id": request.id, "action": request.name} if request else {"request_id": None}
        return head | {"success": False, "error_code": code, "error": message}


# ---------------------------------------------------------------- live bars alone


@dataclass(frozen=True)
class CandleProtocol:
    """`ohlcv/ws/ohlcv` and `/ws/ohlcv`: `{action, exchange, symbol, timeframe, type}`.

    Updates are bars for every `type`.
    """

    reads: ClassVar[Reads] = {}
    streams: ClassVar[Streams] = {SUBSCRIBE: Stream(ohlcv.stream_bars, "ohlcv_update")}

    _FIELDS: ClassVar = ("exchange", "symbol", "timeframe", "type")

    def parse(self, message: Result) -> PlatformRequest:
        action = message.get("action")
        if action not in {SUBSCRIBE, UNSUBSCRIBE}:
            raise InvalidRequest("INVALID_OPERATION", f"Unknown action: {action}")
        if not all(isinstance(message.get(name), str) and message[name] for name in self._FIELDS):
            raise InvalidRequest("INVALID_PARAMS", f"Missing required fields: {', '.join(self._FIELDS)}")
        return PlatformRequest(None, action, message, {"|".join(message[name] for name in self._FIELDS): message})

    def code(self, code: str, request: PlatformRequest | None) -> str:
        return code

    def answer(self, request: PlatformRequest, result: Result, milliseconds: float) -> Result:
        return {"type": request.name, **self._head(request), "data": result}

    def started(self, request: PlatformRequest) -> Result:
        return self._confirmation("subscription_confirmed", request, "subscribed")

    def stopped(self, request: PlatformRequest) -> Result:
        return self._confirmation("unsubscription_confirmed", request, "unsubscribed")

    def update(self, request: PlatformRequest, kind: str, result: Result) -> Result:
        return {"type": kind, **self._head(request), "data": result}

    def error(self, request: PlatformRequest | None, code: str, message: str) -> Result:
        return {"type": "error", "message": message, "timestamp": _now()}

    def _confirmation(self, kind: str, request: PlatformRequest, status: str) -> Result:
        subscription = {"type": kind, **self._head(request), "subscription_type": request.params["type"]}
        return subscription | {"data": {"status": status}}

    @staticmethod
    def _head(request: PlatformRequest) -> Result:
        return {name: request.params[name] for name in ("exchange", "symbol", "timeframe")} | {"timestamp": _now()}
