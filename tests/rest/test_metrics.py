"""`GET /metrics`: counters of one application, without personal data."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from fullon_graphql.app import create_app, framework_application
from fullon_graphql.config import Settings
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.streaming.connections import ConnectionRegistry
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, bearer
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


async def test_executions_fallbacks_and_cache_hits_are_counted(server: Server, sign_in: SignIn) -> None:
    trader = bearer(await sign_in(TRADER))
    for query in ("{ bots { nodes { name } } }",) * 3 + ("{ bot(botId: 6) { name } }", "{", "{ nothing }"):
        await server.post(query, trader)
    await server.post("{ me { uid } }")
    found = await read(server)
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
            server, sockets=1, hub_topics=2, hub_listeners=3, streams=2, stream_listeners=3, stream_sharing_ratio=1.5
        )
    await until_live(
        server, sockets=0, hub_topics=1, hub_listeners=1, streams=0, stream_listeners=0, stream_sharing_ratio=0
    )


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
