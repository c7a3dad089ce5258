"""The client messages of graphql-transport-ws (PROTOCOL.md of graphql-ws), parsed from text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from fullon_graphql.engine.operations import Request
from fullon_graphql.transports.requests import InvalidParams, request_from_params


class Malformed(Exception):
    """A message that the protocol does not allow; the text says why."""


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The first message; its payload may have a credential."""

    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Ping:
    """Must be answered; its payload may have a fresh token."""

    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping, or a heartbeat."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Run an operation of any type under this id."""

    id: str
    request: Request


@dataclass(frozen=True, slots=True)
class Complete:
    """End the operation with this id."""

    id: str


Message = ConnectionInit | Ping | Pong | Subscribe | Complete


def parse(text: str | None) -> Message:
    """The message in a text frame; None is a binary frame.

    Raises:
        Malformed: the protocol has no such message.
    """
    if text is None:
        raise Malformed("Messages are text")
    try:
        message: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed("A message is not JSON") from error
    match message:
        case {"type": "connection_init", **rest}:
            return ConnectionInit(_payload(rest))
        case {"type": "ping", **rest}:
            return Ping(_payload(rest))
        case {"type": "pong", **rest}:
            _payload(rest)
            return Pong()
        case {"type": "subscribe", "id": str(id_), "payload": params} if id_:
            return Subscribe(id_, _request(params))
        case {"type": "complete", "id": str(id_)} if id_:
            return Complete(id_)
        case _:
            raise Malformed("A message is not one of graphql-transport-ws")


def _payload(rest: dict[Any, Any]) -> dict[str, Any] | None:
    payload = rest.get("payload")
    if not isinstance(payload, dict | None):
        raise Malformed("A payload is not an object")
    return payload


def _request(params: Any) -> Request:
    try:
        return request_from_params(params)
    except InvalidParams as error:
        raise Malformed(str(error)) from error
