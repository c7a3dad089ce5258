"""Tools for an agent over the Model Context Protocol: which there are, and a change with its confirmation.

Start `make demo`, install the extra `mcp`, then in another terminal:

    .venv/bin/python examples/28_tools_for_agents.py

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")

LOGIN = """mutation { login(mail: "trader@fullon", password: "fullon-demo") { accessToken } }"""
CREATE = """mutation { createApiKey(input: {name: "agent", scopes: ["read", "bots:write"]}) { key } }"""


async def main() -> None:
    key = await api_key()
    command = ["-m", "fullon_graphql.cli", "mcp", "--allow-writes"]
    environment = {"FULLON_URL": URL, "FULLON_API_KEY": key}
    async with Client(StdioServerParameters(command=sys.executable, args=command, env=environment)) as agent:
        tools = (await agent.list_tools()).tools
        print(f"{len(tools)} tools: {', '.join(tool.name for tool in tools)}")

        bots = (await call(agent, "Bots", last=1))["data"]["bots"]
        [bot] = bots["nodes"]
        print(f"{bots['totalCount']} bots, the last is {bot['name']}")

        preview = await call(agent, "StopBot" if bot["active"] else "StartBot", botId=bot["botId"])
        print(f"preview: active would become {preview['preview']['updateBot']['active']}")
        confirmed = await call(agent, "confirm", token=preview["confirmationToken"])
        print(f"confirmed: active is {confirmed['data']['updateBot']['active']}")


async def call(agent: Client, tool: str, **arguments: Any) -> Any:
    """The answer of a tool."""
    result = await agent.call_tool(tool, arguments)
    [content] = result.content
    text = getattr(content, "text", "")
    if result.is_error:
        sys.exit(f"{tool}: {text}")
    return json.loads(text)


async def api_key() -> str:
    """A new API key that may read, and change bots."""
    async with httpx2.AsyncClient(base_url=URL, timeout=30) as client:
        try:
            answer = (await client.post("/graphql", json={"query": LOGIN})).json()
        except httpx2.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        headers = {"authorization": f"Bearer {answer['data']['login']['accessToken']}"}
        answer = (await client.post("/graphql", json={"query": CREATE}, headers=headers)).json()
    return str(answer["data"]["createApiKey"]["key"])


if __name__ == "__main__":
    asyncio.run(main())
