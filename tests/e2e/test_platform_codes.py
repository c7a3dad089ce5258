"""The platform's words in errors over REST and the platform's sockets."""

from __future__ import annotations

import httpx

from tests.e2e.test_stores_that_do_not_answer import HASTY
from tests.fixtures.eventually import eventually
from tests.fixtures.harness import Stores
from tests.fixtures.platform_socket import PlatformSocket, platform_socket
from tests.fixtures.rows import TRADER
from tests.fixtures.server import StartInProcess, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.silent import silent_proxy

TICKER = {"exchange": "kraken", "symbol": "GOLD"}


async def test_errors_have_the_words_of_the_platform(start_in_process: StartInProcess, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    async with (
        start_in_process(RATE_LIMIT_REQUESTS="8") as server,
        httpx.AsyncClient(base_url=server.url, timeout=30) as client,
    ):

        async def word(path: str, **headers: str) -> tuple[int, str, str | None]:
            answer = await client.get(path, headers=headers)
            error = answer.json()["error"]
            return answer.status_code, error["code"], error["platform_code"]

        assert await word("/api/v1/nothing/here") == (404, "NOT_FOUND", "INVALID_ROUTE")
        assert await word("/api/v1/auth/verify") == (401, "UNAUTHENTICATED", "AUTH_FAILED")
        assert await word("/api/v1/orm/bots/999999", **bearer(token)) == (404, "NOT_FOUND", None)
        async with platform_socket(server, "/ws", token) as socket:
            missing = await socket.ask("get_ticker", **TICKER)
            assert (missing["error_code"], "platform_code" in missing) == ("CACHE_MISS", False)
            for _ in range(10):
                last = await socket.ask("ping")
            assert (last["error_code"], last["platform_code"]) == ("RATE_LIMITED", "RATE_LIMIT_EXCEEDED")
        assert await word("/api/v1/orm/bots", **bearer(token)) == (429, "RATE_LIMITED", "RATE_LIMIT_EXCEEDED")


async def test_open_circuit_has_the_word_of_the_platform(
    start_in_process: StartInProcess, sign_in: SignIn, stores: Stores
) -> None:
    token = await sign_in(TRADER)
    async with (
        silent_proxy(stores, "redis") as (proxy, address),
        start_in_process(**address, **HASTY) as server,
        platform_socket(server, "/ws", token) as socket,
        httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=30) as client,
    ):
        proxy.is_silent = True

        async def opened(socket: PlatformSocket = socket) -> bool:
            answer = await socket.ask("get_ticker", **TICKER)
            return answer.get("platform_code") == "CIRCUIT_BREAKER_OPEN"

        await eventually(opened)
        error = (await client.get("/api/v1/cache/tickers/kraken")).json()["error"]
        assert (error["code"], error["platform_code"]) == ("SERVICE_UNAVAILABLE", "CIRCUIT_BREAKER_OPEN")
