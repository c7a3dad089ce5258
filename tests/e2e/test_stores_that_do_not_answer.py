"""Circuit breakers: a store that accepts connections and never answers costs the first requests their timeout only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest

from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.harness import Stores
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, StartInProcess, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.silent import silent_proxy

HASTY: Final = {
    "DB_TIMEOUT": "0.5", "REDIS_TIMEOUT": "0.5", "CIRCUIT_BREAKER_THRESHOLD": "3", "CIRCUIT_BREAKER_TIMEOUT": "3",
}  # fmt: skip
QUESTIONS: Final = {
    "postgres": "{ me { uid } }",
    "ohlcv": '{ candleColumns(exchange: "kraken", symbol: "GOLD", timeframe: H1, last: 1) { length } }',
    "redis": '{ ticker(exchange: "kraken", symbol: "GOLD") { price } }',
}
SECONDS: Final = 0.5
"""More than a refusal takes on a busy machine, and less than one attempt to reach a silent store."""


async def part(server: Server, store: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        found: dict[str, Any] = (await client.get("/health")).json()["parts"][store]
    return found


async def metric(server: Server, name: str, store: str) -> float:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        text = (await client.get("/metrics")).text
    [line] = [line for line in text.splitlines() if line.startswith(f'{name}{{store="{store}"}} ')]
    return float(line.rpartition(" ")[2])


async def errors(server: Server, question: str, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    answer = (await server.post(question, headers)).json()
    return [error["extensions"] for error in answer.get("errors", ())]


@pytest.mark.parametrize("store", QUESTIONS)
async def test_silent_store_is_refused_at_once_and_recovers(
    start_in_process: StartInProcess, sign_in: SignIn, stores: Stores, store: str
) -> None:
    trader, question = bearer(await sign_in(TRADER)), QUESTIONS[store]
    others = [name for name in QUESTIONS if name != store]
    async with silent_proxy(stores, store) as (proxy, address), start_in_process(**address, **HASTY) as server:
        assert await errors(server, question, trader) == []
        proxy.is_silent = True

        async def is_refused() -> bool:
            [error] = await errors(server, question, trader)
            assert error["code"] in {"TIMEOUT", "SERVICE_UNAVAILABLE"}
            return "retryAfter" in error

        await eventually(is_refused, seconds=30)
        durations = []
        for _ in range(5):  # within the time of the breaker, however slow the machine is
            begin = time.monotonic()
            [refusal] = await errors(server, question, trader)
            if "retryAfter" in refusal:
                durations.append(time.monotonic() - begin)
                assert refusal == {"code": "SERVICE_UNAVAILABLE", "service": store, "retryAfter": refusal["retryAfter"]}
                assert 1 <= refusal["retryAfter"] <= 3
        assert min(durations, default=0) < SECONDS  # one may be longer on a busy machine
        assert await metric(server, "fullon_graphql_circuit_open", store) == 1
        assert await metric(server, "fullon_graphql_circuit_openings_total", store) >= 1
        assert await metric(server, "fullon_graphql_circuit_refusals_total", store) >= 1
        down = await part(server, store)
        assert (down["status"], down["circuit"] != "closed") == ("down", True)
        for other in others:
            up = await part(server, other)
            assert (up["status"], up["circuit"]) == ("up", "closed")
            if store != "postgres":  # which every credential is looked up in
                assert await errors(server, QUESTIONS[other], trader) == []
        proxy.is_silent = False
        await eventually_equal(lambda: errors(server, question, trader), [], seconds=30)
        up = await part(server, store)
        assert (up["status"], up["circuit"]) == ("up", "closed")
