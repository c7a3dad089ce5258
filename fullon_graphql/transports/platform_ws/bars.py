"""`/api/v1/ohlcv/ws/ohlcv`: `{action, exchange, symbol, timeframe, type}`, live bars and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from fullon_graphql.transports.platform_ws import ohlcv
from fullon_graphql.transports.platform_ws.graph_client import GraphClient, Params, Result, Source, Stream
from fullon_graphql.transports.platform_ws.protocol import (
    UNSUBSCRIBE,
    InvalidRequest,
    PlatformRequest,
    Reads,
    Streams,
    now,
)


async def _subscribe(asking: GraphClient, params: Params) -> Sequence[Source]:
    timeframe = ohlcv.timeframe_of(params)
    return [Source(ohlcv.live(asking, params["exchange"], params["symbol"], timeframe), _bar)]


def _bar(data: Result) -> list[Result]:
    update = data["candles"]
    prices = {name: update["candle"][name] for name in ("open", "high", "low", "close", "volume")}
    return [{"timestamp": update["candle"]["time"], **prices, "is_final": update["closed"]}]


STREAMS: Final = {"subscribe": Stream(_subscribe, "ohlcv_update")}


@dataclass(frozen=True)
class Bars:
    """One connection. Whatever the `type`, it is bars that come."""

    reads: ClassVar[Reads] = {}
    streams: ClassVar[Streams] = STREAMS

    _FIELDS: ClassVar = ("exchange", "symbol", "timeframe", "type")

    def asked(self, message: Result) -> PlatformRequest:
        action = message.get("action")
        if action not in {"subscribe", UNSUBSCRIBE}:
            raise InvalidRequest("INVALID_OPERATION", f"Unknown action: {action}")
        if not all(isinstance(message.get(name), str) and message[name] for name in self._FIELDS):
            raise InvalidRequest("INVALID_PARAMS", f"Missing required fields: {', '.join(self._FIELDS)}")
        return PlatformRequest(None, action, message, "|".join(message[name] for name in self._FIELDS))

    def code(self, code: str, asked: PlatformRequest | None) -> str:
        return code

    def answer(self, asked: PlatformRequest, result: Result, milliseconds: float) -> Result:
        return {"type": asked.name, **self._named(asked), "data": result}

    def started(self, asked: PlatformRequest) -> Result:
        return self._confirmed("subscription_confirmed", asked, "subscribed")

    def stopped(self, asked: PlatformRequest) -> Result:
        return self._confirmed("unsubscription_confirmed", asked, "unsubscribed")

    def update(self, asked: PlatformRequest, kind: str, result: Result) -> Result:
        return {"type": kind, **self._named(asked), "data": result}

    def refusal(self, asked: PlatformRequest | None, code: str, message: str) -> Result:
        return {"type": "error", "message": message, "timestamp": now()}

    def _confirmed(self, kind: str, asked: PlatformRequest, status: str) -> Result:
        named = {"type": kind, **self._named(asked), "subscription_type": asked.params["type"]}
        return named | {"data": {"status": status}}

    @staticmethod
    def _named(asked: PlatformRequest) -> Result:
        named = {name: asked.params[name] for name in ("exchange", "symbol", "timeframe")}
        return named | {"timestamp": now()}
