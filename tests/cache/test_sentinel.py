"""Redis behind Sentinel: the master is found, and found again after a failover."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.client import connect
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings
from fullon_graphql.config.sentinel_url import parse_sentinel_url
from fullon_graphql.database import Database
from fullon_graphql.errors import CircuitOpen, RedisCircuitOpen
from fullon_graphql.graph import Graph
from tests.fixtures.eventually import eventually, eventually_blocking
from tests.fixtures.graph import opened_graph, principal
from tests.fixtures.order_changes import change_orders
from tests.fixtures.rows import TRADER
from tests.fixtures.sentinel import SERVICE, Node, SentinelDeployment, sentinel_deployment


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelDeployment]:
    """Redis, its replica and the Sentinels of this module."""
    with sentinel_deployment(tmp_path_factory.mktemp("sentinel")) as found:
        yield found


@pytest.fixture
def deployment(running: SentinelDeployment) -> SentinelDeployment:
    """All of it running and ready for a failover, without data."""
    for node in running.servers:
        if not node.answers():
            node.start()
    eventually_blocking(lambda: running.is_complete, seconds=60)
    with running.master.client() as client:
        client.flushall()
    return running


@pytest.fixture
def behind_sentinel(settings: Settings, deployment: SentinelDeployment) -> Settings:
    """Settings of a worker whose Redis is behind Sentinel."""
    return settings.model_copy(update={"redis_url": deployment.url, "circuit_breaker_timeout": 0.2})


@pytest.fixture
async def client(behind_sentinel: Settings) -> AsyncIterator[Redis]:
    async with connect(behind_sentinel.redis_url, behind_sentinel, "tests") as client:
        yield client


@contextmanager
def never_demoted(node: Node) -> Iterator[None]:
    """A master that stays one, although a Sentinel would make it a replica ten seconds after a failover."""
    with node.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-replicaof", "-slaveof")
        try:
            yield
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+replicaof", "+slaveof")


def fails_over(deployment: SentinelDeployment) -> bool:
    """True if a Sentinel begins a failover: it knows that the replica is up and connected."""
    with deployment.sentinels[0].client() as sentinel, suppress(RedisError):
        return bool(sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE))
    return False


async def is_accepted(client: Redis, value: int) -> bool:
    with suppress(RedisError):
        return bool(await client.set("tests:key", value))
    return False


@pytest.mark.parametrize(
    ("url", "sentinels", "service", "options"),
    [
        ("redis+sentinel://a,b:1/main", (("a", 26379), ("b", 1)), "main", {"db": 0}),
        (
            "rediss+sentinel://u:p%40s@[::1]:2/main/3",
            (("::1", 2),),
            "main",
            {"db": 3, "username": "u", "password": "p@s"},
        ),
    ],
)
def test_url_has_addresses_service_and_credentials(
    url: str, sentinels: object, service: str, options: dict[str, object]
) -> None:
    found = parse_sentinel_url(url + "?sentinel_password=s")
    assert (found.sentinels, found.service, found.options) == (sentinels, service, options)
    assert found.sentinel_options == {"password": "s"}
    assert found.tls is url.startswith("rediss")


@pytest.mark.parametrize("rest", ["a:1", "/main", "a/main/x", "a:x/main", "a/main?db=1"])
def test_url_of_another_form_is_refused(rest: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL"):
        Settings(redis_url=f"redis+sentinel://{rest}")


async def test_connections_leave_a_master_that_becomes_a_replica(client: Redis, deployment: SentinelDeployment) -> None:
    old = deployment.master
    is_left = asyncio.Event()

    async def is_stored() -> bool:  # until it is left, the old master accepts writes and loses them
        return await is_accepted(client, 2) and deployment.master.client().get("tests:key") == "2"

    async def be_busy() -> None:  # with commands on their way while the connections are closed
        while not is_left.is_set():
            with suppress(RedisError):
                await client.brpop(["tests:list"], timeout=0.3)

    with never_demoted(old):
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(be_busy())
            await eventually(lambda: fails_over(deployment), seconds=60)
            await eventually(lambda: deployment.master is not old, seconds=60)
            await eventually(is_stored, seconds=60)
            is_left.set()
        assert old.client().info("replication")["role"] == "master"


async def test_a_command_on_its_way_is_repeated_on_the_new_master(
    behind_sentinel: Settings, deployment: SentinelDeployment
) -> None:
    old = deployment.master
    patient = behind_sentinel.model_copy(update={"redis_timeout": 120})

    def is_waiting_at(node: Node) -> bool:
        return bool(node.client().info("clients")["blocked_clients"])

    with never_demoted(old):
        async with connect(patient.redis_url, patient, "tests") as client:
            waiting = asyncio.ensure_future(client.brpop(["tests:list"], timeout=100))
            await eventually(lambda: is_waiting_at(old), seconds=60)
            await eventually(lambda: fails_over(deployment), seconds=60)
            await eventually(lambda: not is_waiting_at(old), seconds=60)
            await eventually(lambda: is_waiting_at(deployment.master), seconds=60)
            deployment.master.client().lpush("tests:list", "written")
            assert await waiting == ("tests:list", "written")


async def test_a_connection_that_is_opened_during_a_failover_leaves_the_former_master(
    behind_sentinel: Settings, deployment: SentinelDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deployment.master
    patient = behind_sentinel.model_copy(update={"redis_timeout": 120})
    is_opening, is_noticed = asyncio.Event(), asyncio.Event()
    open_connection = asyncio.open_connection

    async def first_to_the_former_is_slow(**options: Any) -> Any:
        if options["port"] == old.port and not is_opening.is_set():
            is_opening.set()
            await is_noticed.wait()
        return await open_connection(**options)

    async def has_left_the_former(client: Redis) -> bool:
        return bool((await client.info("server"))["tcp_port"] != old.port)

    monkeypatch.setattr(asyncio, "open_connection", first_to_the_former_is_slow)
    with never_demoted(old):
        async with connect(patient.redis_url, patient, "tests") as client:
            writing = asyncio.ensure_future(client.set("tests:key", 2))
            await is_opening.wait()
            await eventually(lambda: fails_over(deployment), seconds=60)
            await eventually(lambda: has_left_the_former(client), seconds=60)
            is_noticed.set()
            await writing
        assert deployment.master.client().get("tests:key") == "2"


async def test_commands_reach_the_new_master_after_a_crash(client: Redis, deployment: SentinelDeployment) -> None:
    old = deployment.master
    await client.set("tests:key", 1)
    assert old.client().get("tests:key") == "1"
    await asyncio.to_thread(old.stop, signal.SIGKILL)
    await eventually(lambda: is_accepted(client, 2), seconds=60)
    await eventually(lambda: deployment.master is not old, seconds=60)  # the client may have asked another Sentinel
    assert deployment.master.client().get("tests:key") == "2"


async def test_a_dead_sentinel_is_passed_over(behind_sentinel: Settings, deployment: SentinelDeployment) -> None:
    await asyncio.to_thread(deployment.sentinels[0].stop)
    try:
        async with connect(behind_sentinel.redis_url, behind_sentinel, "tests") as client:
            assert await client.ping()
    finally:
        await asyncio.to_thread(deployment.sentinels[0].start)


async def test_a_sentinel_that_did_not_answer_many_is_asked_again(
    behind_sentinel: Settings, deployment: SentinelDeployment
) -> None:
    first, *others = deployment.sentinels
    async with connect(behind_sentinel.redis_url, behind_sentinel, "tests") as client:
        await asyncio.to_thread(first.stop)
        try:
            await asyncio.gather(*(client.ping() for _ in range(10)))  # each opens a connection
            await asyncio.to_thread(first.start)
            for node in others:
                await asyncio.to_thread(node.stop)
            await client.connection_pool.disconnect()
            assert await client.ping()
        finally:
            for node in deployment.sentinels:
                if not node.answers():
                    await asyncio.to_thread(node.start)


async def test_circuit_opens_without_any_sentinel(settings: Settings) -> None:
    breaker = CircuitBreaker("redis", 2, 30, RedisCircuitOpen)
    url = "redis+sentinel://127.0.0.1:1,127.0.0.1:2/fullon/0"
    async with connect(url, settings, "tests", breaker) as client:
        for _ in range(2):
            with pytest.raises(RedisError):
                await client.ping()
        with pytest.raises(CircuitOpen):
            await client.ping()


async def test_streams_continue_over_a_failover(
    behind_sentinel: Settings, schema: Graph, platform: Database, client: Redis, deployment: SentinelDeployment
) -> None:
    price = 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price } }'
    orders = "subscription { orders { order { status } } }"

    async def publish(value: float) -> bool:
        with suppress(RedisError):
            await tickers.write(client, [tickers.Ticker("kraken", "BTC/USD", value, time.time())])
            return True
        return False

    async with opened_graph(behind_sentinel, schema, principal(TRADER)) as graph:
        worker = graph.worker
        async with aclosing(graph.stream(price)) as prices, aclosing(graph.stream(orders)) as events:
            assert await publish(1)
            assert (await anext(prices)).data == {"ticker": {"price": 1}}
            received: list[str] = []

            async def receive() -> None:
                async for event in events:
                    received.append(event.data["orders"]["order"]["status"])

            receiving = asyncio.create_task(receive())
            await eventually(lambda: worker.changes.listeners)
            await asyncio.to_thread(deployment.master.stop, signal.SIGKILL)
            for number in range(20):
                await change_orders(platform, [1], f"step {number}")
            await eventually(lambda: publish(2), seconds=60)
            newest = None
            async with asyncio.timeout(60):
                while newest != {"ticker": {"price": 2}}:
                    newest = (await anext(prices)).data
            await change_orders(platform, [1], "last")
            await eventually(lambda: "last" in received, seconds=60)
            receiving.cancel()
            await asyncio.wait([receiving])
        assert len(received) == 21
        assert await worker.redis.exists(keys.tickers("kraken"))
