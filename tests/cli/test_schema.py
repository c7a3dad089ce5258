from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fullon_graphql.cache import documents
from fullon_graphql.cache.client import connect
from fullon_graphql.cli import app
from fullon_graphql.config import Settings, Subgraph
from fullon_graphql.graph import make_graph

COMMITTED = Path(__file__).parents[2] / "schema.graphql"


def test_committed_schema_equals_the_code() -> None:
    printed = CliRunner().invoke(app, ["schema"])
    assert printed.exit_code == 0, printed.output
    assert COMMITTED.read_text() == printed.stdout, (
        "The schema has changed: run `make schema` and review the difference."
    )


def test_schema_of_a_subgraph_is_printed() -> None:
    printed = CliRunner().invoke(app, ["schema", "--subgraph", "ohlcv"])
    assert printed.stdout == make_graph(Subgraph.OHLCV).as_str() + "\n"
    assert CliRunner().invoke(app, ["schema", "--subgraph", "nonsense"]).exit_code == 2


OLD = """
type Query { bots(first: Int): [Bot!]! me: Bot }
type Bot { name: String! kind: Kind }
enum Kind { A }
"""
NEW = '''
"""The queries."""
type Query { bots(first: Int, last: Int): [Bot!]! me: Bot other: Bot }
type Bot { name: String! @deprecated(reason: "Use `title`. Removed after 2027-01-31.") title: String! kind: Kind }
enum Kind { A B }
'''


def diff(folder: Path, old: str, new: str) -> Result:
    for name, text in (("old", old), ("new", new)):
        (folder / f"{name}.graphql").write_text(text)
    return CliRunner().invoke(app, ["schema", "diff", str(folder / "old.graphql"), str(folder / "new.graphql")])


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("COLUMNS", "200")


def test_diff_names_dangerous_and_safe_changes_and_deprecated_fields(tmp_path: Path, settings: Settings) -> None:
    async def use() -> None:
        async with connect(settings.redis_url, settings, "tests") as redis:
            await documents.add_usage(redis, datetime.now(UTC).date(), {}, {("Bot.name", "a"): 3, ("Bot.name", "b"): 4})

    asyncio.run(use())
    result = diff(tmp_path, OLD, NEW)
    assert result.exit_code == 0, result.output
    severities = [line.split("│")[1].strip() for line in result.output.splitlines() if line.startswith("│")]
    assert severities[:-1] == sorted(severities[:-1])
    assert {"dangerous", "safe"} == set(severities[:-1])
    assert "VALUE_ADDED_TO_ENUM" in result.output
    deprecated = [cell.strip() for cell in result.output.splitlines()[-2].strip("│").split("│")]
    assert deprecated == ["Bot.name", "2027-01-31", "Use `title`. Removed after 2027-01-31.", "7"]


def test_diff_with_a_breaking_change_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    result = diff(tmp_path, NEW, OLD)
    assert result.exit_code == 1
    assert "FIELD_REMOVED" in result.output
    result = diff(tmp_path, OLD, NEW)
    assert result.exit_code == 0
    assert "unknown" in result.output


def test_diff_of_the_committed_schema_with_this_version_is_empty() -> None:
    result = CliRunner().invoke(app, ["schema", "diff", str(COMMITTED)])
    assert (result.exit_code, result.output) == (0, "The schemas are equal.\n")


def test_schema_that_cannot_be_read_exits_with_2(tmp_path: Path) -> None:
    assert diff(tmp_path, "type {", NEW).exit_code == 2
