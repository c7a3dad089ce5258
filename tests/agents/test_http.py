"""The MCP server over HTTP, with the key of each caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import fullon_graphql.agents
from fullon_graphql.agents.schema_search import SchemaSearch
from fullon_graphql.agents.streamable_http import serve_http
from fullon_graphql.agents.tools import DOCUMENTS
from fullon_graphql.cli.listening import listening_socket
from fullon_graphql.config import Settings
from fullon_graphql.graph import Graph
from tests.agents.conftest import AddKey, data, tools_in
from tests.fixtures.in_process import in_process
from tests.fixtures.rows import OTHER, TRADER
from tests.fixtures.server import Server

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@asynccontextmanager
async def serving(graph_url: str, graph: Graph, search: SchemaSearch) -> AsyncIterator[str]:
    with listening_socket("127.0.0.1", 0) as listening:
        listening.listen()
        served = serve_http(tools_in(DOCUMENTS, graph), search, graph_url, "X-API-Key", listening)
        task = asyncio.create_task(served)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def address(server: Server, graph: Graph, search: SchemaSearch) -> AsyncIterator[str]:
    async with serving(server.url, graph, search) as url:
        yield url


@asynccontextmanager
async def connected(url: str, key: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def test_each_caller_acts_with_its_own_key(address: str, add_key: AddKey) -> None:
    for uid, orders in ((TRADER, 40), (OTHER, 5)):
        async with connected(address, await add_key("orders:read", uid=uid)) as client:
            assert "OpenOrders" in {tool.name for tool in (await client.list_tools()).tools}
            assert data(await client.call_tool("OpenOrders", {}))["data"]["orders"]["totalCount"] == orders


async def test_confirmation_needs_the_key_of_the_preview(address: str, add_key: AddKey) -> None:
    async with connected(address, await add_key("read,write")) as client:
        token = {"token": data(await client.call_tool("StopBot", {"botId": 1}))["confirmationToken"]}
        async with connected(address, await add_key("read,write", uid=OTHER)) as other:
            assert (await other.call_tool("confirm", token)).is_error
        assert data(await client.call_tool("confirm", token))["data"]["updateBot"]["active"] is False


async def test_request_without_a_key_or_with_a_foreign_host_is_refused(address: str) -> None:
    async with httpx2.AsyncClient() as client:
        for headers in ({}, {"authorization": "Basic eA=="}, {"authorization": "Bearer sha256$0123456789"}):
            refused = await client.post(address, json=LIST, headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        foreign = {"host": "evil.example", "x-api-key": "key-of-some-form"}
        assert (await client.post(address, json=LIST, headers=foreign)).status_code == 421


async def test_tools_work_on_a_server_that_executes_their_documents_only(
    settings: Settings, add_key: AddKey, graph: Graph, search: SchemaSearch
) -> None:
    folder = Path(fullon_graphql.agents.__file__).parent
    strict = settings.model_copy(update={"trusted_documents": "only", "trusted_documents_path": str(folder)})
    async with (
        in_process(strict) as running,
        serving(f"http://{running.address}", graph, search) as url,
        connected(url, await add_key("read")) as client,
    ):
        assert "Bots" in {tool.name for tool in (await client.list_tools()).tools}
        assert data(await client.call_tool("Bots", {}))["data"]["bots"]["totalCount"] == 5
