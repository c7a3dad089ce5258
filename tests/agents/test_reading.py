"""Read tools, called by a client of the SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from tests.agents.conftest import AddKey, Connect, data, text
from tests.fixtures.rows import ADMIN

BUILT_IN = {"search_schema", "describe"}


async def test_tools_are_those_that_the_scopes_of_the_key_allow(connect: Connect, add_key: AddKey) -> None:
    async with connect(await add_key("orders:read,tickers:read")) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools.keys() == {"OpenOrders", "Ticker", "BotPerformance", "ServiceStates"} | BUILT_IN
    assert tools["Ticker"].description == (
        "The live price of an instrument and its age in milliseconds; null if no price is known."
    )
    assert tools["Ticker"].input_schema["required"] == ["exchange", "symbol"]
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())


async def test_read_tools_answer_rows_of_the_account(connect: Connect, add_key: AddKey, redis: Redis) -> None:
    await tickers.write(redis, [tickers.Ticker("kraken", "BTC/USD", 100.0, 1.0)])
    async with connect(await add_key("read")) as client:
        orders = data(await client.call_tool("OpenOrders", {"last": 2}))["data"]["orders"]
        assert orders["totalCount"] == 40
        assert [order["orderId"] for order in orders["nodes"]] == [39, 40]
        ticker = data(await client.call_tool("Ticker", {"exchange": "kraken", "symbol": "BTC/USD"}))
        assert ticker["data"]["ticker"]["price"] == 100
        assert data(await client.call_tool("Bot", {"botId": 6})) == {"data": {"bot": None}}
        calls: dict[str, dict[str, Any]] = {
            "Bots": {}, "Bot": {"botId": 1}, "BotPerformance": {"botId": 1}, "RecentTrades": {}, "Positions": {},
            "Instruments": {"first": 2}, "Candles": {"exchange": "kraken", "symbol": "BTC/USD", "timeframe": "H1"},
        }  # fmt: skip
        for name, arguments in calls.items():
            assert "errors" not in data(await client.call_tool(name, arguments)), name


async def test_services_are_read_by_administrators(connect: Connect, add_key: AddKey) -> None:
    async with connect(await add_key("services:control", uid=ADMIN)) as client:
        states = data(await client.call_tool("ServiceStates", {}))["data"]["services"]
        assert [service["name"] for service in states] == ["TICKER", "OHLCV", "ACCOUNT"]


async def test_schema_is_searched_and_described(connect: Connect, add_key: AddKey) -> None:
    async with connect(await add_key("read")) as client:
        found = text(await client.call_tool("search_schema", {"text": "open orders"}))
        assert "BotDashboard.openOrders: Int!" in found
        assert "openOrders: Int!" in text(await client.call_tool("describe", {"coordinate": "BotDashboard.openOrders"}))
        unknown = await client.call_tool("describe", {"coordinate": "Nonsense"})
        assert unknown.is_error
        with pytest.raises(MCPError, match="The argument text must be a string"):
            await client.call_tool("search_schema", {"text": 1})


async def test_refusals_of_the_server_reach_the_agent(connect: Connect, add_key: AddKey) -> None:
    async with connect(await add_key("orders:read")) as client:
        calls: list[tuple[str, dict[str, Any], str]] = [
            ("Ticker", {"exchange": "kraken", "symbol": "BTC/USD"}, "lacks the scope 'tickers:read'"),
            ("OpenOrders", {"last": "two"}, "Int cannot represent"),
            ("OpenOrders", {"first": 2}, "Unknown argument 'first'; the arguments are: last."),
        ]
        for name, arguments, message in calls:
            refused = await client.call_tool(name, arguments)
            assert refused.is_error
            assert message in text(refused)
        with pytest.raises(MCPError, match="There is no tool 'StopEverything'"):
            await client.call_tool("StopEverything", {})


async def test_unknown_key_and_missing_server_are_errors(connect: Connect) -> None:
    async with connect("key-that-is-unknown") as client:
        with pytest.raises(MCPError, match="This API key is unknown"):
            await client.list_tools()
        assert "UNAUTHENTICATED" in text(await client.call_tool("OpenOrders", {}))
    async with connect("key", url="http://127.0.0.1:9") as client:
        with pytest.raises(MCPError, match="does not answer"):
            await client.list_tools()
        assert (await client.call_tool("OpenOrders", {})).is_error


async def test_answer_is_cut_with_a_note(
    connect: Connect, add_key: AddKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.graphql").write_text("query Everything { orders(first: 40) { nodes { id orderId reason } } }")
    async with connect(await add_key("read"), documents=tmp_path) as client:
        monkeypatch.setattr("fullon_graphql.agents.answers.MOST_CHARACTERS", 100)
        answer = text(await client.call_tool("Everything", {}))
        assert answer.startswith('{"data":{"orders":{"nodes":[')
        assert "first 100 of" in answer
        assert len(answer) < 300
        monkeypatch.setattr("fullon_graphql.agents.graph_client.MOST_BYTES", 100)
        refused = await client.call_tool("Everything", {})
        assert refused.is_error
        assert "The answer has more than 100 bytes" in text(refused)
