from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import typer
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from fullon_graphql.cli.token import token
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.user_admin import create_account

SECRET = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))


async def run(*arguments: str) -> Result:
    """Run in a thread: a command starts its own event loop."""
    app = typer.Typer()
    app.command()(token)
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*arguments]))


async def test_printed_token_authenticates_the_account(database: Database, redis: Redis) -> None:
    uid = await create_account(database, "a@fullon", "secret")
    result = await run("a@fullon")
    assert result.exit_code == 0, result.output
    sessions = Sessions(database, redis, Settings())
    assert (await sessions.identify_token(result.output.strip())).uid == uid


async def test_missing_account_is_one_line(database: Database) -> None:
    result = await run("nobody@fullon")
    assert result.exit_code == 1
    assert result.output.strip() == "There is no active account for nobody@fullon."


async def test_default_secret_signs_no_token(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await create_account(database, "a@fullon", "secret")
    monkeypatch.delenv("JWT_SECRET_KEY")
    result = await run("a@fullon")
    assert result.exit_code == 1
    assert "JWT_SECRET_KEY is not set" in result.output
    assert "eyJ" not in result.output


async def test_printed_token_has_the_given_scopes(database: Database, redis: Redis) -> None:
    await create_account(database, "a@fullon", "secret")
    result = await run("a@fullon", "--scope", "orders:read", "--scope", "services:control")
    principal = await Sessions(database, redis, Settings()).identify_token(result.output.strip())
    assert principal.scopes == {"orders:read", "services:control"}
    refused = await run("a@fullon", "--scope", "nonsense")
    assert (refused.exit_code, "eyJ" in refused.output) == (1, False)
