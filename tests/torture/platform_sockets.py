"""Subscriptions over the platform's sockets. Only to states: their protocols have no cursors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from fullon_graphql.errors import ServiceUnavailable
from tests.torture.transports import Refused, Responses, connected

GATEWAY: Final = "/ws"
BARS: Final = "/api/v1/ohlcv/ws/ohlcv"


def domain(name: str) -> str:
    """The path of the socket of one domain."""
    return f"/api/v1/cache/ws/{name}/torture"


@dataclass(frozen=True)
class PlatformSocket:
    """A subscription on a platform socket: its path, its request, and the keys of symbol and step in its updates."""

    path: str
    request: Mapping[str, Any]
    step: str
    symbol: str = "symbol"

    async def __call__(self, url: str, token: str, _variables: Mapping[str, Any]) -> Responses:
        """The updates in the form of responses of the graph."""
        async with connected(f"{url}{self.path}?token={token}") as connection:
            await connection.send(orjson.dumps(self.request).decode())
            async for text in connection:
                match orjson.loads(text):
                    case (
                        {"operation": "ticker_update" | "position_update" as kind, "result": state}
                        | {"action": "ticker_update" | "position_update" as kind, "result": state}
                        | {"type": "ohlcv_update" as kind, "data": state}
                    ):
                        yield {"data": {kind: {"symbol": state[self.symbol], "step": state[self.step]}}}
                    case {"success": False, "error_code": code, "error": message}:
                        raise Refused([{"message": message, "extensions": {"code": code}}])
                    case {"type": "error", "message": message}:
                        raise Refused([{"message": message, "extensions": {"code": _code(message)}}])


def _code(message: str) -> str:
    """The code of an error on the socket of bars, whose messages have none."""
    is_unavailable = "does not answer" in message or "too long" in message
    return ServiceUnavailable.code if is_unavailable else message
