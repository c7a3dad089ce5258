"""The engines' data and processes, for every way in which a run ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import asyncpg
import psutil
import pytest
from redis import Redis

from fullon_graphql.embedded import EngineError, Engines
from fullon_graphql.embedded.engines import postgres
from fullon_graphql.embedded.engines.redis import redis as redis_server
from fullon_graphql.embedded.engines.running import running_engines
from tests.fixtures.eventually import eventually_blocking

RUN = """
import signal, sys
from pathlib import Path
from fullon_graphql.embedded import running_engines
from tests.fixtures.eventually import eventually_blocking

with running_engines(Path(sys.argv[1]), durable=False):
    print("ready", flush=True)
    while True:
        signal.pause()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A data folder. All processes in it are killed after the test.

    Not inside `tmp_path`: pytest removes the access of PostgreSQL's user to the folder above it.
    """
    with TemporaryDirectory(prefix="fullon-home-") as folder:
        home = Path(folder) / "home"
        yield home
        for process in processes_in(home):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        eventually_blocking(lambda: not processes_in(home))


def processes_in(home: Path) -> list[psutil.Process]:
    """Every live process with its working directory in `home`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def run(home: Path) -> subprocess.Popen[str]:
    """Engines in another process, like those of a demo."""
    return subprocess.Popen([sys.executable, "-c", RUN, str(home)], stdout=subprocess.PIPE, text=True)


def run_until_ready(home: Path) -> subprocess.Popen[str]:
    process = run(home)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str], number: signal.Signals) -> int:
    process.send_signal(number)
    process.communicate(timeout=60)
    return process.returncode


def query(found: Engines, statement: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(found.database_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())


def store_value(found: Engines) -> None:
    query(found, "CREATE TABLE kept AS SELECT 42 AS answer")
    with Redis.from_url(found.redis_url) as client:
        client.set("kept", "42")


def assert_stored(found: Engines) -> None:
    assert query(found, "SELECT answer FROM kept") == 42
    with Redis.from_url(found.redis_url) as client:
        assert client.get("kept") == b"42"


def one_line(error: pytest.ExceptionInfo[EngineError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_databases_and_redis_keep_their_data(home: Path) -> None:
    with running_engines(home) as found:
        databases = query(found, "SELECT array_agg(datname::text ORDER BY 1) FROM pg_database WHERE datname ~ 'fullon'")
        assert databases == ["fullon2", "fullon_ohlcv2"]
        store_value(found)
    with running_engines(home) as found:
        assert_stored(found)


def test_no_port_is_open_and_sockets_are_private(home: Path) -> None:
    with running_engines(home, durable=False):
        assert not [c for p in processes_in(home) for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        for socket in (home / "run").glob("*.sock"):
            assert socket.stat().st_mode & 0o077 == 0
        assert (home / "run").stat().st_mode & 0o077 == 0


def test_engines_end_after_an_exception(home: Path) -> None:
    with pytest.raises(ZeroDivisionError), running_engines(home, durable=False):
        raise ZeroDivisionError(processes_in(home))
    assert not processes_in(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_engines_end_after_a_signal(home: Path, number: signal.Signals) -> None:
    process = run_until_ready(home)
    assert processes_in(home)
    assert end(process, number) != 0
    assert not processes_in(home)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_interrupted_first_start_is_repaired_by_the_next(home: Path, number: signal.Signals) -> None:
    process = run(home)
    eventually_blocking(lambda: list(home.glob("postgres.new-*/base")))
    end(process, number)
    with running_engines(home, durable=False) as found:
        assert query(found, "SELECT 1") == 1


def test_engines_of_a_killed_run_are_taken_over_and_stopped(home: Path) -> None:
    with running_engines(home, durable=False) as found:
        store_value(found)
    process = run_until_ready(home)
    with Redis(unix_socket_path=str(home / "run" / "redis.sock")) as client:
        client.set("kept", "42")
    end(process, signal.SIGKILL)
    left = {process.pid for process in processes_in(home)}
    assert left
    with running_engines(home, durable=False) as found:
        assert left >= {int(line.split()[0]) for line in map(Path.read_text, home.glob("*/*.pid"))}
        assert_stored(found)
    assert not processes_in(home)


def test_data_survives_a_kill_of_all_processes(home: Path) -> None:
    with running_engines(home) as found:
        store_value(found)
        for process in processes_in(home):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        eventually_blocking(lambda: not processes_in(home))
    with running_engines(home) as found:
        assert_stored(found)


def test_pid_files_with_ids_of_other_processes_are_ignored(home: Path) -> None:
    with running_engines(home, durable=False):
        pass
    other_process = f"{os.getpid()}\n"
    (home / "postgres" / "postmaster.pid").write_text(other_process)
    (home / "redis" / "redis.pid").write_text(other_process)
    (home / "run" / ".s.PGSQL.5432.lock").write_text(other_process)
    with running_engines(home, durable=False) as found:
        assert query(found, "SELECT 1") == 1


def test_incomplete_data_folder_is_renamed_and_not_deleted(home: Path) -> None:
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "PG_VERSION").write_text("18\n")
    (home / "postgres" / "precious").write_text("mine")
    with running_engines(home, durable=False) as found:
        assert query(found, "SELECT 1") == 1
    [aside] = home.glob("postgres.incomplete-*")
    assert (aside / "precious").read_text() == "mine"


def test_second_run_in_a_folder_is_refused(home: Path) -> None:
    with running_engines(home, durable=False) as found:
        with pytest.raises(EngineError) as error, running_engines(home, durable=False):
            pass
        assert re.fullmatch(rf"{home} is in use by process {os.getpid()}\. Stop it, or .*", one_line(error))
        assert query(found, "SELECT 1") == 1


def test_damaged_cluster_is_reported_in_one_line_and_nothing_runs(home: Path) -> None:
    with running_engines(home, durable=False):
        pass
    (home / "postgres" / "global" / "pg_control").write_bytes(b"damaged")
    with pytest.raises(EngineError) as error, running_engines(home, durable=False):
        pass
    assert "pg_control" in one_line(error)
    assert str(home / "postgres.log") in str(error.value)
    assert not processes_in(home)


def test_cluster_of_another_version_is_not_changed(home: Path) -> None:
    with running_engines(home, durable=False):
        pass
    (home / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EngineError) as error, running_engines(home, durable=False):
        pass
    assert "was written by PostgreSQL 15" in one_line(error)


def test_file_in_place_of_the_folder_is_reported(home: Path) -> None:
    home.write_text("not a folder")
    with pytest.raises(EngineError) as error, running_engines(home):
        pass
    assert str(home) in one_line(error)


def test_missing_redis_is_reported_with_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(EngineError) as error, redis_server(home / "redis", home / "run"):
        pass
    assert "redis-server" in one_line(error)


def test_path_that_is_too_long_for_a_socket_works(home: Path) -> None:
    far = home / ("very long " * 12).strip()
    with running_engines(far, durable=False) as found:
        assert str(far) not in found.database_url
        store_value(found)
        assert_stored(found)
        outside = Path(unquote(found.database_url.partition("?host=")[2]))
    assert not processes_in(home)
    assert not outside.exists()


def test_private_home_stays_unreadable_for_others(home: Path) -> None:
    home.mkdir(mode=0o700)
    with running_engines(home, durable=False) as found:
        assert query(found, "SELECT 1") == 1
    assert home.stat().st_mode & 0o066 == 0


def test_address_keeps_the_characters_of_its_path(tmp_path: Path) -> None:
    assert postgres.address(tmp_path / "a b&c", "x").endswith("/a%20b%26c")
