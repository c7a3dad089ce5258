"""How a client listens on the platform's plain sockets: to states alone, for they know no cursors."""

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
    """The address of one domain."""
    return f"/api/v1/cache/ws/{name}/torture"


@dataclass(frozen=True)
class Plain:
    """One way to a stream: the question at an address, and what its updates call `symbol` and `step`."""

    path: str
    question: Mapping[str, Any]
    step: str
    symbol: str = "symbol"

    async def __call__(self, url: str, token: str, _variables: Mapping[str, Any]) -> Responses:
        """The updates, worded as responses of the graph."""
        async with connected(f"{url}{self.path}?token={token}") as connection:
            await connection.send(orjson.dumps(self.question).decode())
            async for text in connection:
                match orjson.loads(text):
                    case (
                        {"operation": "ticker_update" | "position_update" as kind, "result": told}
                        | {"action": "ticker_update" | "position_update" as kind, "result": told}
                        | {"type": "ohlcv_update" as kind, "data": told}
                    ):
                        yield {"data": {kind: {"symbol": told[self.symbol], "step": told[self.step]}}}
                    case {"success": False, "error_code": code, "error": message}:
                        raise Refused([{"message": message, "extensions": {"code": code}}])
                    case {"type": "error", "message": message}:
                        raise Refused([{"message": message, "extensions": {"code": _code(message)}}])


def _code(message: str) -> str:
    """What the words mean where bars are refused: no code comes with them."""
    silent = "does not answer" in message or "too long" in message
    return ServiceUnavailable.code if silent else message
