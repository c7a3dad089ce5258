"""Where the plain protocols are spoken, as one plain ASGI application."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.credentials import BearerToken, Credential
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.errors import FullonError, NotFound
from fullon_graphql.streaming.connections import ConnectionRegistry
from fullon_graphql.streaming.registry import StreamRegistry
from fullon_graphql.transports.admission import Admission, context_of, credential_of, refuse
from fullon_graphql.transports.platform_ws.bars import Bars
from fullon_graphql.transports.platform_ws.domains import DOMAINS, Domain
from fullon_graphql.transports.platform_ws.gateway import Gateway
from fullon_graphql.transports.platform_ws.graph_client import GraphClient
from fullon_graphql.transports.platform_ws.protocol import PlatformProtocol
from fullon_graphql.transports.platform_ws.session import PlatformSession


class PlatformSocketEndpoint:
    """All sockets but the graph's."""

    def __init__(
        self, operations: OperationExecutor, streams: StreamRegistry, presences: ConnectionRegistry, door: Admission
    ) -> None:
        self._operations = operations
        self._streams = streams
        self._presences = presences
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # `websocket.connect`: there is nothing in it
        try:
            protocol = protocol_at(scope["path"])
            if protocol is None:
                raise NotFound("There are no sockets at this address.")
            with self._door.passed(scope):
                await send({"type": "websocket.accept"})
                asking = GraphClient(self._operations, self._streams, context_of(scope))
                plain = PlatformSession(protocol, asking, self._presences, _credential(scope), receive, send)
                await plain.serve()
        except FullonError as refusal:
            await refuse(send, refusal)


def _credential(scope: Scope) -> Credential:
    """The token in the address, as the platform's clients send it, or what any request may carry."""
    tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return BearerToken(tokens[0]) if tokens else credential_of(scope)


def protocol_at(path: str) -> PlatformProtocol | None:
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
