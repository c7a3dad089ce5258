"""The three subgraphs behind the gateways of deploy/federation: the same answers and events as from the whole graph.

Needs node and npm. One module, so that four servers and the gateways start once.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import orjson
import pytest
import pytest_asyncio
from graphql import get_named_type
from sqlalchemy import select, update
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import InvalidStatus

from fullon_graphql import models
from fullon_graphql.cache import tickers
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings, Subgraph
from fullon_graphql.database import Database
from fullon_graphql.embedded.demo.catalogue import PASSWORD
from tests.fixtures.demo import demo_environment  # noqa: F401  # a fixture
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.node import install
from tests.fixtures.node import running as running_script
from tests.fixtures.server import Server, bearer, running
from tests.fixtures.socket import socket
from tests.schema.test_visibility import ROOTS, walk

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = Path(__file__).parent / "gateway"
GATEWAYS = Path(__file__).parents[2] / "deploy" / "federation"
HIVE = ["javascript ws", "rust sse"]
"""Hive Gateway, by its planner and by the transport of subscriptions to subgraphs."""
CHANGING = {"ageMs", "lastUsedAt", "pricesAsOf"}
"""Fields that depend on the time of the answer."""


@dataclass(frozen=True)
class Federation:
    """The whole graph, the subgraphs, and the addresses of the gateways."""

    whole: Server
    subgraphs: Mapping[Subgraph, Server]
    gateways: Mapping[str, str]
    database: Database
    redis: Any
    tokens: Mapping[str, str]
    order: Any
    """An order of the trader."""

    async def requests(self) -> list[int]:
        """The numbers of operations that the subgraphs have executed."""
        return [await gauge(server, "documents_total") for server in self.subgraphs.values()]

    async def change_order(self, status: str) -> None:
        """Change the status of the order."""
        async with self.database.transaction() as connection:
            await connection.execute(
                update(models.Order).where(models.Order.order_id == self.order.order_id).values(status=status)
            )

    async def price(self, price: float) -> None:
        """Publish a price of the order's instrument."""
        await tickers.write(self.redis, [tickers.Ticker(self.order.exchange, self.order.symbol, price, time.time())])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def federation(
    demo_environment: dict[str, str],  # noqa: F811  # the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Federation]:
    install(GATEWAYS)
    environment = {name: value for name, value in demo_environment.items() if name != "MARKET_FEED"}
    environment |= {"LOG_FORMAT": "json", "SERVICES_TO_AUTO_START": "[]"}
    settings = Settings(
        demo=True,
        database_url=environment["DATABASE_URL"],
        redis_url=environment["REDIS_URL"],
    )
    async with AsyncExitStack() as stack:
        starting = [running(environment, "/health/ready", "--no-services", "--subgraph", part) for part in Subgraph]
        starting.append(running(environment, "/health/ready", "--no-services"))
        *parts, whole = await asyncio.gather(*map(stack.enter_async_context, starting))
        subgraphs = dict(zip(Subgraph, parts, strict=True))
        supergraph = await _composed(subgraphs, tmp_path_factory.mktemp("gateways"))
        gateways = await stack.enter_async_context(running_script(HERE / "gateways.mjs", {"supergraph": supergraph}))
        database = Database.connect(settings.database_url, "tests", settings)
        stack.push_async_callback(database.close)
        redis = await stack.enter_async_context(connect(settings.redis_url, settings, "tests"))
        tokens = {name: await whole.token(f"{name}@fullon", PASSWORD) for name in ("trader", "other", "admin")}
        columns = (models.Order.order_id, models.Order.exchange, models.Order.symbol)
        order = await database.row(select(*columns).where(models.Order.uid == 2).limit(1))
        made = Federation(whole, subgraphs, await gateways.receive(), database, redis, tokens, order)
        await made.price(100)
        yield made


async def _composed(subgraphs: Mapping[Subgraph, Server], folder: Path) -> str:
    """The supergraph, as deploy/federation/compose.mjs makes it of running subgraphs."""
    urls = {part.name: f"{server.url}/graphql" for part, server in subgraphs.items()}
    written = folder / "supergraph.graphql"
    environment = os.environ | urls | {"SUPERGRAPH": str(written)}
    process = await asyncio.create_subprocess_exec("node", "compose.mjs", cwd=GATEWAYS, env=environment)
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    return written.read_text()


async def ask(url: str, query: str, token: str | None) -> Any:
    """A response without what depends on time, and without what gateways change in errors."""
    async with httpx.AsyncClient(timeout=60) as client:
        response = await client.post(url, json={"query": query}, headers=bearer(token))
    found = response.json()
    errors = [(one["message"], one.get("path"), one["extensions"]["code"]) for one in found.get("errors", [])]
    return _steady(found.get("data")), sorted(errors, key=repr)


def differences(found: Any, expected: Any, path: str = "") -> list[str]:
    """The places at which two responses differ, with their values."""
    match found, expected:
        case dict(), dict() if found.keys() == expected.keys():
            return [one for name in found for one in differences(found[name], expected[name], f"{path}.{name}")]
        case ((list() | tuple()), (list() | tuple())) if len(found) == len(expected):
            pairs = enumerate(zip(found, expected, strict=True))
            return [one for place, pair in pairs for one in differences(*pair, f"{path}.{place}")]
    return [] if found == expected else [f"{path}: {found!r:.200} instead of {expected!r:.200}"]


def _steady(value: Any) -> Any:
    match value:
        case dict():
            return {name: _steady(one) for name, one in value.items() if name not in CHANGING}
        case list():
            return list(map(_steady, value))
        case float():
            return float(f"{value:.9g}")  # the order of a sum is up to PostgreSQL
    return value


QUERIES = [
    "{ me { name bots(first: 2) { nodes { name status { status } orders(first: 3) { nodes { side ticker { price } } } } } } }",
    "{ symbols(first: 3) { nodes { symbol ticker { price instrument { base exchange { name } } } candleColumns(timeframe: H1, last: 2) { close } } } }",
    "{ user(uid: 1) { name } bot(botId: 999) { name } node(id: \"x\") { id } }",
    '{ candles(exchange: "kraken", symbol: "NOPE", timeframe: H1, last: 1) { close } }',
    "{ services { name } }",
    "{ exchanges(first: 2) { nodes { name balances { currency free } positions { symbol } } } }",
    "mutation { updateBot(input: {botId: 1, name: \"renamed\"}) { name status { status } user { mail } } }",
    "mutation { updateBot(input: {botId: 999, name: \"renamed\"}) { name } }",
]  # fmt: skip


@pytest.mark.parametrize("caller", ["trader", None])
async def test_gateways_give_the_answers_of_the_whole_graph(federation: Federation, caller: str | None) -> None:
    token = federation.tokens[caller] if caller else None
    for query in QUERIES:
        expected = await ask(f"{federation.whole.url}/graphql", query, token)
        for name in (*HIVE, "apollo"):
            found = await ask(federation.gateways[name], query, token)
            assert differences(found, expected) == [], f"{name}: {query}"


async def test_gateways_reach_every_type_of_root_fields(federation: Federation) -> None:
    roots = {get_named_type(field.type).name: root for root, field in ROOTS.items()}
    for root, name in zip(roots.values(), cycle(sorted(federation.gateways))):
        query = walk(root, depth=2)
        expected = await ask(f"{federation.whole.url}/graphql", query, federation.tokens["admin"])
        found = await ask(federation.gateways[name], query, federation.tokens["admin"])
        assert differences(found, expected) == [], f"{name}: {query}"


@pytest.mark.parametrize("gateway", [*HIVE, "apollo"])
async def test_entities_of_a_list_are_one_request(federation: Federation, gateway: str) -> None:
    query = "{ bots(first: 3) { nodes { orders(first: 20) { nodes { orderId instrument { symbol ticker { price } } } } } } }"
    before = await federation.requests()
    data, errors = await ask(federation.gateways[gateway], query, federation.tokens["trader"])
    assert errors == []
    assert sum(len(bot["orders"]["nodes"]) for bot in data["bots"]["nodes"]) > 30
    sent = [now - earlier for now, earlier in zip(await federation.requests(), before, strict=True)]
    assert dict(zip(Subgraph, sent, strict=True)) == {Subgraph.ORM: 1, Subgraph.OHLCV: 0, Subgraph.CACHE: 1}


ORDERS = "subscription { orders { cursor order { orderId status bot { name } ticker { price } } } }"
PRICES = 'subscription {{ ticker(exchange: "{0.exchange}", symbol: "{0.symbol}") {{ price instrument {{ symbol }} }} }}'

Open: TypeAlias = Callable[[str, str, str | None], Any]
"""Opens a subscription at an address; its events are responses."""


@asynccontextmanager
async def over_sse(url: str, query: str, token: str | None) -> AsyncIterator[AsyncIterator[Any]]:
    async def events(response: httpx.Response) -> AsyncIterator[Any]:
        async for line in response.aiter_lines():
            if line.startswith("data:") and line.removeprefix("data:").strip():
                yield orjson.loads(line.removeprefix("data:"))

    headers = bearer(token) | {"accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=60) as client,
        client.stream("POST", url, json={"query": query}, headers=headers) as response,
    ):
        yield events(response)


@asynccontextmanager
async def over_ws(url: str, query: str, token: str | None) -> AsyncIterator[AsyncIterator[Any]]:
    async def events(opened: Any) -> AsyncIterator[Any]:
        while (message := await opened.receive())["type"] in {"next", "error"}:
            payload = message["payload"]
            yield payload if message["type"] == "next" else {"errors": payload}

    server = Server(url.removesuffix("/graphql"))
    async with socket(server) as opened:
        await opened.sign_in({"authorization": f"Bearer {token}"} if token else None)
        await opened.subscribe("1", query)
        yield events(opened)


CLIENTS: dict[str, Open] = {"sse": over_sse, "ws": over_ws}


async def following(events: AsyncIterator[Any]) -> Any:
    async with asyncio.timeout(20):
        return await anext(events)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("gateway", HIVE)
async def test_events_come_in_the_order_of_the_whole_graph(federation: Federation, gateway: str, client: str) -> None:
    token, open_, url = federation.tokens["trader"], CLIENTS[client], federation.gateways[gateway]
    statuses = ["open", "partially_filled", "filled", "canceled", "filled"]
    async with (
        open_(url, ORDERS, token) as through,
        open_(url, PRICES.format(federation.order), token) as prices,
        over_ws(f"{federation.whole.url}/graphql", ORDERS, token) as whole,
        open_(url, ORDERS, federation.tokens["other"]) as foreign,
    ):
        instrument = {"symbol": federation.order.symbol}
        assert await following(prices) == {"data": {"ticker": {"price": 100, "instrument": instrument}}}
        waiting = asyncio.ensure_future(following(foreign))
        await listening(federation, 3)
        for status in statuses:
            await federation.change_order(status)
        expected = [await following(whole) for _ in statuses]
        found = [await following(through) for _ in statuses]
        assert list(map(cursor, found)) == list(map(cursor, expected))
        assert _steady(found[-1]) == _steady(expected[-1])
        assert expected[-1]["data"]["orders"]["order"]["ticker"] == {"price": 100}
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


def cursor(event: Any) -> str:
    return str(event["data"]["orders"]["cursor"])


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("gateway", HIVE)
async def test_subscription_requires_a_credential(federation: Federation, gateway: str, client: str) -> None:
    async with CLIENTS[client](federation.gateways[gateway], ORDERS, None) as events:
        [error] = (await following(events))["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_subscriptions_with_one_token_share_a_socket_to_the_subgraph(federation: Federation) -> None:
    url = federation.gateways["javascript ws"]
    async with AsyncExitStack() as stack:
        for name in ("trader", "trader", "trader", "other"):
            await stack.enter_async_context(over_ws(url, ORDERS, federation.tokens[name]))
        await listening(federation, 4)
        sockets = partial(gauge, federation.subgraphs[Subgraph.ORM], "sockets")
        await eventually_equal(sockets, 2)


async def listening(federation: Federation, number: int) -> None:
    """Wait until the streams of the orm subgraph and of the whole graph have so many subscribers."""

    async def subscribers() -> int:
        servers = (federation.subgraphs[Subgraph.ORM], federation.whole)
        return sum([await gauge(server, "stream_listeners") for server in servers])

    await eventually_equal(subscribers, number)


async def gauge(server: Server, name: str) -> int:
    """The sum of a metric over its labels."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        text = (await client.get("/metrics")).text
    return int(sum(map(float, re.findall(rf"(?m)^fullon_graphql_{name}(?:{{.*}})? (\S+)$", text))))


async def test_subgraph_refuses_platform_sockets(federation: Federation) -> None:
    url = federation.subgraphs[Subgraph.CACHE].url.replace("http", "ws", 1) + "/ws/tickers"
    with pytest.raises(InvalidStatus) as refused:
        await connect_socket(url, proxy=None)
    assert refused.value.response.status_code == 404
