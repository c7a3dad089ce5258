"""graphql-transport-ws on `/graphql`, by the letter of its protocol, as one plain ASGI application."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.errors import FullonError
from fullon_graphql.server.extension import try_send_of
from fullon_graphql.streaming.connections import ConnectionRegistry
from fullon_graphql.streaming.registry import StreamRegistry
from fullon_graphql.transports.admission import Admission, context_of, credential_of, refuse
from fullon_graphql.transports.graphql_transport_ws.session import BAD_SUBPROTOCOL, GraphQLSession

PROTOCOL = "graphql-transport-ws"


class GraphQLSocketEndpoint:
    """The graph's sockets. It finds the `Process` in the state that the lifespan yielded."""

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
            with self._door.passed(scope):
                await self._converse(scope, receive, send)
        except FullonError as refusal:
            await refuse(send, refusal)

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": BAD_SUBPROTOCOL, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        context, credential = context_of(scope), credential_of(scope)
        parts = (self._operations, self._streams, self._presences)
        await GraphQLSession(*parts, context, credential, receive, send, try_send_of(scope)).serve()
