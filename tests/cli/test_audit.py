from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from fullon_graphql.cli.audit import app
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.services.audit import Event, append


@pytest.fixture(autouse=True)
async def _log(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))
    for key in ("1", "2", "3"):
        async with database.transaction() as connection:
            await append(connection, Event(2, "session:x", "deleteBot", "Bot", key, "", {"bot_id": 1}, None, "r"))


async def verify() -> Result:
    """In a thread: a command brings its own event loop."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["verify"]))


async def test_a_log_in_order_is_called_so_with_its_last_seal(database: Database) -> None:
    result = await verify()
    sealed = await database.row(text("SELECT hash FROM fullon_graphql.audit_log WHERE seq = 3"))
    assert sealed is not None
    assert (result.exit_code, result.output) == (
        0, f"The audit log is in order: 3 rows, the last one sealed as {sealed.hash}.\n",
    )  # fmt: skip


async def test_the_first_row_that_was_tampered_with_is_named(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE fullon_graphql.audit_log SET before = '{}' WHERE seq = 2"))
    result = await verify()
    assert result.exit_code == 1
    assert "broken at row 2" in result.output
