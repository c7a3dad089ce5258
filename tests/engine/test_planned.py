"""Plans give the same response as the reference: one named case for each feature of the planner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from fullon_graphql.auth.principal import Scope
from fullon_graphql.cache import accounts, tickers
from fullon_graphql.cache import keys as keys_of
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.trace import Trace
from tests.engine.operations import in_order
from tests.engine.planning import add_strangers, changes_settled
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER

BOT, ORDER = opaque_ids.encode("Bot", 2), opaque_ids.encode("Order", 7)

pytestmark = pytest.mark.usefixtures("platform")

CASES = {
    "statistics": "{ bots { nodes { name statistics { kind totalTrades winRate netProfit unpriced } dry: statistics(kind: DRY,"
    " days: 30, currency: \"BTC\") { kind currency closedTrades } } } users { nodes { summary { uid totalValue unpriced } } } }",
    "views": "{ botDashboard { totalBots openOrders } tradingOverview(exId: 20) { totalVolume successRate kind }"
    " performanceMetrics(kind: DRY, from: \"2020-01-01T00:00:00Z\") { sharpeRatio days unpriced } riskMetrics(capital: 5) {"
    " capital riskScore } userSummary { accountBalance dailyPnl pricesAsOf } portfolioStats(currency: \"BTC\") { totalAssets"
    " accountsWithoutBalance all: assetAllocation { __typename currency total price weight } } orderStatistics(botId: 2) {"
    " fillRate } tradeStatistics { expectancy } }",
    "results over time": "{ dailyResults(kind: DRY, groupBy: BOT, period: MONTH) { kind period currency unpriced groups { key"
    " name length time totalTrades netProfit } } curve: equityCurve(resolution: W1, from: \"2026-01-01T00:00:00Z\", to:"
    " \"2026-03-01T00:00:00Z\", capital: 5) { resolution length time closedTrades equity fees benchmarkReturn } }",
    "columns": "{ bots { nodes { botId name active dryRun timestamp uid } } }",
    "ids and type names": "{ __typename orders(first: 3) { __typename nodes { __typename id } } }",
    "to one": "{ orders(first: 50) { nodes { orderId side bot { name user { mail } } } } }",
    "to one that may be null": "{ symbols { nodes { symbol quote exchange { name } } } orders { nodes { account { name } } } }",
    "to many": "{ users { nodes { exchanges { name exId user { mail } catalog { name } } } } }",
    "through a table between": "{ bots { nodes { name exchanges { exId name exchangeName } } } }",
    "two columns": "{ orders(first: 2) { nodes { instrument { symbol exchange { name } } } } }",
    "nested pages": "{ bots { nodes { orders(first: 2) { edges { cursor node { orderId } } totalCount"
    " pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename } } } } }",
    "backward": "{ orders(last: 3) { nodes { orderId } pageInfo { hasNextPage hasPreviousPage startCursor } } }",
    "an empty page": "{ orders(first: 0) { nodes { orderId } edges { cursor } totalCount"
    " pageInfo { hasNextPage endCursor } } }",
    "a page of which nothing is asked": "{ bots { pageInfo { __typename } } orders { pageInfo { hasPreviousPage } } }",
    "only a count": "{ orders { totalCount } bots { nodes { orders { totalCount } } } }",
    "cursors of the change feed": "{ orders(first: 1) { c: cursor } trades { cursor nodes { tradeId } } bots { nodes {"
    " orders(first: 1) { cursor totalCount edges { cursor } } logs { __typename cursor } } } }",
    "aliases": "{ a: bots(first: 1) { nodes { x: name y: name } } b: bots(last: 1) { n: nodes { z: botId } } }",
    "fragments": "{ bots { ...page } } fragment page on BotConnection { nodes { ...bot ... on Node { id } } }"
    " fragment bot on Bot { name ... { botId } orders(first: 1) { nodes { orderId } } orders(first: 1) { nodes { side } } }",
    "by key": "{ bot(botId: 2) { name } order(orderId: 3) { side } user(uid: 2) { mail } me { uid mail isAdmin } }",
    "by name": "{ symbol(exchange: \"bitmex\", symbol: \"BTC/USD:BTC\") { symbolId exchangeName futures } }",
    "a plain list": "{ catExchanges { name symbols { totalCount nodes { symbol } } tickers { symbol price } } }",
    "prices in rows": "{ orders(first: 9) { nodes { orderId ticker { symbol price bid spread time exchange } } } }",
    "fields from elsewhere between others": "{ users { nodes { isAdmin mail exchanges { positions { unrealizedPnl symbol"
    " marketPrice side } balances { total } name } uid } } tickers(exchange: \"kraken\") { instrument { base } symbol } }",
    "balances and positions": "{ users { nodes { exchanges { balances { currency total free used updatedAt }"
    " positions { symbol side volume cost price fee timestamp marketPrice unrealizedPnl } } } } }",
    "tickers": "{ tickers(exchange: \"kraken\") { symbol price time } ticker(exchange: \"kraken\", symbol: \"GOLD\") { price }"
    " none: ticker(exchange: \"x\", symbol: \"y\") { price } }",
    "from prices to instruments": "{ tickers(exchange: \"kraken\") { symbol instrument { symbolId exchange { name } ticker { price } } }"
    " orders(first: 2) { nodes { ticker { instrument { base } } } } }",
    "a node": f"{{ node(id: \"{BOT}\") {{ __typename id ... on Bot {{ name orders(first: 1) {{ totalCount }} }}"
    " ... on Order { side } } }",
    "nodes": f"{{ nodes(ids: [\"{ORDER}\", \"{BOT}\", \"{ORDER}\"]) {{ id ... on Order {{ side ticker {{ price }} }}"
    " ... on Bot { name user { mail } } } }",
    "entities": f"{{ _entities(representations: [{{__typename: \"Order\", id: \"{ORDER}\"}}, {{__typename: \"Bot\", id: \"{BOT}\"}}])"
    " { __typename ... on Order { volume } ... on Bot { botId } } }",
    "a filter": "{ orders(filter: {status: {eq: \"open\"}, orderId: {gte: 3, lt: 30}}) { totalCount nodes { orderId } } }",
    "a filter on values stored in any letter case": "{ orders(filter: {side: {eq: BUY}}) { totalCount }"
    " sold: orders(filter: {side: {in: [SELL]}}) { totalCount } none: orders(filter: {side: {in: []}}) { totalCount } }",
    "filters combined": "{ orders(first: 9, filter: {or: [{orderId: {in: [3, 4, 5]}}, {not: {symbol: {like: \"B%\"}}}, {and: ["
    "{price: {isNull: true}}, {}]}, {timestamp: {lt: \"2001-01-01T00:00:00+02:00\"}}]}) { totalCount nodes { orderId } } }",
    "filters of every kind": "{ bots(filter: {active: {eq: false}, dryRun: {ne: true}, name: {ne: \"x\", like: \"bot %\"},"
    " timestamp: {gt: \"2001-01-01T00:00:00Z\"}}) { nodes { name } } orders(filter: {volume: {eq: 1.5, in: [1.5, 2]},"
    " futures: {ne: true}, finalVolume: {isNull: true}}) { totalCount } }",
    "orders": "{ orders(first: 5, orderBy: [{field: STATUS}, {field: PRICE, direction: DESC}, {field: SIDE, direction: DESC}])"
    " { edges { cursor node { orderId } } pageInfo { startCursor endCursor hasNextPage } } }",
    "orders backward": "{ orders(last: 5, orderBy: [{field: FINAL_VOLUME}, {field: TIMESTAMP, direction: DESC}])"
    " { edges { cursor node { orderId } } pageInfo { startCursor endCursor hasPreviousPage } } }",
    "the order by key, explicit and reversed": "{ a: bots(orderBy: [{field: BOT_ID}]) { edges { cursor } }"
    " b: bots(orderBy: [{field: BOT_ID, direction: DESC}, {field: NAME}]) { nodes { name } edges { cursor } } }",
    "filters and orders under each parent": "{ bots(orderBy: [{field: NAME, direction: DESC}]) { nodes { name"
    " orders(first: 2, filter: {orderId: {gt: 9}}, orderBy: [{field: PRICE}, {field: ORDER_ID, direction: DESC}])"
    " { totalCount edges { cursor node { orderId } } pageInfo { hasNextPage } } } } }",
    "by computed values": "{ symbols(filter: {exchangeName: {eq: \"kraken\"}}, orderBy: [{field: EXCHANGE_NAME}, {field: QUOTE}])"
    " { edges { cursor node { symbol } } } catExchanges { symbols(filter: {exchangeName: {like: \"k%\"}}) { totalCount } } }",
    "objects without fields": "{ bots(first: 2) { nodes { name @skip(if: true) } } orders(first: 2) { nodes @skip(if: true) { side }"
    " edges { node @skip(if: true) { side } } } bot(botId: 1) { name @include(if: false) orders { totalCount @skip(if: true) } } }",
    "bad filters": "{ orders(filter: {status: {eq: null}}) { totalCount } }",
    "bad patterns": "{ orders(filter: {status: {like: \"x\\\\\"}}) { totalCount } }",
    "a foreign row": "{ bot(botId: 6) { name } }",
    "no row": "{ order(orderId: 999999) { side } }",
    "some of several rows": f'{{ nodes(ids: ["{opaque_ids.encode("Order", 1)}", "{opaque_ids.encode("Bot", 6)}", "x"]) {{ id }} }}',
    "no symbol": '{ symbol(exchange: "kraken", symbol: "none") { base } }',
    "a row that is promised and gone": "{ orders(last: 1) { nodes { orderId user { mail } } } }",
    "a row that is promised and gone, by key": "{ order(orderId: 72) { volume user { mail } } }",
    "bad arguments": "{ orders(first: -1) { totalCount } }",
    "a bad cursor": "{ orders(after: \"bad\") { totalCount } }",
    "a key out of range": "{ order(orderId: 2147483647) { side } bots(first: 1) { nodes { name } } }",
    "rows of other users": "{ orders(last: 5) { nodes { orderId bot { name } account { name } user { mail } } } bots { nodes {"
    " exchanges { name } orders(last: 2) { totalCount nodes { orderId } } } } }",
    "trades and their orders": "{ orders(first: 9) { nodes { exOrderId trades { tradeId exchange side order { orderId bot { name } }"
    " account { name } instrument { symbol } user { mail } ticker { price } } } } trades(last: 2) { nodes { exchange order { orderId }"
    " instrument { base } ticker { price } account { exId } } } }",
    "simulated trades": "{ bots { nodes { dryTrades(first: 2) { totalCount nodes { tradeId closingtrade exchange bot { name }"
    " instrument { symbolId } user { uid } account { name } } } } } }",
    "strategies": "{ bots { nodes { name strategies { strId takeProfit feedCount pairs params { id name value } catalog { name params"
    " { id value } strategies { totalCount } } feeds { feedId order symbol { symbol } bot { name } strategy { strId } } } feeds { period } } }"
    " strategies { nodes { strId bot { name } } } catStrategies { nodes { name pairs } } }",
    "simulations": "{ bots { nodes { simulations { num name json bot { botId } } } } simulations { totalCount } }",
    "API keys": "{ users { nodes { apiKeys { apiKeyId name scopes isActive expiresAt createdAt user { uid } } } } }",
    "sessions": "{ sessions(filter: {active: {eq: true}}, orderBy: [{field: CREATED_AT}]) { totalCount edges { cursor node { id"
    " sessionId uid active current expiresAt revokedAt userAgent user { mail } } } pageInfo { endCursor } } }",
    "settings of exchanges": "{ catExchanges { params { id name value exchange { name } } accounts { nodes { name } } } }",
    "relations of accounts": "{ exchanges { nodes { name bots { name } orders(first: 2) { totalCount nodes { orderId } }"
    " trades(last: 1) { nodes { tradeId } } dryTrades { totalCount } } } }",
    "relations of instruments": "{ symbols { nodes { symbol orders(first: 1) { totalCount } feeds { nodes { feedId } } } } }",
    "logs": "{ bots { nodes { logs(first: 2) { totalCount nodes { id message position timestamp feedNum exchange bot { name }"
    " account { name } instrument { symbol } ticker { price } } edges { cursor } pageInfo { endCursor hasNextPage } } } }"
    " botLogs(last: 4) { totalCount nodes { message } } }",
    "histories": "{ exchanges { nodes { history { totalCount edges { cursor node { id balance currency comment timestamp } } } } }"
    " exchangeHistory(first: 3) { totalCount nodes { account { name } user { mail } } pageInfo { endCursor } } }",
    "status of bots": "{ bots { nodes { name status { feedNum status performance data timestamp } blocks { symbol account { name }"
    " instrument { base } } openings { since bot { name } } } } }",
    "live orders and claims": "{ exchanges { nodes { liveOrders { exOrderId status timestamp order { orderId bot { name } } }"
    " blocks { botId bot { name } } openings { symbol account { exId } } } } }",
    "anonymous": "{ services { name } }",
}  # fmt: skip


async def answers(
    graph: GraphClient, request: Request, planning: OperationExecutor | None = None
) -> tuple[Trace, Any, Any]:
    """The trace and the response of the planned execution, and the response of the reference."""
    schema, trace, found = graph.graph.core, Trace(), []
    for operations, into in (
        (planning or OperationExecutor(schema), trace),
        (OperationExecutor(schema, planning=False), Trace()),
    ):
        context = Context(graph.worker, caller=graph.caller, request_id="same")
        response = await operations.run(request, context, into)
        found.append(comparable(orjson.loads(response.body)))
    planned, reference = found
    return trace, planned, reference


def comparable(body: Any) -> Any:
    """The body with sorted errors; the order of several errors is not defined."""
    return in_order(body.get("data")), sorted(body.get("errors", []), key=str)


@pytest.fixture
async def live(platform: Database, redis: Redis) -> None:
    """Live data in Redis, and rows that reference rows of other users."""
    await add_strangers(platform)
    await changes_settled(platform)
    await tickers.write(
        redis, [Ticker("kraken", "BTC/USD", 101, 10, bid=100.5, ask=101.25), Ticker("kraken", "GOLD", 7, 1)]
    )
    await accounts.write(
        redis,
        {20: [Balance(20, "USD", 10, 7, 3)], 30: []},
        {20: [Position(20, "BTC/USD", -2, 200, 100), Position(20, "other", 0, 0, 0)]},
    )
    await redis.hset(keys_of.BOT_STATUS, mapping={"1": '{"0": {"status": "calm", "pnl": 1.5}}', "2": "{", "6": "{}"})
    await redis.hset(keys_of.BLOCKED_EXCHANGES, mapping={"20:BTC/USD": "1", "21:BTC/USD:BTC": "6", "99:X": "2"})
    await redis.hset(keys_of.OPENING_POSITIONS, "20:GOLD", "2:2026-01-01T12:00:00+00:00")
    await redis.hset(keys_of.order_status(20), mapping={"O1": '{"status": "open"}', "new": '{"volume": NaN}'})
    await redis.hset(keys_of.order_status("kraken"), mapping={"O2": '{"ex_id": 20}', "O3": '{"ex_id": 30}'})


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("query", CASES.values(), ids=CASES.keys())
async def test_plan_and_reference_give_the_same_response(graph: GraphClient, query: str) -> None:
    for caller in (principal(TRADER), principal(OTHER), principal(ADMIN, admin=True)):
        _, planned, reference = await answers(graph.as_(caller), Request(query))
        assert planned == reference, caller.mail


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    "name",
    [name for name in CASES if not name.startswith(("a row that", "bad", "a bad", "anonymous"))],
)
async def test_case_is_executed_by_a_plan(graph: GraphClient, name: str) -> None:
    trace, _, _ = await answers(graph.as_(principal(TRADER)), Request(CASES[name]))
    assert trace.reason is None


VARIABLES: list[dict[str, Any]] = [
    {}, {"first": 2}, {"first": 2, "more": True}, {"last": 3, "more": False}, {"first": None}, {"first": 1001},
    {"first": "two"}, {"more": None},
]  # fmt: skip


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
async def test_variables_and_conditions_have_the_same_effect_in_both_executions(
    graph: GraphClient, variables: dict[str, Any]
) -> None:
    query = """query ($first: Int, $last: Int, $more: Boolean! = true) {
        bots(first: $first, last: $last) { nodes { name @include(if: $more) botId @skip(if: $more)
          orders(first: $first) @include(if: $more) { totalCount } ... @skip(if: $more) { id } } } }"""
    _, planned, reference = await answers(graph.as_(principal(TRADER)), Request(query, variables=variables))
    assert planned == reference


CLASSES = [
    principal(TRADER),
    principal(ADMIN, admin=True),
    replace(principal(ADMIN, admin=True), scopes=frozenset({Scope.READ})),
    replace(principal(TRADER), scopes=frozenset({Scope.WRITE})),
    principal(OTHER),
]


REMEMBERED = {
    "lists": """query ($first: Int, $after: String, $last: Int, $before: String) {
        bots { nodes { name user { mail } orders(first: $first, after: $after, last: $last, before: $before) {
          nodes { orderId bot { name } ticker { price } } pageInfo { hasNextPage hasPreviousPage } } } }
        orders(first: $first, after: $after, last: $last, before: $before) { totalCount edges { cursor } }
        users { nodes { mail } } }""",
    "by key": "query ($id: Int!) { bot(botId: $id) { name user { mail } } }",
    "by id": "query ($node: ID!) { node(id: $node) { __typename ... on Bot { name user { mail } } } }",
    "no ids": "{ nodes(ids: []) { id } _entities(representations: []) { __typename } }",
    "conditions": "query ($more: Boolean!) { bots { nodes { name @include(if: $more) botId @skip(if: $more) } } }",
    "by keys": """{ tickers(exchange: "kraken") { instrument { base exchange { name } } } }""",
}


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("query", REMEMBERED.values(), ids=REMEMBERED.keys())
async def test_remembered_plans_never_serve_another_caller_or_page(graph: GraphClient, query: str) -> None:
    """One document for callers of every class and pages of every shape in turn."""
    place = opaque_ids.encode("after", "Order", 17)
    pages: list[dict[str, Any]] = [
        {}, {"first": 2}, {"last": 2}, {"first": 2, "after": place}, {"last": 2, "before": place},
        {"first": 3, "after": place, "before": opaque_ids.encode("after", "Order", 30)}, {"first": 2},
    ]  # fmt: skip
    planning, planned_for = OperationExecutor(graph.graph.core), set()
    for page in pages:
        for bot in (2, 6):
            for caller in CLASSES:
                variables = page | {"id": bot, "node": opaque_ids.encode("Bot", bot), "more": bot == 2}
                request = Request(query, variables=variables)
                trace, planned, reference = await answers(graph.as_(caller), request, planning)
                assert planned == reference, (variables, caller)
                planned_for |= set() if trace.reason else {caller}
    assert planned_for >= {CLASSES[0], CLASSES[1], CLASSES[4]}
