from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from fullon_graphql.cli.user import app
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import Unauthenticated
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.user_admin import all_accounts


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))


async def run(*arguments: str, typed: str = "") -> Result:
    """Run in a thread: a command starts its own event loop."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, input=typed))


async def test_create_prompts_twice_for_the_password(database: Database, redis: Redis, settings: Settings) -> None:
    result = await run("create", "new@fullon", "--name", "Ada", "--admin", typed="hidden-one\nhidden-one\n")
    assert result.exit_code == 0, result.output
    assert "hidden-one" not in result.output
    (account,) = await all_accounts(database)
    assert (account.mail, account.role, account.active) == ("new@fullon", "ADMIN", True)


async def test_passwd_reads_a_password_from_standard_input(
    database: Database, redis: Redis, settings: Settings
) -> None:
    await run("create", "a@fullon", "--password-stdin", typed="first\n")
    result = await run("passwd", "a@fullon", "--password-stdin", typed="second\r\n")
    assert result.exit_code == 0, result.output
    sessions = Sessions(database, redis, settings)
    assert await sessions.login("a@fullon", "second")
    with pytest.raises(Unauthenticated):
        await sessions.login("a@fullon", "first")


async def test_duplicate_mail_is_one_line_and_exit_code_1(database: Database) -> None:
    await run("create", "a@fullon", "--password-stdin", typed="first\n")
    result = await run("create", "a@fullon", "--password-stdin", typed="first\n")
    assert result.exit_code == 1
    assert result.output.strip() == "There is an account with this mail already."


async def test_empty_standard_input_sets_no_password(database: Database) -> None:
    result = await run("create", "a@fullon", "--password-stdin")
    assert result.exit_code == 1
    assert await all_accounts(database) == []


async def test_list_shows_accounts_without_secrets(database: Database) -> None:
    await run("create", "a@fullon", "--password-stdin", typed="first\n")
    result = await run("list")
    assert result.exit_code == 0, result.output
    assert "a@fullon" in result.output
    assert "$2b$" not in result.output


async def test_unreachable_database_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:hidden@127.0.0.1:1/none")
    result = await run("list")
    assert result.exit_code == 1
    assert "does not answer" in result.output
    assert "hidden" not in result.output


@pytest.mark.parametrize("command", ["create", "passwd"])
async def test_password_is_never_an_argument(command: str) -> None:
    result = await run(command, "a@fullon", "--password", "visible")
    assert result.exit_code == 2
