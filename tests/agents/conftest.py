"""Agents of the platform in the tests: SDK clients of an MCP server that talks to a real GraphQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from mcp import Client
from mcp_types import CallToolResult, TextContent

from fullon_graphql.agents.graph_client import graph_client
from fullon_graphql.agents.schema_search import SchemaSearch
from fullon_graphql.agents.server import AgentServer
from fullon_graphql.agents.tools import DOCUMENTS, DocumentTool, document_tools
from fullon_graphql.database import Database
from fullon_graphql.engine.trusted.manifests import read_manifest
from fullon_graphql.graph import Graph
from fullon_graphql.models import ApiKey
from tests.fixtures.rows import TRADER, add
from tests.fixtures.server import Server

AddKey = Callable[..., Awaitable[str]]
Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(scope="session")
def graph() -> Graph:
    from fullon_graphql.graph import make_graph

    return make_graph()


@pytest.fixture(scope="session")
def search(graph: Graph) -> SchemaSearch:
    return SchemaSearch(graph.as_str())


@pytest.fixture
def add_key(platform: Database) -> AddKey:
    """`await add_key("read,write", uid=…)`: a stored API key with these scopes."""

    async def added(scopes: str, uid: int = TRADER) -> str:
        key = f"key-of-{uid}-with-{scopes}"
        await add(platform, ApiKey, {"uid": uid, "key": key, "name": "agent", "scopes": scopes})
        return key

    return added


def tools_in(folder: Path, graph: Graph) -> dict[str, DocumentTool]:
    tools, _ = document_tools(read_manifest(folder), graph.core, allow_writes=True)
    return tools


@pytest.fixture
def connect(server: Server, graph: Graph, search: SchemaSearch) -> Connect:
    """`async with connect(key) as client`: an SDK client of a server in this process, with write tools."""

    @asynccontextmanager
    async def connected(key: str, *, documents: Path = DOCUMENTS, url: str = server.url) -> AsyncIterator[Client]:
        async with graph_client(url, "X-API-Key") as asked:
            agents = AgentServer(tools_in(documents, graph), search, asked, lambda _: key)
            async with Client(agents.protocol_server()) as client:
                yield client

    return connected


def text(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def data(result: CallToolResult) -> Any:
    assert not result.is_error, text(result)
    return orjson.loads(text(result))
