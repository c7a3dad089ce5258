"""Where the plain protocols are spoken, as one plain ASGI application."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.credentials import BearerToken, Credential
from fullon_graphql.engine.operations import Operations
from fullon_graphql.errors import FullonError, NotFound
from fullon_graphql.subscriptions.presence import Presences
from fullon_graphql.subscriptions.sharing import Streams
from fullon_graphql.subscriptions.transports.door import Door, context_of, credential_of, refuse
from fullon_graphql.subscriptions.transports.plain.asking import Asking
from fullon_graphql.subscriptions.transports.plain.bars import Bars
from fullon_graphql.subscriptions.transports.plain.domains import DOMAINS, Domain
from fullon_graphql.subscriptions.transports.plain.gateway import Gateway
from fullon_graphql.subscriptions.transports.plain.manners import Manner
from fullon_graphql.subscriptions.transports.plain.socket import PlainSocket


class PlainEndpoint:
    """All sockets but the graph's."""

    def __init__(self, operations: Operations, streams: Streams, presences: Presences, door: Door) -> None:
        self._operations = operations
        self._streams = streams
        self._presences = presences
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # `websocket.connect`: there is nothing in it
        try:
            manner = manner_at(scope["path"])
            if manner is None:
                raise NotFound("There are no sockets at this address.")
            with self._door.passed(scope):
                await send({"type": "websocket.accept"})
                asking = Asking(self._operations, self._streams, context_of(scope))
                plain = PlainSocket(manner, asking, self._presences, _credential(scope), receive, send)
                await plain.serve()
        except FullonError as refusal:
            await refuse(send, refusal)


def _credential(scope: Scope) -> Credential:
    """The token in the address, as the platform's clients send it, or what any request may carry."""
    tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return BearerToken(tokens[0]) if tokens else credential_of(scope)


def manner_at(path: str) -> Manner | None:
    """The protocol that is spoken at an address, on a new connection; None where none is."""
    match path.strip("/").split("/"):
        case ["ws"] | ["api", "v1", "cache", "ws"]:
            return Gateway()
        case ["api", "v1", "cache", "ws", domain, connection_id] if domain in DOMAINS and connection_id:
            table = DOMAINS[domain]
            return Domain(table.READS, table.STREAMS, connection_id)
        case ["api", "v1", "ohlcv", "ws", "ohlcv"]:
            return Bars()
        case _:
            return None
