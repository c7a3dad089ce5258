"""What the fixtures promise to every other test."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from tests.conftest import Count
from tests.fixtures.emptying import empty
from tests.fixtures.harness import Stores

INSERT_USER = text(
    "INSERT INTO users (mail, password, f2a, role, name, lastname, phone, id_num) "
    "VALUES ('a@b', 'x', '', 'USER', 'A', 'B', '1', '1') RETURNING uid"
)


@pytest.mark.parametrize("round_", [1, 2])
async def test_every_test_finds_the_stores_empty_and_may_fill_them(
    round_: int, database: Database, ohlcv_database: Database, redis: Redis
) -> None:
    async with database.transaction() as connection:
        assert (await connection.execute(INSERT_USER)).scalar_one() == 1
    async with ohlcv_database.transaction() as connection:
        await connection.execute(text("CREATE SCHEMA kraken CREATE TABLE btc_usd_trades (price float)"))
    assert await redis.dbsize() == 0
    await redis.set("tick", round_)


def test_a_test_without_an_event_loop_can_use_the_settings(settings: Settings) -> None:
    assert asyncio.run(_count_users(settings)) == 0


async def _count_users(settings: Settings) -> int:
    database = Database.connect(settings.database_url, "tests", settings)
    row = await database.row(text("SELECT count(*) FROM users"))
    await database.close()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("ours", ["nothing", "postgres"])
async def test_a_store_that_the_run_did_not_make_is_never_emptied(
    ours: str, stores: Stores, database: Database, redis: Redis
) -> None:
    await redis.set("precious", 1)
    with pytest.raises(pytest.exit.Exception, match="none of theirs") as refusal:
        await empty(replace(stores, folder=str(Path(stores.folder) / ours)))
    assert ("unix://" if ours == "postgres" else "postgresql://") in str(refusal.value)
    assert await redis.get("precious") == "1"


async def test_a_database_that_the_run_did_not_make_keeps_its_rows(
    stores: Stores, database: Database, tmp_path: Path
) -> None:
    async with database.transaction() as connection:
        await connection.execute(INSERT_USER)
    with pytest.raises(pytest.exit.Exception):
        await empty(replace(stores, folder=str(tmp_path)))
    assert await database.row(text("SELECT mail FROM users")) == ("a@b",)


async def test_statements_are_counted_on_every_engine(
    database: Database, ohlcv_database: Database, statements: Count
) -> None:
    await database.row(text("SELECT 0"))
    with statements() as seen:
        await database.rows(text("SELECT 1"))
        async with ohlcv_database.transaction() as connection:
            await connection.execute(text("SELECT 2"))
    await database.row(text("SELECT 3"))
    assert seen == ["SELECT 1", "SELECT 2"]


async def test_a_pipeline_counts_as_one_round_trip_and_a_new_connection_as_none(
    settings: Settings, redis_calls: Count
) -> None:
    with redis_calls() as seen:
        async with Redis.from_url(settings.redis_url) as client:
            await client.set("a", "1")
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.get("a")
                pipeline.get("b")
                await pipeline.execute()
    assert seen == ["SET", "GET GET"]


WAITING = """
import signal
from pathlib import Path

def test_waiting(stores, settings):
    Path(__file__).with_name("folder").write_text(stores.folder)
    Path(__file__).with_name("ready").touch()
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_run_that_is_stopped_leaves_no_engine_and_no_folder(
    number: signal.Signals, workers: list[str], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    (tmp_path / "test_waiting.py").write_text(WAITING)
    options = ["-c", str(pytestconfig.inipath), "-p", "tests.conftest", "-p", "no:cacheprovider", *workers]
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=pytestconfig.rootpath,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists():
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    folder = (tmp_path / "folder").read_text()
    assert engines_in(folder)
    os.killpg(run.pid, number)  # as a terminal does
    said, _ = run.communicate(timeout=60)
    assert run.returncode != 0, said
    assert not engines_in(folder), said
    assert not Path(folder).exists(), said


def engines_in(folder: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found
