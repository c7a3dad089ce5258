"""Control of background services over REST."""

from __future__ import annotations

import httpx
import pytest

from tests.fixtures.rest import Rest
from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.server import Server, StartServer, bearer
from tests.fixtures.signing_in import SignIn


async def send(server: Server, token: str, method: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, timeout=60, headers=bearer(token)) as client:
        return await client.request(method, f"/api/v1/services{path}")


async def test_service_is_started_restarted_and_stopped(start_server: StartServer, sign_in: SignIn) -> None:
    admin = await sign_in(ADMIN)
    async with start_server(MARKET_FEED="nowhere.Feed") as server:
        services = (await send(server, admin, "GET", "")).json()["services"]
        assert services.keys() == {"ticker", "ohlcv", "account"}
        assert {(one["status"], one["is_running"]) for one in services.values()} == {("stopped", False)}
        refused = await send(server, admin, "POST", "/account/stop")
        assert (refused.status_code, refused.json()["detail"]) == (400, "ServiceName.ACCOUNT is not running")
        started = await send(server, admin, "POST", "/account/start")
        assert (started.status_code, started.json()["service"], started.json()["status"]) == (200, "account", "started")
        refused = await send(server, admin, "POST", "/account/start")
        assert (refused.status_code, refused.json()["detail"]) == (400, "ServiceName.ACCOUNT is already running")
        assert (await send(server, admin, "GET", "/account/status")).json()["status"] == "running"
        assert (await send(server, admin, "POST", "/account/restart")).json()["status"] == "restarted"
        assert (await send(server, admin, "POST", "/account/stop")).json() == {
            "service": "account", "status": "stopped", "state": "stopped"
        }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/ticker/status"),
        ("POST", "/ticker/start"),
        ("POST", "/ticker/stop"),
        ("POST", "/ticker/restart"),
    ],
)
async def test_services_require_admin(rest: Rest, method: str, path: str) -> None:
    assert (await rest.anonymous.send(method, f"services{path}")).status_code == 401
    assert (await (await rest.as_(TRADER)).send(method, f"services{path}")).status_code == 403


async def test_unknown_service_is_400(rest: Rest) -> None:
    admin = await rest.as_(ADMIN)
    assert await admin.refused("services/health_monitor/status") == (400, "BAD_USER_INPUT")
    for command in ("start", "stop", "restart"):
        refused = await admin.send("POST", f"services/tickers/{command}")
        assert (refused.status_code, refused.json()["detail"]) == (
            400, "'tickers' is no service; use ticker, ohlcv, account."
        )  # fmt: skip
    assert (await rest.anonymous.send("GET", "services/tickers/status")).status_code == 401
