"""Redis Cluster: every command finds its node, scripts their keys in one slot, subscribers all messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache import keys, overview, tickers
from fullon_graphql.cache.client import connect, recorded_commands
from fullon_graphql.cache.counters import counters
from fullon_graphql.cache.hub import Hub, Mailbox, Topic
from fullon_graphql.cache.reading import scan
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings
from fullon_graphql.config.cluster_url import parse_cluster_url
from fullon_graphql.daemons.control.desired_state import StateStore
from fullon_graphql.daemons.control.lease import LeaseLostError, acquire
from fullon_graphql.daemons.control.state import Progress, Report, ServiceName, ServiceState
from fullon_graphql.errors import CircuitOpen, RateLimited, RedisCircuitOpen
from fullon_graphql.graph import Graph
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.change_feed.relay import Relay
from fullon_graphql.services.change_feed.table import Batch, Change, ChangeKind, Position
from fullon_graphql.services.rate_limits import RateLimiter
from fullon_graphql.services.signing_in.revocation import announce
from tests.fixtures.cluster import ClusterDeployment, cluster_deployment
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import opened_graph, principal
from tests.fixtures.rows import TRADER

SYMBOLS = [f"COIN{number}/USD" for number in range(30)]
"""Enough for the channels and keys of every node."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterDeployment]:
    """The cluster of this module."""
    with cluster_deployment(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def cluster(running: ClusterDeployment) -> ClusterDeployment:
    """The cluster without data."""
    for node in running.nodes:
        with node.client() as client:
            client.flushall()
    return running


@pytest.fixture
def in_cluster(settings: Settings, cluster: ClusterDeployment) -> Settings:
    """Settings of a worker whose Redis is the cluster."""
    return settings.model_copy(update={"redis_url": cluster.url})


@pytest.fixture
async def client(in_cluster: Settings) -> AsyncIterator[Redis]:
    async with connect(in_cluster.redis_url, in_cluster, "tests") as client:
        yield client


@pytest.fixture
async def hub(in_cluster: Settings) -> AsyncIterator[Hub]:
    async with connect(in_cluster.redis_url, in_cluster, "hub") as client, Hub(client, 10) as hub:
        yield hub


async def received(mailbox: Mailbox, expected: set[str]) -> dict[str, str]:
    """The newest message of each channel, once all `expected` channels have one."""
    found: dict[str, str] = {}
    async with asyncio.timeout(20):
        while not expected <= found.keys():
            found |= (await mailbox.news()).messages
    return found


def ticks(price: float) -> list[tickers.Ticker]:
    return [tickers.Ticker("kraken", symbol, price, time.time()) for symbol in SYMBOLS]


def test_url_has_nodes_and_credentials() -> None:
    found = parse_cluster_url("rediss+cluster://u:p%40s@a,[::1]:2/0")
    assert found.nodes == (("a", 6379), ("::1", 2))
    assert found.options == {"username": "u", "password": "p@s"}
    assert found.tls
    assert not parse_cluster_url("redis+cluster://a").tls


@pytest.mark.parametrize("rest", ["", "a,,b", "a/1", "a/x", "a:x", "a?db=1"])
def test_url_of_another_form_is_refused(rest: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL"):
        Settings(redis_url=f"redis+cluster://{rest}")


def test_names_in_a_single_server_are_as_before_and_tagged_in_a_cluster() -> None:
    names = [keys.service_desired("a"), keys.service_lease("a"), keys.service_fence("a"), keys.service_changes("a")]
    assert names[1] == "fullon_graphql:service:a:lease"
    assert keys.in_cluster(names[1]) == "fullon_graphql:{service:a}:lease"
    assert len({key_slot(keys.in_cluster(name).encode()) for name in names}) == 1
    feed = [keys.in_cluster(keys.CHANGE_FEED), keys.in_cluster(keys.CHANGE_FEED_LEASE)]
    assert len({key_slot(name.encode()) for name in feed}) == 1
    untouched = [keys.tickers("a"), keys.changes(keys.ACCOUNTS), keys.credentials(1), "fullon_graphql:change_feedx"]
    assert [keys.in_cluster(name) for name in untouched] == untouched


async def test_keys_of_the_platform_are_written_and_read_on_every_node(
    client: Redis, cluster: ClusterDeployment
) -> None:
    sent: list[str] = []
    with recorded_commands(sent):
        await tickers.write(client, ticks(1))
    assert sent.count("MSET ticker_time:kraken:COIN0/USD") == 1
    for symbol in SYMBOLS:
        with cluster.owner(name := keys.ticker_time("kraken", symbol)).client() as node:
            assert node.get(name)
    assert {cluster.owner(keys.ticker_time("kraken", symbol)).port for symbol in SYMBOLS} == {
        node.port for node in cluster.nodes
    }
    wanted = [("kraken", SYMBOLS[3]), ("none", "A/B"), ("kraken", SYMBOLS[1])]
    found = await tickers.read_many(client, wanted)
    assert [each and each.symbol for each in found] == [SYMBOLS[3], None, SYMBOLS[1]]


async def test_commands_with_several_keys_cover_all_slots(client: Redis) -> None:
    names = [f"fullon_graphql:tests:{number}" for number in range(50)]
    await client.mset({name: name for name in names})
    assert await client.mget([*names, "absent", names[0]]) == [*names, None, names[0]]
    assert await scan(client, "fullon_graphql:tests:*") == sorted(names)
    found = await overview.read(client)
    assert (found.total, found.by_family, found.is_complete) == (50, {"fullon_graphql": 50}, True)
    assert found.used_bytes > 0
    assert await client.exists(*names, "absent") == 50
    assert await client.delete(*names) == 50
    assert await client.dbsize() == 0


async def test_pipeline_answers_in_the_order_of_its_commands(client: Redis) -> None:
    async with client.pipeline(transaction=False) as pipeline:
        for number in range(50):
            pipeline.set(f"tests:{number}", number)
            pipeline.get(f"tests:{number}")
        pipeline.lpush("tests:0", "not a list")
        pipeline.get("tests:1")
        *answers, refused, last = await pipeline.execute(raise_on_error=False)
    assert answers == [answer for number in range(50) for answer in (True, str(number))]
    assert isinstance(refused, RedisError)
    assert last == "1"


async def test_transactions_are_refused(client: Redis) -> None:
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.get("tests:1")
        with pytest.raises(RedisError, match="MULTI"):
            await pipeline.execute()
    assert await client.ping()


async def test_ticks_arrive_from_every_node(client: Redis, hub: Hub) -> None:
    channels = {keys.ticker_updates("kraken", symbol) for symbol in SYMBOLS}
    pattern = Topic(keys.ticker_updates_pattern("kraken"), pattern=True)
    async with hub.listen(map(Topic, channels)) as each, hub.listen([pattern]) as all_:
        await tickers.write(client, ticks(1))
        assert (await received(each, channels)).keys() == channels
        assert (await received(all_, channels)).keys() == channels


async def test_own_channels_are_sharded_if_redis_can(client: Redis, hub: Hub, cluster: ClusterDeployment) -> None:
    channels = {keys.candle_writes("kraken", symbol) for symbol in SYMBOLS}
    async with hub.listen(map(Topic, channels)) as mailbox:
        await asyncio.gather(*[client.publish(channel, channel) for channel in channels])
        assert await received(mailbox, channels) == {channel: channel for channel in channels}
        if cluster.has_sharded_channels:
            sharded = set()
            for node in cluster.nodes:
                with node.client() as direct:
                    sharded |= set(direct.execute_command("PUBSUB", "SHARDCHANNELS"))
                    assert not set(direct.pubsub_channels()) & channels
            assert sharded == channels
    async with hub.listen([Topic("tests:other")]) as mailbox:  # after an unsubscription the connection still works
        await mailbox.news()
        await client.publish("tests:other", "1")
        assert await received(mailbox, {"tests:other"}) == {"tests:other": "1"}


async def test_message_follows_the_writes_before_it(client: Redis, hub: Hub, cluster: ClusterDeployment) -> None:
    channel, names = keys.changes(keys.ACCOUNTS), (f"tests:{number}" for number in range(100))
    written = next(name for name in names if cluster.owner(name) is not cluster.owner(channel))
    async with hub.listen([Topic(channel)]) as mailbox:
        with cluster.owner(written).client() as node:
            node.client_pause(300, all=False)  # writes wait, reads do not
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.set(written, "new")
            pipeline.publish(channel, "")
            publishing = asyncio.create_task(pipeline.execute())
            await received(mailbox, {channel})
            assert await client.get(written) == "new"
            await publishing


async def test_moved_slot_is_followed_by_commands_and_subscribers(
    client: Redis, hub: Hub, cluster: ClusterDeployment
) -> None:
    channel = keys.candle_writes("kraken", "BTC/USD")
    await client.set(channel, "kept")  # a key in the slot of the channel
    async with hub.listen([Topic(channel)]) as mailbox:
        await mailbox.news()
        with cluster.moving(channel) as new:
            assert await client.get(channel) == "kept"
            await client.set(later := f"{{{channel}}}:later", "asked for")
            assert await client.mget([later]) == ["asked for"]
        with new.client() as node:
            assert node.mget([channel, later]) == ["kept", "asked for"]
        assert await client.get(channel) == "kept"

        async def arrives() -> bool:
            await client.publish(channel, "1")
            news = await mailbox.news_until(asyncio.get_running_loop().time() + 0.2)
            return news is not None and bool(news.messages)

        await eventually(arrives)
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.get(channel)
        pipeline.get(later)
        assert await pipeline.execute() == ["kept", "asked for"]


async def test_connections_that_nodes_close_are_opened_again(
    client: Redis, hub: Hub, cluster: ClusterDeployment
) -> None:
    channel = keys.candle_writes("kraken", "BTC/USD")
    async with hub.listen([Topic(channel), Topic(keys.credentials(1))]) as mailbox:
        await mailbox.news()
        await client.mset({f"tests:{number}": number for number in range(30)})
        for node in cluster.nodes:
            with node.client() as direct:
                direct.client_kill_filter(_type="normal", skipme=True)
        assert await client.mget([f"tests:{number}" for number in range(30)]) == [str(number) for number in range(30)]
        nodes_of_sharded_channels = [cluster.owner(channel)] if cluster.has_sharded_channels else []
        for killed in filter(None, (cluster.nodes, nodes_of_sharded_channels)):
            for node in killed:
                with node.client() as direct:
                    direct.client_kill_filter(_type="pubsub")
            assert (await mailbox.news()).reset
            await asyncio.gather(client.publish(channel, "1"), client.publish(keys.credentials(1), "2"))
            assert await received(mailbox, {channel, keys.credentials(1)})


async def test_workers_share_rate_limits(in_cluster: Settings) -> None:
    async with AsyncExitStack() as stack:
        limiters = []
        for _ in range(2):
            client = await stack.enter_async_context(connect(in_cluster.redis_url, in_cluster, "tests"))
            limiter = RateLimiter(counters(client, keys.RATE_LIMITS), 10, 3600, Metrics())
            await stack.enter_async_context(BackgroundTasks().running({"limits": limiter.synchronize}))
            limiters.append(limiter)
        for _ in range(6):
            limiters[0].spend(principal(1), "192.0.2.1")

        async def is_limited() -> bool:
            limiters[1].spend(principal(1), "192.0.2.1")
            return False

        with pytest.raises(RateLimited):
            await eventually(is_limited)


async def test_one_worker_leads_the_change_feed_and_others_follow(client: Redis, in_cluster: Settings) -> None:
    async with connect(in_cluster.redis_url, in_cluster, "other") as other:
        leader, follower = Relay(client), Relay(other)
        await leader.campaign()
        await leader.publish(Batch(Position(1, 1), Position(1, 2), []))
        await follower.campaign()
        assert (leader.is_leader, follower.is_leader) == (True, False)
        change = Change(Position(2, 1), "orders", ChangeKind.UPDATED, {"order_id": 1}, 1, None, 0.5)
        await leader.publish(Batch(Position(1, 2), Position(2, 1), [change]))
        assert await follower.receive() == Batch(Position(1, 2), Position(2, 1), [change])
        await leader.resign()
        await follower.receive()
        assert follower.is_leader


async def test_service_has_one_holder_and_announces_its_state(client: Redis, hub: Hub) -> None:
    name, states = ServiceName.TICKER, StateStore(client)
    async with hub.listen([Topic(keys.service_changes(name))]) as mailbox:
        assert await states.set_running(name, running=True) == 1
        assert await received(mailbox, {keys.service_changes(name)}) == {keys.service_changes(name): "desired"}
        lease = await acquire(client, name, "one", 60)
        assert lease is not None
        assert await acquire(client, name, "two", 60) is None
        await lease.report(Report(lease.fence, ServiceState.RUNNING, generation=1))
        await lease.renew(Progress(1, 2))
        assert await received(mailbox, {keys.service_changes(name)}) == {keys.service_changes(name): "report"}
        [observed] = await states.observe([name])
        assert observed.desired == await states.desired(name)
        status = observed.status
        assert (status.state, status.holder, status.done, status.of) == (ServiceState.RUNNING, "one", 1, 2)
        await lease.release()
        with pytest.raises(LeaseLostError):
            await lease.renew()
        later = await acquire(client, name, "two", 60)
        assert later is not None
        assert later.fence > lease.fence


async def test_worker_streams_prices_and_hears_of_revoked_credentials(
    in_cluster: Settings, schema: Graph, client: Redis
) -> None:
    price = 'subscription { ticker(exchange: "kraken", symbol: "COIN1/USD") { price } }'
    async with opened_graph(in_cluster, schema, principal(TRADER)) as graph:
        await tickers.write(client, ticks(1))
        async with aclosing(graph.stream(price)) as prices:
            assert (await anext(prices)).data == {"ticker": {"price": 1}}
            await tickers.write(client, ticks(2))
            assert (await anext(prices)).data == {"ticker": {"price": 2}}
        async with graph.worker.hub.listen([Topic(keys.CREDENTIALS, pattern=True)]) as mailbox:
            await mailbox.news()
            await announce(client, TRADER)
            assert await received(mailbox, {keys.credentials(TRADER)})


async def test_circuit_opens_without_any_node(settings: Settings) -> None:
    breaker = CircuitBreaker("redis", 2, 30, RedisCircuitOpen)
    async with connect("redis+cluster://127.0.0.1:1,127.0.0.1:2", settings, "tests", breaker) as client:
        for _ in range(2):
            with pytest.raises(RedisError):
                await client.ping()
        with pytest.raises(CircuitOpen):
            await client.ping()
