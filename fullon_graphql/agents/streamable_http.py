"""The MCP server over HTTP at `/mcp`, for many clients, each with its own API key. It keeps no sessions."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fullon_graphql.agents.graph_client import GraphClient, graph_client
from fullon_graphql.agents.schema_search import SchemaSearch
from fullon_graphql.agents.server import AgentServer, Context
from fullon_graphql.agents.tools import DocumentTool
from fullon_graphql.auth.api_keys import is_presentable
from fullon_graphql.auth.credentials import credential_in_headers

PATH: Final = "/mcp"
MOST_BODY_BYTES: Final = 2**20
MOST_REQUESTS: Final = 100
"""Requests and connections at once; further ones are answered with 503."""


def http_app(
    tools: Mapping[str, DocumentTool], search: SchemaSearch, client: GraphClient, host: str = "127.0.0.1"
) -> Starlette:
    """The ASGI application. On a loopback `host` it refuses other names in `Host`, as DNS rebinding would send."""
    app = (
        AgentServer(tools, search, client, _key_of)
        .protocol_server()
        .streamable_http_app(
            streamable_http_path=PATH,
            stateless_http=True,
            json_response=True,
            max_request_body_size=MOST_BODY_BYTES,
            host=host,
        )
    )
    app.add_middleware(_RequireKey)
    return app


async def serve_http(
    tools: Mapping[str, DocumentTool], search: SchemaSearch, url: str, key_header: str, listening: socket.socket
) -> None:
    """Serve on a listening socket until SIGINT or SIGTERM."""
    async with graph_client(url, key_header) as client:
        app = http_app(tools, search, client, listening.getsockname()[0])
        config = uvicorn.Config(app, log_level="warning", limit_concurrency=MOST_REQUESTS)
        await uvicorn.Server(config).serve(sockets=[listening])


class _RequireKey:
    """ASGI middleware: refuses requests without an API key. The GraphQL server checks the key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _key_in(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse(
            "Send an API key of the platform: Authorization: Bearer <key>.", 401, {"www-authenticate": "Bearer"}
        )
        await refusal(scope, receive, send)


def _key_in(headers: Mapping[str, str]) -> str | None:
    """The API key in `Authorization: Bearer <key>` or `X-API-Key`."""
    credential = credential_in_headers(headers.get("authorization"), headers.get("x-api-key"))
    return credential.value if credential and is_presentable(credential.value) else None


def _key_of(context: Context) -> str:
    request = context.request
    key = _key_in(request.headers) if request is not None else None
    assert key is not None, "the middleware refuses requests without a key"
    return key
