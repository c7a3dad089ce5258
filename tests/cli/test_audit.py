from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from fullon_graphql.cli.audit import app
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.services.audit import Event, append, prune


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


async def export(*options: str) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["export", *options]))


async def test_export_writes_one_json_object_per_row() -> None:
    result = await export()
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert [row["key"] for row in rows] == ["1", "2", "3"]
    assert (rows[0]["operation"], rows[0]["before"], rows[0]["after"]) == ("deleteBot", {"bot_id": 1}, None)
    assert rows[1]["previous_hash"] == rows[0]["hash"]
    assert "salt" not in rows[0]


async def test_export_writes_csv_of_a_period(database: Database) -> None:
    [row] = await database.rows(text("SELECT time FROM fullon_graphql.audit_log WHERE seq = 2"))
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE fullon_graphql.audit_log SET time = '2020-01-01' WHERE seq = 1"))
    result = await export("--format", "csv", "--since", "2020-01-02", "--until", f"{row.time.year + 1}-01-01")
    rows = list(csv.DictReader(io.StringIO(result.output)))
    assert [row["key"] for row in rows] == ["2", "3"]
    assert rows[0]["before"] == '{"bot_id":1}'
    assert (await export("--until", "2020-01-02T00:00:00+02:00")).output.count("\n") == 1


async def test_verify_reports_removed_rows(database: Database) -> None:
    [row] = await database.rows(text("SELECT time FROM fullon_graphql.audit_log WHERE seq = 3"))
    await prune(database, row.time)
    result = await verify()
    assert result.exit_code == 0
    assert "Rows up to 2 were removed by retention." in result.output
