"""`/graphql`: the graph over HTTP and graphql-transport-ws, with the caller's identity in every operation."""

from __future__ import annotations

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from fullon_graphql.auth.credentials import credential_in_headers, credential_in_payload
from fullon_graphql.auth.principal import Anonymous, Caller
from fullon_graphql.config import Settings
from fullon_graphql.context import Context, Process
from fullon_graphql.graph import Graph
from fullon_graphql.services.identity import identify


class GraphEndpoint(GraphQL[Context, None]):
    """The ASGI application behind `/graphql`. It finds the `Process` in the state that the lifespan yielded."""

    def __init__(self, graph: Graph, settings: Settings) -> None:
        super().__init__(
            graph,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            allowed_origins=settings.cors_origins,
        )

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The context of a request, or the one that a socket's operations are forked from."""
        process: Process = request.state.process
        return Context(
            process,
            caller=await caller_of(request, process),
            request_id=request.scope["request_id"],
            address=request.client.host if request.client else None,
            user_agent=request.headers.get("user-agent"),
        )

    async def on_ws_connect(self, context: Context) -> dict[str, object] | None:
        """Accept a socket whose `connection_init` payload, or whose own headers, say who it is; close others 4403."""
        if credential := credential_in_payload(context.connection_params):
            process = context.process
            context.caller = await identify(credential, process.sessions, process.api_keys)
        if isinstance(context.caller, Anonymous):
            raise ConnectionRejectionError
        return None

    def encode_json(self, data: object) -> str:
        """JSON text; sockets send it as text frames."""
        return orjson.dumps(data).decode()


async def caller_of(connection: HTTPConnection, process: Process) -> Caller:
    """Who is behind a request or a socket's handshake, by its headers."""
    headers = connection.headers
    credential = credential_in_headers(headers.get("authorization"), headers.get("x-api-key"))
    return await identify(credential, process.sessions, process.api_keys)
