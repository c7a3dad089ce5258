"""`fullon-graphql documents`: from the source of a front end to the usage of a field."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from fullon_graphql.cache import documents
from fullon_graphql.cli import app
from fullon_graphql.config import Settings
from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.engine.trusted.manifests import read_manifest

BOTS = "query Bots {\n  bots {\n    nodes {\n      name\n    }\n  }\n}"


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")


async def run(*words: str) -> Result:
    """Run in a thread: a command starts its own event loop."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["documents", *words]))


def cells(result: Result) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in result.output.splitlines() if "│" in line]


async def test_extracted_manifest_can_be_read_and_checked(tmp_path: Path) -> None:
    source, out = tmp_path / "bots.ts", tmp_path / "manifest.json"
    source.write_text("export const Bots = graphql(`query Bots { bots { nodes { name } } }`);")
    result = await run("extract", str(source), "--out", str(out))
    assert (result.exit_code, result.output) == (0, f"{out}: 1 documents.\n")
    assert read_manifest(out).ids == {BOTS: hash_of(BOTS)}
    checked = await run("check", str(out))
    assert checked.exit_code == 0, checked.output
    assert cells(checked) == [[hash_of(BOTS), "Bots", "510", "", ""]]


async def test_extract_reports_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("gql`{ me { uid } }`")
    result = await run("extract", str(tmp_path))
    assert (result.exit_code, result.output) == (1, f"{tmp_path / 'a.ts'}:1: the operation needs a name.\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert (await run("extract", str(empty))).exit_code == 1


async def test_check_fails_for_invalid_and_expensive_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = tmp_path / "manifest.json"
    expensive = "query Big { bots(first: 1000) { nodes { orders(first: 1000) { nodes { side } } } } }"
    manifest.write_text(json.dumps({"good": BOTS, "bad": "{ nothing }", "big": expensive, "none": "# nothing"}))
    result = await run("check", str(manifest))
    assert result.exit_code == 1
    found = {row[0]: row[3] for row in cells(result)}
    assert found["good"] == ""
    assert "nothing" in found["bad"]
    assert found["big"] == "The cost exceeds 1,000,000."
    assert found["none"]
    assert "3 of 4 operations cannot be executed." in result.output
    monkeypatch.setenv("TRUSTED_DOCUMENTS_PATH", str(tmp_path / "absent"))
    assert "cannot be read" in (await run("check")).output
    monkeypatch.delenv("TRUSTED_DOCUMENTS_PATH")
    assert "Name a manifest" in (await run("check")).output


async def test_usage_adds_the_days_and_names_the_users_of_a_field(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today, other = datetime.now(UTC).date(), hash_of("{ me { uid } }")
    used = (hash_of(BOTS), "Bots", "desk")
    await documents.add_usage(redis, today, {used: 2}, {("Bot.name", "desk"): 2})
    await documents.add_usage(
        redis,
        today - timedelta(days=3),
        {used: 1000, (other, "Me", ""): 5},
        {("Bot.name", "desk"): 1000, ("User.uid", ""): 5},
    )
    result = await run("usage")
    assert result.exit_code == 0, result.output
    assert cells(result) == [
        [*used, "1,002", str(today)],
        [other, "Me", "-", "5", str(today - timedelta(days=3))],
    ]
    assert cells(await run("usage", "--days", "1")) == [[*used, "2", str(today)]]
    (tmp_path / "manifest.json").write_text(json.dumps({"bots": BOTS, "me": "{ me { uid } }"}))
    monkeypatch.setenv("TRUSTED_DOCUMENTS_PATH", str(tmp_path / "manifest.json"))
    assert cells(await run("usage", "--field", "Bot.name")) == [
        ["desk", "1,002", str(today)],
        [*used, "1,002", str(today)],
    ]
    assert "No use by client was counted." in (await run("usage", "--field", "Bot.active")).output


async def test_usage_without_redis_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    result = await run("usage")
    assert (result.exit_code, len(result.output.splitlines())) == (1, 1)
