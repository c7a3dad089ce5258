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
    """Run in a thread: a command starts its own event loop."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["verify"]))


async def test_verify_prints_the_hash_of_the_last_row_of_an_intact_log(database: Database) -> None:
    result = await verify()
    sealed = await database.row(text("SELECT hash FROM fullon_graphql.audit_log WHERE seq = 3"))
    assert sealed is not None
    assert (result.exit_code, result.output) == (
        0, f"The audit log is intact: 3 rows, hash of the last row {sealed.hash}.\n",
    )  # fmt: skip


async def test_verify_names_the_first_changed_row(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE fullon_graphql.audit_log SET before = '{}' WHERE seq = 2"))
    result = await verify()
    assert result.exit_code == 1
    assert "broken at row 2" in result.output
