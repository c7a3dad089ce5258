"""Health routes while every store answers, and while one is down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import market_feeds, processes
from fullon_graphql.cache.market_feeds import FeedState, MarketFeedStatus
from fullon_graphql.cache.processes import Process, ProcessStatus, ProcessType
from fullon_graphql.config import Settings
from fullon_graphql.observability.metrics import Metrics
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.rest import Rest
from tests.fixtures.server import Server, StartInProcess

NOWHERE = "/nonexistent/of/the/tests"
DOWN = {
    "postgres": {"DATABASE_URL": f"postgresql:///fullon2?host={NOWHERE}"},
    "ohlcv": {"OHLCV_DATABASE_URL": f"postgresql:///fullon_ohlcv2?host={NOWHERE}"},
    "redis": {"REDIS_URL": f"unix://{NOWHERE}/redis.sock"},
}


async def get(server: Server, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        return await client.get(path)


async def test_health_reports_every_store_and_service(server: Server) -> None:
    assert (await get(server, "/health/live")).json() == {"status": "alive"}
    ready = await get(server, "/health/ready")
    assert ready.status_code == 200
    assert {part["status"] for part in ready.json().values()} == {"up"}
    health = (await get(server, "/health")).json()
    assert (health["status"], health["service"], health["version"]) == (
        "healthy", "fullon_graphql", version("fullon-graphql")
    )  # fmt: skip
    assert health["parts"].keys() == {"postgres", "ohlcv", "redis"}
    states = {"ticker": "stopped", "ohlcv": "stopped", "account": "stopped"}
    parts = {name: health["services"].pop(name) for name in ("orm_api", "cache_api", "ohlcv_api")}
    assert health["services"] == states | {"postgresql": "connected", "redis": "connected", "daemons": states}
    assert {part["status"] for part in parts.values()} == {"healthy"}
    assert all(part["latency_ms"] > 0 for part in parts.values())
    assert datetime.now(UTC) - datetime.fromisoformat(health["timestamp"]) < timedelta(minutes=1)
    assert health["issues"] == []
    services = (await get(server, "/health/services")).json()["services"]
    assert {name: one["status"] for name, one in services.items()} == states
    below_api = (await get(server, "/api/v1/health")).json()
    assert below_api.keys() == health.keys()
    assert (await get(server, "/")).json()["service"] == "fullon_graphql"


async def test_deep_health_has_pools_and_response_times(server: Server) -> None:
    deep = (await get(server, "/health/deep")).json()
    assert deep["status"] == "healthy"
    assert deep["pools"].keys() == deep["response_times_ms"].keys() == {"postgres", "ohlcv", "redis"}
    for pool in deep["pools"].values():
        assert pool["size"] >= pool["in_use"] >= pool["waiting"] == 0
    assert all(time > 0 for time in deep["response_times_ms"].values())
    for part in ("orm_api", "cache_api", "ohlcv_api"):
        for path in (f"/health/{part}", f"/api/v1/health/{part}"):
            alone = (await get(server, path)).json()
            assert (alone.keys(), alone["status"]) == ({"status", "latency_ms"}, "healthy")
    assert (await get(server, "/health/other_api")).status_code == 404


async def test_daemon_of_the_platform_is_running(server: Server, redis: Redis) -> None:
    ticker = Process(ProcessType.TICK, "ticker_daemon")
    await processes.register(redis, [ticker, Process(ProcessType.BOT, "bot")])
    health = (await get(server, "/health")).json()
    assert health["services"]["daemons"] == {"ticker": "running", "ohlcv": "stopped", "account": "stopped"}
    assert health["services"]["ticker"] == "stopped"
    assert health["status"] == "healthy"
    await processes.update(redis, [ticker], ProcessStatus.ERROR)
    assert (await get(server, "/health")).json()["services"]["daemons"]["ticker"] == "stopped"


async def test_check_lists_what_was_checked(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        checked = (await client.post("/health/check")).json()
    assert checked["status"] == "completed"
    assert checked["result"].pop("timestamp")
    assert checked["result"] == {
        "checks_performed": ["postgres", "ohlcv", "redis", "ticker", "ohlcv", "account"],
        "issues_found": [],
        "recovery_actions": [],
        "overall_status": "healthy",
    }


async def test_monitor_reports_that_no_periodic_monitor_runs(server: Server) -> None:
    page = (await get(server, "/health/monitor")).json()
    assert page["monitoring"].pop("last_check")
    assert page == {
        "status": "healthy",
        "monitoring": {"enabled": False, "is_running": False, "check_interval_seconds": None, "next_check": None},
        "auto_restart": {
            "enabled": True, "cooldown_seconds": 60.0, "max_restarts_per_hour": None,
            "services_to_monitor": ["ticker", "ohlcv", "account"],
        },
        "issues": [], "recovery_actions": [], "recent_actions": [],
    }  # fmt: skip


@pytest.mark.parametrize("part", DOWN)
async def test_health_names_the_store_that_is_down(
    start_in_process: StartInProcess, settings: Settings, part: str
) -> None:
    async with start_in_process(**DOWN[part]) as server:
        ready = await get(server, "/health/ready")
        assert ready.status_code == 503
        assert {name: one["status"] for name, one in ready.json().items()} == {
            name: "down" if name == part else "up" for name in DOWN
        }
        health = await get(server, "/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["issues"][0] == f"{part} does not answer"
        services = health.json()["services"]
        assert ("ticker" in services) is bool(services["daemons"]) is (part != "redis")
        assert services["redis"] == ("disconnected" if part == "redis" else "connected")
        assert services["postgresql"] == ("disconnected" if part == "postgres" else "connected")
        unhealthy = {"postgres": "orm_api", "redis": "cache_api", "ohlcv": "ohlcv_api"}[part]
        assert (
            services[unhealthy]["status"] == (await get(server, f"/health/{unhealthy}")).json()["status"] == "unhealthy"
        )
        assert NOWHERE not in ready.text + health.text
        assert Path(settings.database_url).name not in health.text


LOGIN = 'mutation { login(mail: "trader@fullon", password: "wrong") { accessToken } }'


@pytest.mark.parametrize("refusal", ["maxmemory", "replica"])
async def test_redis_that_refuses_writes_is_reported(server: Server, redis: Redis, refusal: str) -> None:
    if refusal == "maxmemory":
        await redis.config_set("maxmemory", "1")
    else:
        await redis.replicaof("127.0.0.1", "1")
    try:
        health = await get(server, "/health")
        login = await server.ask(LOGIN)
    finally:
        await redis.config_set("maxmemory", "0")
        await redis.replicaof("NO", "ONE")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert "redis refuses commands" in health.json()["issues"]
    [error] = login["errors"]
    assert (error["extensions"]["code"], error["extensions"].get("service")) == ("SERVICE_UNAVAILABLE", "redis")

    async def status() -> str:
        health = await get(server, "/health")
        assert health.status_code == 200
        return str(health.json()["status"])

    await eventually_equal(status, "healthy", seconds=30)


async def test_feed_that_is_down_is_an_issue(rest: Rest, redis: Redis) -> None:
    now = datetime.now(UTC)
    live = MarketFeedStatus("kraken", "ticker", FeedState.LIVE, now, now, 12.5, 2, ["GOLD"], None, now)
    down = MarketFeedStatus("okx", "ohlcv", FeedState.DOWN, None, None, None, 7, [], "refused", now)
    await market_feeds.write(redis, [live, down])
    health = (await rest.anonymous.send("GET", "health")).json()
    assert health["feeds"] == {"kraken": {"ticker": "live"}, "okx": {"ohlcv": "down"}}
    assert health["issues"] == ["The feed of okx for ohlcv is down"]
    metrics = Metrics()
    metrics.feeds.statuses = [live, down]
    text = metrics.text().decode()
    for line in (
        'feed_up{exchange="kraken",service="ticker"} 1.0',
        'feed_up{exchange="okx",service="ohlcv"} 0.0',
        'feed_lag_seconds{exchange="kraken",service="ticker"} 0.0125',
        'feed_reconnects_total{exchange="okx",service="ohlcv"} 7.0',
        'feed_symbols_missing{exchange="kraken",service="ticker"} 1.0',
    ):
        assert f"fullon_graphql_{line}\n" in text
