"""graphql-transport-ws on `/graphql`, and the GraphiQL page that uses it."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema import BaseSchema
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from fullon_graphql.auth.credentials import credential_in_headers, credential_in_payload
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.config import Settings
from fullon_graphql.context import Context, Process


class SocketEndpoint(GraphQL[Context, None]):
    """The ASGI application behind sockets. It finds the `Process` in the state that the lifespan yielded."""

    def __init__(self, schema: BaseSchema, settings: Settings) -> None:
        super().__init__(
            schema,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            allowed_origins=settings.cors_origins,
        )

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The context that a socket's operations are forked from."""
        process: Process = request.state.process
        headers = request.headers
        credential = credential_in_headers(headers.get("authorization"), headers.get("x-api-key"))
        return Context(
            process,
            caller=await process.identities.identify(credential),
            request_id=request.scope["request_id"],
            address=request.client.host if request.client else None,
            user_agent=headers.get("user-agent"),
        )

    async def on_ws_connect(self, context: Context) -> dict[str, object] | None:
        """Accept a socket whose `connection_init` payload, or whose own headers, say who it is; close others 4403."""
        if credential := credential_in_payload(context.connection_params):
            context.caller = await context.process.identities.identify(credential)
        if isinstance(context.caller, Anonymous):
            raise ConnectionRejectionError
        return None

    def encode_json(self, data: object) -> str:
        """JSON text; sockets send it as text frames."""
        return orjson.dumps(data).decode()
