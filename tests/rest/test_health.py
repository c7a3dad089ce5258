"""Health: what load balancers and people are told while all is well, and while a store is away."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from fullon_graphql.config import Settings
from tests.fixtures.server import Server, StartServer

NOWHERE = "/nonexistent/of/the/tests"
DOWN = {
    "postgres": {"DATABASE_URL": f"postgresql:///fullon2?host={NOWHERE}"},
    "ohlcv": {"OHLCV_DATABASE_URL": f"postgresql:///fullon_ohlcv2?host={NOWHERE}"},
    "redis": {"REDIS_URL": f"unix://{NOWHERE}/redis.sock"},
}


async def get(server: Server, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        return await client.get(path)


async def test_all_is_well(server: Server) -> None:
    assert (await get(server, "/health/live")).json() == {"status": "alive"}
    ready = await get(server, "/health/ready")
    assert ready.status_code == 200
    assert {part["status"] for part in ready.json().values()} == {"up"}
    health = (await get(server, "/health")).json()
    assert (health["status"], health["service"], health["version"]) == (
        "healthy", "fullon_graphql", version("fullon-graphql")
    )  # fmt: skip
    assert health["parts"].keys() == {"postgres", "ohlcv", "redis"}
    assert health["services"] == {"ticker": "stopped", "ohlcv": "stopped", "account": "stopped"}


@pytest.mark.parametrize("part", DOWN)
async def test_a_store_that_is_away_is_named_and_the_rest_goes_on(
    start_server: StartServer, settings: Settings, part: str
) -> None:
    async with start_server("/health/live", **DOWN[part]) as server:
        ready = await get(server, "/health/ready")
        assert ready.status_code == 503
        assert {name: one["status"] for name, one in ready.json().items()} == {
            name: "down" if name == part else "up" for name in DOWN
        }
        health = await get(server, "/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert bool(health.json()["services"]) is (part != "redis")
        assert NOWHERE not in ready.text + health.text
        assert Path(settings.database_url).name not in health.text
