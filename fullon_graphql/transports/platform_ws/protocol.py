"""What the plain protocols have in common: what a message asks for, and the words an answer is made of.

Words and codes are the platform's. Where it has none for a refusal, the code is that of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import uuid4

from fullon_graphql.transports.platform_ws.graph_client import Params, Read, Result, Stream

UNSUBSCRIBE: Final = "unsubscribe"

Reads = Mapping[str, Read]
Streams = Mapping[str, Stream]


class InvalidRequest(Exception):
    """A message that makes no sense, and the platform's code for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class PlatformRequest:
    """What a message asks for. `key` names a stream on its connection: the one to start, or to end."""

    id: Any
    name: str
    params: Params
    key: str


class PlatformProtocol(Protocol):
    """One protocol on one connection."""

    @property
    def reads(self) -> Reads: ...

    @property
    def streams(self) -> Streams: ...

    def asked(self, message: Result) -> PlatformRequest:
        """What a message asks for.

        Raises:
            Misunderstood: nothing that makes sense.
        """
        ...

    def code(self, code: str, asked: PlatformRequest | None) -> str:
        """The platform's word for a code of the graph."""
        ...

    def answer(self, asked: PlatformRequest, result: Result, milliseconds: float) -> Result: ...

    def started(self, asked: PlatformRequest) -> Result: ...

    def stopped(self, asked: PlatformRequest) -> Result: ...

    def update(self, asked: PlatformRequest, kind: str, result: Result) -> Result: ...

    def refusal(self, asked: PlatformRequest | None, code: str, message: str) -> Result: ...


def asked_by(message: Result, verb: str, connection_id: str) -> PlatformRequest:
    """What `{request_id, <verb>, params}` asks for. Raises as `Manner.asked` does."""
    id_, name, params = message.get("request_id"), message.get(verb), message.get("params") or {}
    id_ = uuid4().hex if id_ is None else id_
    if not isinstance(id_, str | int) or not isinstance(name, str) or not isinstance(params, dict):
        raise InvalidRequest(
            "MALFORMED_MESSAGE", f"A message has `{verb}`, a text, and may have `request_id` and `params`, an object."
        )
    ends = params if name == UNSUBSCRIBE else {}
    key = ends.get("stream_key") or f"{connection_id}:{ends.get('request_id', id_)}"
    return PlatformRequest(id_, name, params, str(key))


def now() -> str:
    """The time as the platform writes it."""
    return datetime.now(UTC).isoformat()
