"""Two servers on one Redis: a service runs once, is controlled from any worker, and is taken over when its process ends."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import psutil
import pytest
from redis.asyncio import Redis
from sqlalchemy import select, text

from fullon_graphql.cache import tickers
from fullon_graphql.daemons.control import host
from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry
from tests.cli.test_serve import workers
from tests.daemons.specimens import PATH, fast_clock
from tests.fixtures.eventually import eventually, eventually_blocking
from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.server import ServerProcess, StartServer, running
from tests.fixtures.signing_in import SignIn

MARKET = "fullon_graphql.embedded.demo.market.SimulatedMarket"
STATE = "{ service(name: TICKER) { state isRunning holder startedAt heartbeatAt error } }"
WAITING = """SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""
BLOCKED = 20
"""Seconds for which all workers are blocked."""
LONGEST_SILENCE = 5
"""Seconds between two prices, at most."""
TAKEOVER = 15
"""Seconds within which another worker has taken over."""


def change(verb: str) -> str:
    return f"mutation {{ {verb}Service(name: TICKER) {{ state isRunning holder startedAt error }} }}"


async def ask(server: ServerProcess, query: str, token: str) -> dict[str, Any]:
    answer = await server.ask(query, token)
    assert "errors" not in answer, answer
    [service] = answer["data"].values()
    assert isinstance(service, dict)
    return service


def runs_in(server: ServerProcess, service: dict[str, Any]) -> bool:
    """Whether the services process of this server runs the service."""
    children = psutil.Process(server.process.pid).children() if server.process.returncode is None else []
    return bool(service["isRunning"]) and int(service["holder"].split(":")[1]) in {child.pid for child in children}


async def serves(server: ServerProcess, admin: str) -> bool:
    return runs_in(server, await ask(server, STATE, admin))


async def prices_move(redis: Redis, seconds: float = 20) -> None:
    """Return once a ticker newer than the newest stored one has been written, within `seconds`."""

    async def newest() -> float:
        return max((ticker.time for ticker in await tickers.read(redis, "kraken")), default=0.0)

    before = await newest()

    async def moved() -> bool:
        return await newest() > before

    await eventually(moved, seconds)


async def test_service_runs_once_and_survives_its_process(
    start_server: StartServer, sign_in: SignIn, redis: Redis
) -> None:
    admin = await sign_in(ADMIN)
    async with start_server(MARKET_FEED=MARKET) as first, start_server(MARKET_FEED=MARKET) as second:
        assert (await ask(second, STATE, admin))["state"] == "STOPPED"
        started = await ask(first, change("start"), admin)
        assert (started["state"], started["error"]) == ("RUNNING", None)
        seen = [await ask(server, STATE, admin) for server in (first, second)]
        assert [one["state"] for one in seen] == ["RUNNING", "RUNNING"]
        assert seen[0]["holder"] == seen[1]["holder"] == started["holder"]
        assert seen[0]["startedAt"] == seen[1]["startedAt"] == started["startedAt"]
        await prices_move(redis)
        again = await ask(second, change("start"), admin)
        assert (again["holder"], again["startedAt"]) == (started["holder"], started["startedAt"])

        holder, other = (first, second) if runs_in(first, started) else (second, first)
        holder.process.kill()
        await holder.process.wait()
        await eventually(lambda: serves(other, admin), TAKEOVER)
        await prices_move(redis)

        async with start_server(MARKET_FEED=MARKET) as third:
            trader = await third.ask(change("stop"), await sign_in(TRADER))
            assert trader["errors"][0]["extensions"]["code"] == "FORBIDDEN"
            restarted = await ask(third, change("restart"), admin)
            assert restarted["state"] == "RUNNING"
            stopped = await ask(third, change("stop"), admin)
            assert (stopped["state"], stopped["isRunning"]) == ("STOPPED", False)
            assert (await ask(other, STATE, admin))["state"] == "STOPPED"


async def test_ending_process_hands_over_its_services(start_server: StartServer, sign_in: SignIn) -> None:
    admin = await sign_in(ADMIN)
    async with start_server(MARKET_FEED=MARKET) as first:
        started = await ask(first, change("start"), admin)
        async with start_server(MARKET_FEED=MARKET) as second:
            assert runs_in(first, started)
            first.process.terminate()
            assert await first.process.wait() in {0, -signal.SIGTERM}
            await eventually(lambda: serves(second, admin), TAKEOVER)


async def test_service_without_a_feed_reports_the_reason(start_server: StartServer, sign_in: SignIn) -> None:
    admin = await sign_in(ADMIN)
    async with start_server(MARKET_FEED="nowhere.Feed") as server:
        failed = await ask(server, change("start"), admin)
        assert (failed["state"], failed["isRunning"]) == ("FAILED", False)
        assert "nowhere" in failed["error"]
        assert "Traceback" not in failed["error"]
        assert (await ask(server, change("stop"), admin))["state"] == "STOPPED"


async def test_service_control_has_dry_run_idempotency_and_audit(
    start_server: StartServer, sign_in: SignIn, database: Database
) -> None:
    admin = await sign_in(ADMIN)
    async with start_server(MARKET_FEED=MARKET) as server:
        await _try_repeat_and_stop(server, admin)
    logged = await database.rows(
        select(AuditEntry.operation, AuditEntry.key, AuditEntry.after).order_by(AuditEntry.seq)
    )
    assert [(one.operation, one.key, one.after["state"]) for one in logged] == [
        ("startService", "ticker", "running"),
        ("stopService", "ticker", "stopped"),
    ]


async def _try_repeat_and_stop(server: ServerProcess, admin: str) -> None:
    assert (await ask(server, order("start", "dryRun: true"), admin))["state"] == "STOPPED"
    assert (await ask(server, STATE, admin))["state"] == "STOPPED"
    started = await ask(server, order("start", 'idempotencyKey: "once"'), admin)
    assert started["state"] == "RUNNING"
    assert (await ask(server, order("stop", 'idempotencyKey: "then"'), admin))["state"] == "STOPPED"
    again = await ask(server, order("start", 'idempotencyKey: "once"'), admin)
    assert again["state"] == "STOPPED"  # the command was executed once; the answer has the current state


def order(verb: str, more: str) -> str:
    return f"mutation {{ {verb}Service(name: TICKER, {more}) {{ state }} }}"


async def minutes(database: Database) -> list[float]:
    """The stored one-minute bars of BTC/USD, by their start in Unix seconds."""
    exists = await database.row(text("SELECT to_regclass('kraken.btc_usd_candles1m') IS NOT NULL"))
    if not exists or not exists[0]:
        return []
    rows = await database.rows(
        text("SELECT extract(epoch FROM timestamp)::float8 FROM kraken.btc_usd_candles1m ORDER BY 1")
    )
    return [row[0] for row in rows]


async def test_blocked_workers_do_not_affect_services(
    environment: dict[str, str], sign_in: SignIn, redis: Redis, ohlcv_database: Database
) -> None:
    admin = await sign_in(ADMIN)
    fast = {"MARKET_FEED": PATH + "FastMarket", "OHLCV_DAEMON": PATH + "FastCandles", "CANDLE_HISTORY_DAYS": "0"}
    async with running(environment | fast, "/health/ready", "--workers", "2") as server:
        services = [await ask(server, change("start").replace("TICKER", name), admin) for name in ("TICKER", "OHLCV")]
        blocked = workers(psutil.Process(server.process.pid))
        assert len(blocked) == 2
        for worker in blocked:
            worker.suspend()
        try:
            begin = time.monotonic()
            while time.monotonic() < begin + BLOCKED or len(await minutes(ohlcv_database)) < 3:
                await prices_move(redis, seconds=LONGEST_SILENCE)
                assert time.monotonic() < begin + 3 * BLOCKED
        finally:
            for worker in blocked:
                worker.resume()
        bars = await minutes(ohlcv_database)
        assert bars == [bars[0] + 60 * number for number in range(len(bars))]
        assert bars[-1] > fast_clock() - 4 * 60
        for name, started in zip(("TICKER", "OHLCV"), services, strict=True):
            after = await ask(server, STATE.replace("TICKER", name), admin)
            assert (after["holder"], after["startedAt"]) == (started["holder"], started["startedAt"])
            assert (after["isRunning"], after["error"]) == (True, None)


async def test_services_process_is_restarted_and_ends_with_its_server(
    start_server: StartServer, sign_in: SignIn
) -> None:
    admin = await sign_in(ADMIN)
    async with start_server(MARKET_FEED=MARKET) as server:
        started = await ask(server, change("start"), admin)
        first = psutil.Process(int(started["holder"].split(":")[1]))
        first.kill()

        async def new_holder() -> str | None:
            state = await ask(server, STATE, admin)
            return state["holder"] if state["isRunning"] and state["holder"] != started["holder"] else None

        holder = await eventually(new_holder, seconds=60)
        assert holder is not None
        second = psutil.Process(int(holder.split(":")[1]))
        server.process.kill()
        await server.process.wait()
        await asyncio.to_thread(psutil.wait_procs, [second], 20)
        assert not second.is_running() or second.status() == psutil.STATUS_ZOMBIE


async def test_services_end_while_the_server_finishes_its_requests(
    start_server: StartServer, sign_in: SignIn, database: Database
) -> None:
    admin = await sign_in(ADMIN)
    async with start_server(MARKET_FEED=MARKET, SHUTDOWN_TIMEOUT="60") as server:
        started = await ask(server, change("start"), admin)
        process = psutil.Process(int(started["holder"].split(":")[1]))
        async with database.transaction() as connection:
            await connection.execute(text("SELECT FROM bots WHERE bot_id = 1 FOR UPDATE"))
            rename = 'mutation { updateBot(input: {botId: 1, name: "renamed"}) { name } }'
            answer = asyncio.create_task(server.ask(rename, admin))
            await eventually(lambda: database.rows(text(WAITING)))
            server.process.terminate()
            await asyncio.to_thread(psutil.wait_procs, [process], 30)
            assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
            assert not answer.done()
        assert await answer == {"data": {"updateBot": {"name": "renamed"}}}
        async with asyncio.timeout(20):
            assert await server.process.wait() == 0


def test_services_process_has_one_deadline(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(host, "monotonic", lambda: clock[0])
    with host.services_process(20, environment) as services:
        [process] = [child for child in psutil.Process().children() if child.cmdline()[-1:] == ["services"]]
        process.suspend()
        eventually_blocking(lambda: process.status() == psutil.STATUS_STOPPED)
        services.terminate()  # as the server does when its shutdown begins
        clock[0] += 20
        begin = time.monotonic()
    assert time.monotonic() < begin + 15  # it has been killed without another wait
    assert not process.is_running()


def test_pause_before_a_restart_doubles_unless_the_process_has_lived_for_long() -> None:
    pauses = [0.0]
    for lived in (5, 5, 5, 5, 5, 5, 5, 31, 5):
        pauses.append(host.next_pause(pauses[-1], lived))
    assert pauses[1:] == [1, 2, 4, 8, 16, 30, 30, 1, 2]
