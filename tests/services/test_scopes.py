"""Scopes finer than read, write and admin: the rules, and the graph under them."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from fullon_graphql.auth.api_keys import parse_scopes
from fullon_graphql.auth.principal import Principal, Scope, administrator, reader
from fullon_graphql.cache import tickers
from fullon_graphql.database import Database
from fullon_graphql.errors import Forbidden
from fullon_graphql.graph import Graph
from fullon_graphql.services.access import (
    CHANGES,
    CONTROL,
    ENTITIES,
    RULES,
    SCOPES,
    Administrators,
    Internal,
    service_controller,
    service_reader,
)
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, TRADER

TICKER = tickers.Ticker("kraken", "BTC/USD", 100.0, time.time())
SIGN_IN = {"login", "refreshToken", "logout"}


def holding(*scopes: str, uid: int = TRADER, admin: bool = False) -> Principal:
    return replace(principal(uid, admin=admin), credential="api_key:1", scopes=frozenset(scopes))


def test_every_mutation_has_a_scope(schema: Graph) -> None:
    mutations = schema.core.mutation_type
    assert mutations is not None
    assert mutations.fields.keys() - SIGN_IN == CHANGES.keys()
    assert set(CHANGES.values()) <= set(SCOPES)


def test_every_table_with_rows_of_users_has_an_entity() -> None:
    restricted = {model for model, rule in RULES.items() if isinstance(rule, (Administrators, Internal))}
    assert ENTITIES.keys() == RULES.keys() - restricted


@pytest.mark.parametrize(
    ("scopes", "allowed", "refused"),
    [
        ({"read"}, {"orders:read", "tickers:read", "read"}, {"orders:write", "write", "admin", CONTROL}),
        ({"orders:read"}, {"orders:read"}, {"read", "bots:read", "orders:write"}),
        ({"write"}, {"orders:write", "bots:write"}, {"orders:read", CONTROL}),
        ({"admin"}, {"admin"}, {"orders:read", "orders:write", CONTROL}),
        ({"write", "admin"}, {CONTROL}, {"read"}),
        ({CONTROL}, {CONTROL}, {"read", "write", "admin"}),
    ],
)
def test_broad_scopes_include_finer_ones(scopes: set[str], allowed: set[str], refused: set[str]) -> None:
    caller = holding(*scopes)
    assert {scope for scope in allowed | refused if caller.allows(scope)} == allowed


def test_stored_scopes_are_parsed() -> None:
    assert parse_scopes("Orders:Read, write,nonsense,services:control,a:b") == {"orders:read", "write", CONTROL}
    assert parse_scopes("nonsense") == frozenset()


def test_control_of_services_requires_an_administrator() -> None:
    for check in (service_reader, service_controller):
        assert check(holding(CONTROL, uid=ADMIN, admin=True))
        with pytest.raises(Forbidden):
            check(holding(CONTROL))
    assert service_reader(holding("admin", uid=ADMIN, admin=True))
    for scopes in ({"admin"}, {"write"}, {"read"}):
        with pytest.raises(Forbidden):
            service_controller(holding(*scopes, uid=ADMIN, admin=True))
    with pytest.raises(Forbidden):
        administrator(holding(CONTROL, uid=ADMIN, admin=True))


def test_credential_that_reads_nothing_is_refused() -> None:
    assert reader(holding("orders:read"))
    for scopes in ((), ("write",), ("orders:write",), (CONTROL,)):
        with pytest.raises(Forbidden, match="lacks the scope 'read'"):
            reader(holding(*scopes))


QUERIES = [
    ("{ orders(last: 1) { nodes { orderId } } }", {"orders:read"}),
    ("{ orders(last: 1) { nodes { bot { name } } } }", {"orders:read", "bots:read"}),
    ("{ me { mail } }", {"users:read"}),
    ("{ bots(first: 1) { nodes { name } } }", {"bots:read"}),
    ("{ trades(last: 1) { nodes { tradeId } } }", {"trades:read"}),
    ("{ exchanges(first: 1) { nodes { name balances { currency } } } }", {"exchanges:read"}),
    ('{ ticker(exchange: "kraken", symbol: "BTC/USD") { price } }', {"tickers:read"}),
    ('{ candles(exchange: "kraken", symbol: "BTC/USD", timeframe: H1, last: 1) { close } }',
     {"candles:read", "symbols:read"}),
    ('{ symbol(exchange: "kraken", symbol: "BTC/USD") { base } }', {"symbols:read", "catalogue:read"}),
    ("{ sessions(first: 1) { nodes { createdAt } } }", {"sessions:read"}),
    ("{ apiKeys(first: 1) { nodes { name } } }", {"api_keys:read"}),
]  # fmt: skip


@pytest.mark.parametrize(("query", "scopes"), QUERIES)
async def test_query_requires_the_scopes_of_its_entities(
    graph: GraphClient, platform: Database, query: str, scopes: set[str]
) -> None:
    if "ticker(" in query:
        await tickers.write(graph.worker.redis, [TICKER])
    fully = await graph.as_(holding("read")).ask(query)
    assert not fully.errors
    assert await graph.as_(holding(*scopes)).ask(query) == fully
    others = {scope for scope in SCOPES if scope.endswith(":read")} - scopes
    refused = await graph.as_(holding(*others)).ask(query)
    assert "FORBIDDEN" in refused.codes


async def test_change_requires_the_scope_of_its_entity(graph: GraphClient, platform: Database) -> None:
    change = 'mutation { updateBot(input: {botId: 1, name: "renamed"}) { name } }'
    for scopes in ({"read", "orders:write"}, {"read"}, {"write"}, {"bots:write"}):
        refused = await graph.as_(holding(*scopes)).ask(change)
        assert refused.codes == ["FORBIDDEN"], scopes
    assert await graph.as_(holding("bots:read", "bots:write")).data(change) == {"updateBot": {"name": "renamed"}}


async def test_key_cannot_grant_more_than_it_has(graph: GraphClient, platform: Database) -> None:
    create = 'mutation ($s: [String!]!) { createApiKey(input: {name: "k", scopes: $s}) { apiKey { scopes } } }'
    own = graph.as_(holding("api_keys:read", "api_keys:write", "orders:read"))
    assert await own.data(create, s=["orders:read"]) == {"createApiKey": {"apiKey": {"scopes": ["orders:read"]}}}
    for scope in ("read", "orders:write", CONTROL):
        assert (await own.ask(create, s=[scope])).codes == ["FORBIDDEN"], scope
    session = graph.as_(principal(TRADER))
    assert (await session.ask(create, s=[CONTROL])).codes == ["FORBIDDEN"]
    assert (await session.ask(create, s=["nonsense:read"])).codes == ["BAD_USER_INPUT"]
    everything = [scope for scope in SCOPES if scope not in {Scope.ADMIN, CONTROL}]
    too_long = await session.ask(create, s=everything)
    assert too_long.codes == ["BAD_USER_INPUT"]


async def test_shared_subscription_checks_the_scopes_of_each_subscriber(graph: GraphClient, platform: Database) -> None:
    await tickers.write(graph.worker.redis, [TICKER])
    query = 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price } }'
    stream = graph.as_(principal(TRADER)).stream(query)
    assert (await anext(stream)).data
    refused = graph.as_(holding("orders:read")).stream(query)
    assert (await anext(refused)).codes == ["FORBIDDEN"]
    allowed = graph.as_(holding("tickers:read")).stream(query)
    assert (await anext(allowed)).data
    for each in (stream, refused, allowed):
        await each.aclose()


async def test_events_are_limited_by_scopes_below_their_root(graph: GraphClient, platform: Database) -> None:
    await tickers.write(graph.worker.redis, [TICKER])
    query = 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price instrument { base } } }'
    stream = graph.as_(holding("tickers:read")).stream(query)
    assert "FORBIDDEN" in (await anext(stream)).codes
    await stream.aclose()
