"""The MCP server on standard input and output, for one client and one API key."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.server.stdio import stdio_server

from fullon_graphql.agents.graph_client import graph_client
from fullon_graphql.agents.schema_search import SchemaSearch
from fullon_graphql.agents.server import AgentServer
from fullon_graphql.agents.tools import DocumentTool


async def serve_stdio(
    tools: Mapping[str, DocumentTool], search: SchemaSearch, url: str, key: str, key_header: str
) -> None:
    """Serve until the client closes standard input."""
    async with graph_client(url, key_header) as client, stdio_server() as (received, sent):
        server = AgentServer(tools, search, client, lambda _: key).protocol_server()
        await server.run(received, sent, server.create_initialization_options())
