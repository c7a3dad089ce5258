"""The thirds of the graph that `serve --subgraph` serves to federated gateways."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from graphql import (
    FieldDefinitionNode,
    ObjectTypeDefinitionNode,
    build_schema,
    is_required_argument,
    parse,
    print_ast,
)

from fullon_graphql.auth.principal import Anonymous, Principal, Scope, sufficient_scopes
from fullon_graphql.cache import tickers
from fullon_graphql.config import Subgraph
from fullon_graphql.database import Database
from fullon_graphql.engine.lists.opaque_ids import encode
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.graph import ENTITIES, Graph, make_graph
from fullon_graphql.services.access import CONTROL, SCOPES
from fullon_graphql.streaming.registry import StreamRegistry
from tests.conftest import Count
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, TRADER
from tests.services.test_scopes import TICKER

FEDERATION = {"_entities", "_service"}
ENTITY_NAMES = {entity.__name__ for entity in ENTITIES}
DIVIDED = {"Query", "Mutation", "Subscription", *ENTITY_NAMES}


@pytest.fixture(params=list(Subgraph))
def subgraph(request: pytest.FixtureRequest) -> Graph:
    return make_graph(request.param)


def objects(graph: Graph) -> dict[str, ObjectTypeDefinitionNode]:
    definitions = parse(graph.as_str()).definitions
    return {node.name.value: node for node in definitions if isinstance(node, ObjectTypeDefinitionNode)}


def fields(graph: Graph) -> Iterator[tuple[str, FieldDefinitionNode]]:
    for name, type_ in objects(graph).items():
        for field in type_.fields or ():
            yield f"{name}.{field.name.value}", field


def guard(field: FieldDefinitionNode) -> str:
    """The directives that a gateway checks before it asks for the field."""
    directives = [node for node in field.directives or () if node.name.value in {"authenticated", "requiresScopes"}]
    return " ".join(map(print_ast, directives))


def test_each_field_is_in_one_subgraph(schema: Graph) -> None:
    whole = {name: print_ast(field.type) for name, field in fields(schema)}
    found = [(name, print_ast(field.type)) for part in Subgraph for name, field in fields(make_graph(part))]
    assert dict(found) == whole
    shared = {name for name, number in Counter(name for name, _ in found).items() if number > 1}
    assert shared == {"Query._entities", "Query._service", "_Service.sdl"} | {f"{name}.id" for name in ENTITY_NAMES & (
        make_graph(Subgraph.CACHE).core.type_map.keys() | make_graph(Subgraph.OHLCV).core.type_map.keys()
    )}  # fmt: skip


def test_fields_are_in_the_subgraph_of_their_values() -> None:
    parts = {part: {name for name, _ in fields(make_graph(part))} for part in Subgraph}
    assert {"Query.orders", "Order.bot", "Bot.statistics", "Mutation.login", "Subscription.orders"} <= parts[
        Subgraph.ORM
    ]
    assert {"Query.candles", "Symbol.candleColumns", "Subscription.candles"} <= parts[Subgraph.OHLCV]
    assert {"Query.ticker", "Order.ticker", "Exchange.balances", "Mutation.stopService"} <= parts[Subgraph.CACHE]
    assert make_graph(Subgraph.OHLCV).core.mutation_type is None


def test_subgraph_is_a_valid_schema_that_links_what_it_uses(subgraph: Graph) -> None:
    sdl = subgraph.as_str()
    assert 'url: "https://specs.apollo.dev/federation/v2.9"' in sdl
    used = {directive for directive in ("@cost", "@listSize", "@key", "@authenticated", "@requiresScopes")
            if directive in sdl.partition("{")[2]}  # fmt: skip
    [link] = [line for line in sdl.splitlines() if "@link" in line]
    assert {directive for directive in used if f'"{directive}"' in link} == used
    build_schema(sdl, assume_valid_sdl=True)


async def test_service_sdl_is_that_of_the_subgraph(serving: Serving) -> None:
    assert (await serving(Subgraph.CACHE).data("{ _service { sdl } }"))["_service"]["sdl"] == make_graph(
        Subgraph.CACHE
    ).as_str()


def test_entities_without_own_fields_are_references(subgraph: Graph) -> None:
    for name, type_ in objects(subgraph).items():
        if name in ENTITY_NAMES:
            alone = [field.name.value for field in type_.fields or ()] == ["id"]
            expected = '@key(fields: "id", resolvable: false)' if alone else '@key(fields: "id")'
            assert [print_ast(directive) for directive in type_.directives or ()] == [expected]


def test_only_subgraphs_declare_access(schema: Graph) -> None:
    assert not any(guard(field) for _, field in fields(schema))


def test_every_root_field_but_the_sign_in_is_guarded(subgraph: Graph) -> None:
    free = {
        name for name, field in fields(subgraph) if name.split(".")[0] in DIVIDED - ENTITY_NAMES and not guard(field)
    }
    assert free - {"Query._entities", "Query._service"} == (
        {"Mutation.login", "Mutation.refreshToken"} if "Mutation.login" in dict(fields(subgraph)) else set()
    )
    assert "AuthPayload.user" not in {name for name, field in fields(subgraph) if guard(field)}


def test_guards_name_the_scopes_of_the_services() -> None:
    guards = {name: guard(field) for part in Subgraph for name, field in fields(make_graph(part))}
    assert guards["Query.orders"] == guards["Bot.orders"] == '@requiresScopes(scopes: [["orders:read"], ["read"]])'
    assert guards["Mutation.createOrder"] == '@requiresScopes(scopes: [["orders:write"], ["write"]])'
    assert guards["Mutation.stopService"] == '@requiresScopes(scopes: [["services:control"], ["write", "admin"]])'
    assert guards["Order.ticker"] == '@requiresScopes(scopes: [["tickers:read"], ["read"]])'
    assert guards["Query.auditLog"] == '@requiresScopes(scopes: [["admin"]])'
    assert guards["Query.portfolioStats"] == "@authenticated"


def test_sufficient_scopes_are_those_that_allow() -> None:
    for held in (
        set(some)
        for number in range(4)
        for some in combinations(["read", "write", "admin", CONTROL, "orders:read"], number)
    ):
        caller = replace(principal(TRADER), scopes=frozenset(held))
        for scope in SCOPES:
            assert caller.allows(scope) == any(held.issuperset(each) for each in sufficient_scopes(scope)), (
                held,
                scope,
            )


def guarded_queries() -> Iterator[tuple[str, list[list[str]]]]:
    for part in Subgraph:
        for name, field in fields(make_graph(part)):
            root, _, field_name = name.partition(".")
            if root == "Query" and (scopes := re.search(r"@requiresScopes\(scopes: (.*)\)", guard(field))):
                yield field_name, json.loads(scopes[1])


async def test_what_a_guard_refuses_the_server_refuses(graph: GraphClient) -> None:
    query = make_graph().core.query_type
    assert query is not None
    asked = 0
    for name, sufficient in guarded_queries():
        field = query.fields[name]
        if any(map(is_required_argument, field.args.values())):
            continue
        others = frozenset(SCOPES) - {scope for each in sufficient for scope in each} - {Scope.READ, Scope.ADMIN}
        caller = Principal(ADMIN, "admin@fullon", True, "api_key:1", None, others)
        answer = await graph.as_(caller).ask(f"{{ {name} {{ __typename }} }}")
        assert "FORBIDDEN" in answer.codes, name
        asked += 1
    assert asked > 10


Serving = Callable[[Subgraph], GraphClient]


@pytest.fixture
def serving(graph: GraphClient, platform: Database) -> Serving:
    def serve(part: Subgraph) -> GraphClient:
        operations = OperationExecutor(make_graph(part).core)
        streams = StreamRegistry(operations, graph.worker.settings.stream_memory_bytes)
        made = replace(graph, graph=make_graph(part), operations=operations, streams=streams)
        return made.as_(principal(TRADER))

    return serve


TICKERS = """query ($of: [_Any!]!) {
  _entities(representations: $of) { ... on Order { ticker { price } } ... on Symbol { ticker { price } } }
}"""


def represented(name: str, *keys: int) -> list[dict[str, str]]:
    return [{"__typename": name, "id": encode(name, key)} for key in keys]


async def test_representations_of_a_subgraph_take_one_statement_per_type(serving: Serving, statements: Count) -> None:
    cache = serving(Subgraph.CACHE)
    await tickers.write(cache.worker.redis, [TICKER])
    of: Any = [*represented("Order", 1, 1), *represented("Symbol", 1, 1, 3)] * 3
    with statements() as sql:
        data = await cache.data(TICKERS, of=of)
    priced = {"ticker": {"price": 100.0}}
    assert data["_entities"] == [priced, priced, priced, priced, {"ticker": None}] * 3
    assert len(sql) == 2


async def test_rows_of_others_are_null(serving: Serving) -> None:
    data = await serving(Subgraph.CACHE).data(
        "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Exchange { id balances { currency } } } }",
        of=represented("Exchange", 1, 999),
    )
    assert data["_entities"][1] is None


async def test_representation_of_an_entity_of_another_subgraph_is_bad_user_input(serving: Serving) -> None:
    ohlcv = serving(Subgraph.OHLCV)
    query = "query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }"
    answer = await ohlcv.ask(query, of=[*represented("Bot", 1), *represented("Symbol", 1)])
    assert answer.data == {"_entities": [None, {"__typename": "Symbol"}]}
    assert answer.codes == ["BAD_USER_INPUT"]
    assert (await ohlcv.as_(Anonymous()).ask(query, of=represented("Symbol", 1))).codes == ["UNAUTHENTICATED"]


async def test_subgraph_takes_more_representations_than_a_page_has_rows(serving: Serving) -> None:
    of = represented("Symbol", *range(1, 2001))
    data = await serving(Subgraph.CACHE).data(TICKERS, of=of)
    assert len(data["_entities"]) == 2000
    answer = await serving(Subgraph.CACHE).ask(TICKERS, of=represented("Symbol", *[1] * 3001))
    assert answer.codes == ["BAD_USER_INPUT"]
