"""What clients say in graphql-transport-ws, read from text. PROTOCOL.md of graphql-ws is the letter of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from fullon_graphql.engine.operations import Request


class Malformed(Exception):
    """A message that the protocol does not know; the text says why."""


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The first message; its payload may say who it is."""

    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Ping:
    """Is to be answered; its payload may have a fresh token."""

    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to one of ours, or a sign of life."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Run an operation of any kind under this id."""

    id: str
    request: Request


@dataclass(frozen=True, slots=True)
class Complete:
    """Listen no more."""

    id: str


Message = ConnectionInit | Ping | Pong | Subscribe | Complete


def read(text: str | None) -> Message:
    """The message in a text frame; None stands for a binary one.

    Raises:
        Malformed: it is none.
    """
    if text is None:
        raise Malformed("Messages are text")
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed("A message is not JSON") from error
    match found:
        case {"type": "connection_init", **rest}:
            return ConnectionInit(_payload(rest))
        case {"type": "ping", **rest}:
            return Ping(_payload(rest))
        case {"type": "pong", **rest}:
            _payload(rest)
            return Pong()
        case {"type": "subscribe", "id": str(id_), "payload": {"query": str(query), **rest}} if id_:
            return Subscribe(id_, _request(query, rest))
        case {"type": "complete", "id": str(id_)} if id_:
            return Complete(id_)
        case _:
            raise Malformed("A message is not one of graphql-transport-ws")


def _payload(rest: dict[Any, Any]) -> dict[str, Any] | None:
    payload = rest.get("payload")
    if not isinstance(payload, dict | None):
        raise Malformed("A payload is not an object")
    return payload


def _request(query: str, rest: dict[Any, Any]) -> Request:
    name, variables, extensions = rest.get("operationName"), rest.get("variables"), rest.get("extensions")
    if not isinstance(name, str | None):
        raise Malformed("operationName is not a text")
    if not isinstance(variables, dict | None) or not isinstance(extensions, dict | None):
        raise Malformed("variables or extensions are not an object")
    return Request(query, name or None, variables or {})
