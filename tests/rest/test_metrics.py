"""`GET /metrics`: counters of one application, without personal data."""

from __future__ import annotations

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from fullon_graphql.app import create_app, framework_application
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.streaming.connections import ConnectionRegistry
from tests.cli.test_serve import workers
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.rest import Rest
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, ServerProcess, bearer, running
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import socket

Samples = dict[tuple[str, str], float]


async def read(server: Server) -> Samples:
    """Samples by name and label."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(response.text)


def samples(text: str) -> Samples:
    return {
        (sample.name.removeprefix("fullon_graphql_"), "".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_executions_fallbacks_and_cache_hits_are_counted(server_process: ServerProcess, sign_in: SignIn) -> None:
    trader = bearer(await sign_in(TRADER))
    for query in ("{ bots { nodes { name } } }",) * 3 + ("{ bot(botId: 6) { name } }", "{", "{ nothing }"):
        await server_process.post(query, trader)
    await server_process.post("{ me { uid } }")
    found = await read(server_process)
    assert found["operations_total", "plan"] == 4
    assert found["operations_total", "reference"] == 1
    assert found["fallbacks_total", "caller"] == 1
    assert found["documents_total", "hit"] == 2
    assert found["documents_total", "miss"] == 5
    assert found["plans_total", "hit"] == 2
    assert found["plans_total", "miss"] == 2
    assert found["stage_seconds_count", "parse"] == 5
    assert found["stage_seconds_count", "statement"] == 4
    assert found["stage_seconds_count", "reference"] == 1
    assert found["stage_seconds_sum", "statement"] > 0
    assert found["errors_total", "GRAPHQL_PARSE_FAILEDgraph"] == 1
    assert found["errors_total", "GRAPHQL_VALIDATION_FAILEDgraph"] == 1
    assert found["errors_total", "UNAUTHENTICATEDgraph"] == 1
    assert found["http_requests_total", "POST/graphql200"] == 7
    assert found["http_request_seconds_count", "POST/graphql"] == 7
    assert found["processes", "worker"] == 1
    assert found["loop_hold_seconds_count", "worker"] > 0


async def test_sign_ins_refusals_and_reads_of_redis_are_counted(rest: Rest) -> None:
    before, trader = samples(Metrics().text().decode()), await rest.as_(TRADER)
    assert (await rest.anonymous.refused("orm/bots"))[1] == "UNAUTHENTICATED"
    login = {"username": "user2@fullon", "password": "wrong"}
    assert (await rest.anonymous.send("POST", "auth/login", data=login)).status_code == 401
    assert await trader.refused("cache/tickers/kraken/BTC-USD") == (404, "NOT_FOUND")
    await tickers.write(trader.worker.redis, [Ticker("kraken", "BTC/USD", 100, 1)])
    await trader.get("cache/tickers/kraken/BTC-USD")
    after = samples(Metrics().text().decode())
    changes = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
    assert changes["sign_ins_total", "refused"] == 1
    assert changes["errors_total", "UNAUTHENTICATEDrest"] == 2
    assert changes["errors_total", "NOT_FOUNDrest"] == 1
    assert changes["redis_reads_total", "tickershit"] == 1
    assert changes["redis_reads_total", "tickersmiss"] >= 1


async def test_services_have_a_state(server: Server, redis: Redis) -> None:
    found = await read(server)
    assert {key: found[key] for key in found if key[0] == "service_state"} == {
        ("service_state", f"{name}stopped"): 1 for name in ("ticker", "ohlcv", "account")
    }


async def test_workers_and_services_process_answer_as_one(environment: dict[str, str]) -> None:
    async with running(environment, "/health/ready", "--workers", "2") as server:

        async def processes() -> dict[str, float]:
            return {label: value for (name, label), value in (await read(server)).items() if name == "processes"}

        await eventually_equal(processes, {"worker": 2, "services": 1})
        for _ in range(10):
            await server.post("{")
        seen: list[float] = []

        async def invalid() -> float:
            seen.append((await read(server)).get(("errors_total", "GRAPHQL_PARSE_FAILEDgraph"), 0))
            return seen[-1]

        await eventually_equal(invalid, 10)
        killed = workers(psutil.Process(server.process.pid))[0]
        killed.kill()
        await eventually(lambda: not killed.is_running() or killed.status() == psutil.STATUS_ZOMBIE)
        assert await invalid() == 10, "what the killed worker has counted stays"
        assert seen == sorted(seen), "no answer shows less than the one before"


async def test_open_sockets_and_topics_are_counted(server: Server, sign_in: SignIn) -> None:
    await until_live(server, sockets=0, hub_topics=1, hub_listeners=1)  # the worker itself subscribes to revocations
    async with socket(server, bearer(await sign_in(TRADER))) as opened:
        await opened.sign_in()
        await opened.subscribe("1", 'subscription { tickers(exchange: "kraken") { price } }')
        await until_live(
            server, sockets=1, hub_topics=2, hub_listeners=2, streams=1, stream_listeners=1, stream_sharing_ratio=1
        )
        await opened.subscribe("2", 'subscription { tickers(exchange: "kraken") { symbol } }')
        await until_live(server, sockets=1, hub_topics=2, hub_listeners=3, streams=2, stream_listeners=2)
        await opened.subscribe("3", 'subscription { tickers(exchange: "kraken") { symbol } }')
        await until_live(
            server, sockets=1, hub_topics=2, hub_listeners=3, streams=2, stream_listeners=3, stream_sharing_ratio=1.5,
            connections=1, streams_started_total=3,
        )  # fmt: skip
    await until_live(
        server, sockets=0, hub_topics=1, hub_listeners=1, streams=0, stream_listeners=0, stream_sharing_ratio=0,
        connections=0, streams_ended_total=3,
    )  # fmt: skip
    found = await read(server)
    assert found["streams_ended_total", "clientgraphql-transport-ws"] == 3


async def until_live(server: Server, **wanted: float) -> None:

    async def found() -> dict[str, float]:
        return {name: value for (name, _), value in (await read(server)).items() if name in wanted}

    await eventually_equal(found, wanted)


async def test_labels_never_contain_client_input(server: Server, sign_in: SignIn) -> None:
    trader = bearer(await sign_in(TRADER))
    for query in ("query Secret { secret: bot(botId: 424242) { hidden: name } }", "{ unknownField }", "{ @@ }"):
        await server.post(query, trader)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        text = (await client.get("/metrics")).text.lower()
    assert not [word for word in ("secret", "hidden", "424242", "unknownfield", "@", "user2") if word in text]


def test_each_application_has_its_own_metrics(settings: Settings) -> None:
    assert create_app(settings) is not create_app(settings)
    one, other = Metrics(), Metrics()
    applications = [framework_application(settings, numbers, ConnectionRegistry(settings)) for numbers in (one, other)]
    assert applications[0] is not applications[1]
    one.operations.add("plan")
    assert samples(one.text().decode())["operations_total", "plan"] == 1
    assert ("operations_total", "plan") not in samples(other.text().decode())
