"""The command over standard input and output, as an MCP host starts it."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp import Client, StdioServerParameters

from tests.agents.conftest import AddKey, data
from tests.fixtures.server import Server


async def test_command_serves_read_tools_over_stdio(server: Server, add_key: AddKey, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(await add_key("read,write") + "\n")
    command = ["-m", "fullon_graphql.cli", "mcp", "--url", server.url, "--key-file", str(tmp_path / "key")]
    async with Client(StdioServerParameters(command=sys.executable, args=command, cwd=Path.cwd())) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        assert {"OpenOrders", "search_schema"} <= set(tools)
        assert not {"StopBot", "confirm"} & set(tools)
        assert data(await client.call_tool("OpenOrders", {"last": 1}))["data"]["orders"]["totalCount"] == 40
