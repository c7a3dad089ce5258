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
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message
from strawberry.types.unset import UNSET, UnsetType

from fullon_graphql.auth.credentials import credential_in_headers, credential_in_payload
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.config import Settings
from fullon_graphql.context import Context, Process


class Protocol(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket's side of the protocol. Strawberry trusts that the parts of a message have the types they should."""

    async def handle_message(self, message: Message) -> None:
        """Act on one message, or close with 4400 where it is of no shape that the protocol knows."""
        if _is_well_formed(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("The message is not one of graphql-transport-ws.")


def _is_well_formed(message: object) -> bool:
    match message:
        case {"type": "subscribe", "id": str(), "payload": {"query": str(), **rest}}:
            names, variables = rest.get("operationName"), rest.get("variables")
            return isinstance(names, str | None) and isinstance(variables, dict | None)
        case {"type": "complete", "id": str()}:
            return True
        case {"type": str(kind)}:
            return kind not in {"subscribe", "complete"}
        case _:
            return False


class SocketEndpoint(GraphQL[Context, None]):
    """The ASGI application behind sockets. It finds the `Process` in the state that the lifespan yielded."""

    graphql_transport_ws_handler_class = Protocol

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

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Accept a socket whose `connection_init` payload, or whose own headers, say who it is; close others 4403."""
        if credential := credential_in_payload(context.connection_params):
            context.caller = await context.process.identities.identify(credential)
        if isinstance(context.caller, Anonymous):
            raise ConnectionRejectionError
        accepted: UnsetType = UNSET  # None would be sent as a payload of null, which the protocol does not know
        return accepted

    def encode_json(self, data: object) -> str:
        """JSON text; sockets send it as text frames."""
        return orjson.dumps(data).decode()
