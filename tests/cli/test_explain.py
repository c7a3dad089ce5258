"""`fullon-graphql explain` on the stores of the tests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from fullon_graphql.cli import app
from fullon_graphql.config import Settings

BOTS = "query ($first: Int) { bots(first: $first) { nodes { name orders(first: 1) { nodes { ticker { price } } } } } }"


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("OHLCV_DATABASE_URL", settings.ohlcv_database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))
    monkeypatch.setenv("ADMIN_MAIL", "user1@fullon")
    monkeypatch.setenv("COLUMNS", "200")


async def explain(folder: Path, text: str, *options: str) -> Result:
    """Run in a thread: a command starts its own event loop."""
    file = folder / "operation.graphql"
    file.write_text(text)
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["explain", str(file), *options]))


@pytest.mark.usefixtures("platform")
async def test_explain_prints_a_tree_of_steps(tmp_path: Path) -> None:
    result = await explain(tmp_path, BOTS, "--variables", '{"first": 2}')
    assert result.exit_code == 0, result.output
    lines = [line.lstrip("│├└─ ") for line in result.output.splitlines()]
    assert lines[0].startswith("plan, ")
    steps = [line.partition(":")[0] for line in lines[1:] if " ms" in line]
    assert steps == ["parse", "validate", "plan", "compile bots", "statement bots", "batch ticker"]
    assert any(line.startswith("SELECT") for line in lines)
    assert lines[-1] == "HMGET tickers:kraken"  # without the commands that opened the connection
    assert not [line for line in lines if line.startswith(("CLIENT", "PING", "AUTH"))]
    assert "keys 1" in result.output


@pytest.mark.usefixtures("platform")
async def test_explain_runs_as_the_named_caller(tmp_path: Path) -> None:
    query = "{ auditLog(first: 1) { nodes { operation } } }"
    administrator = await explain(tmp_path, query)
    assert administrator.exit_code == 0, administrator.output
    assert administrator.output.startswith("plan, ")
    owner = await explain(tmp_path, query, "--as", "user2@fullon")
    assert owner.exit_code == 1, owner.output


@pytest.mark.usefixtures("platform")
async def test_explain_prints_the_reason_of_a_fallback(tmp_path: Path) -> None:
    result = await explain(tmp_path, "{ __schema { queryType { name } } me { uid } }")
    assert result.exit_code == 0
    assert "reference, " in result.output
    assert "Query.__schema belongs to introspection" in result.output


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(
    ("text", "options", "output"),
    [
        ("{", [], "Syntax Error"),
        ("{ nothing }", [], "Cannot query field 'nothing'"),
        ("mutation { startService(name: TICKER) { state } }", [], "Only queries can be explained"),
        (BOTS, ["--variables", "{"], "--variables is not JSON"),
        (BOTS, ["--variables", "[1]"], "--variables must be a JSON object"),
        (BOTS, ["--as", "nobody@fullon"], "There is no active account for nobody@fullon."),
    ],
)
async def test_invalid_query_is_one_line_and_exit_code_1(
    tmp_path: Path, text: str, options: list[str], output: str
) -> None:
    result = await explain(tmp_path, text, *options)
    assert result.exit_code == 1
    assert output in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.usefixtures("platform")
async def test_explain_runs_no_services(tmp_path: Path, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICES_TO_AUTO_START", '["ticker"]')
    result = await explain(tmp_path, "{ services { state } }")
    assert result.exit_code == 0, result.output
    assert [key for key in await redis.keys() if ":cost_limits:" not in key] == []
