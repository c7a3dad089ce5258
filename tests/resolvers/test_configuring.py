"""Mutations of exchange accounts, strategies, feeds, simulated trades and the catalogue."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Feed, StrategyParam
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, TRADER

pytestmark = pytest.mark.usefixtures("platform")


@pytest.fixture
def trader(graph: GraphClient) -> GraphClient:
    return graph.as_(principal(TRADER))


@pytest.fixture
def admin(graph: GraphClient) -> GraphClient:
    return graph.as_(principal(ADMIN, admin=True))


@pytest.mark.parametrize(
    "change",
    [
        'updateExchange(input: {exId: 30, name: "mine"}) { exId }',
        "deleteExchange(exId: 30)",
        "createStrategy(input: {botId: 6, catStrId: 1}) { strId }",
        "createStrategy(input: {botId: 1, catStrId: 99}) { strId }",
        "updateStrategy(input: {strId: 61, leverage: 2}) { strId }",
        "setStrategyParams(strId: 61, params: []) { strId }",
        "deleteStrategy(strId: 61)",
        "deleteStrategy(strId: 99)",
        'createFeed(input: {strId: 61, symbolId: 1, period: "Days"}) { feedId }',
        "updateFeed(input: {feedId: 61, compression: 2}) { feedId }",
        "deleteFeed(feedId: 61)",
        'createDryTrade(input: {botId: 6, exId: 30, symbol: "BTC/USD", side: BUY, volume: 1, price: 1}) { tradeId }',
        'createDryTrade(input: {botId: 1, exId: 30, symbol: "BTC/USD", side: BUY, volume: 1, price: 1}) { tradeId }',
    ],
)
async def test_mutations_of_foreign_rows_are_not_found(trader: GraphClient, database: Database, change: str) -> None:
    assert (await trader.ask("mutation { " + change + " }")).codes == ["NOT_FOUND"]
    assert await database.row(select(func.count()).select_from(AuditEntry)) == (0,)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("catExId", 'createExchange(input: {catExId: 99, name: "x"}) { exId }'),
        ("name", 'createExchange(input: {catExId: 1, name: " "}) { exId }'),
        ("leverage", "updateStrategy(input: {strId: 1, leverage: 0}) { strId }"),
        ("sizeCurrency", 'updateStrategy(input: {strId: 1, sizeCurrency: "DOLLAR"}) { strId }'),
        ("preLoadBars", "updateStrategy(input: {strId: 1, preLoadBars: 40000}) { strId }"),
        ("name", 'setStrategyParams(strId: 1, params: [{name: "", value: "1"}]) { strId }'),
        ("params", 'setStrategyParams(strId: 1, params: [{name: "a", value: "1"}, {name: "a", value: "2"}]) { strId }'),
        ("symbolId", 'createFeed(input: {strId: 1, symbolId: 99, period: "Days"}) { feedId }'),
        ("period", 'createFeed(input: {strId: 1, symbolId: 1, period: ""}) { feedId }'),
        ("compression", "updateFeed(input: {feedId: 1, compression: 0}) { feedId }"),
        (
            "symbol",
            'createDryTrade(input: {botId: 1, exId: 20, symbol: "X", side: BUY, volume: 1, price: 1}) { tradeId }',
        ),
        (
            "volume",
            'createDryTrade(input: {botId: 1, exId: 20, symbol: "GOLD", side: BUY, volume: 0, price: 1}) { tradeId }',
        ),
        (
            "cost",
            'createDryTrade(input: {botId: 1, exId: 20, symbol: "GOLD", side: BUY, volume: 1e10, price: 1e10}) { tradeId }',
        ),
    ],
)
async def test_invalid_input_is_bad_user_input_with_field(trader: GraphClient, field: str, change: str) -> None:
    refused = await trader.ask("mutation { " + change + " }")
    assert refused.codes == ["BAD_USER_INPUT"]
    assert refused.errors[0]["extensions"]["field"] == field


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("name", 'createCatExchange(name: "Kraken") { catExId }'),
        ("base", 'createSymbol(input: {catExId: 1, symbol: "A/B", base: "TOOLONG"}) { symbolId }'),
        ("decimals", "updateSymbol(input: {symbolId: 1, decimals: -1}) { symbolId }"),
        ("mail", 'createUser(input: {mail: "nobody", password: "p"}) { uid }'),
        ("password", 'createUser(input: {mail: "a@b", password: ""}) { uid }'),
        ("phone", 'updateUser(input: {uid: 2, phone: "0123456789012"}) { uid }'),
    ],
)
async def test_invalid_administrative_input_is_bad_user_input(admin: GraphClient, field: str, change: str) -> None:
    refused = await admin.ask("mutation { " + change + " }")
    assert refused.codes == ["BAD_USER_INPUT"]
    assert refused.errors[0]["extensions"]["field"] == field


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ('createUser(input: {mail: "user2@fullon", password: "p"}) { uid }', "There is an account with this mail"),
        ('createCatExchange(name: "kraken") { catExId }', "There is an exchange of this name"),
        ('createSymbol(input: {catExId: 1, symbol: "GOLD", base: "X"}) { symbolId }', "This exchange has a symbol"),
        ('createSymbol(input: {catExId: 1, symbol: "btc-usd", base: "BTC"}) { symbolId }', "The symbol 'BTC/USD'"),
        ('updateSymbol(input: {symbolId: 3, symbol: "BTC:USD"}) { symbolId }', "The symbol 'BTC/USD'"),
        ('updateCatStrategy(input: {catStrId: 1, name: "llm"}) { catStrId }', "There is a strategy template"),
        ('updateExchange(input: {exId: 20, name: "main"}) { exId }', None),
        ('createExchange(input: {catExId: 1, name: "main"}) { exId }', None),
        ("deleteCatStrategy(catStrId: 1)", "It cannot be deleted: strategies use it."),
    ],
)
async def test_conflict_names_its_reason(admin: GraphClient, change: str, sentence: str | None) -> None:
    answer = await admin.ask("mutation { " + change + " }")
    if sentence is None:
        assert answer.codes == []
    else:
        assert answer.codes == ["CONFLICT"]
        assert answer.errors[0]["message"].startswith(sentence)


async def test_create_strategy_copies_the_template(trader: GraphClient, admin: GraphClient) -> None:
    await admin.data("mutation { updateCatStrategy(input: {catStrId: 1, takeProfit: 3, stopLoss: 2}) { catStrId } }")
    made = await trader.data(
        """mutation { createStrategy(input: {
             botId: 2, catStrId: 1, stopLoss: 1, params: [{name: "rsi_upper", value: "70"}, {name: "own", value: "1"}]
           }) { takeProfit stopLoss leverage pairs feedCount preLoadBars params { name value } bot { botId } } }"""
    )
    assert made["createStrategy"] == {
        "takeProfit": 3, "stopLoss": 1, "leverage": 1, "pairs": True, "feedCount": 2, "preLoadBars": 200,
        "params": [
            {"name": "own", "value": "1"}, {"name": "rsi_lower", "value": "40"}, {"name": "rsi_upper", "value": "70"},
        ],
        "bot": {"botId": 2},
    }  # fmt: skip


async def test_set_params_replaces_all_and_writes_one_audit_entry(trader: GraphClient, database: Database) -> None:
    await trader.data('mutation { setStrategyParams(strId: 1, params: [{name: "rsi_upper", value: "1"}]) { strId } }')
    left = await database.rows(select(StrategyParam.name, StrategyParam.value).where(StrategyParam.str_id == 1))
    assert [tuple(row) for row in left] == [("rsi_upper", "1")]
    entry = await database.row(select(AuditEntry))
    assert entry is not None
    assert (entry.entity, entry.key) == ("Strategy", "1")
    assert {param["name"]: param["value"] for param in entry.before["StrategyParam"]} == {
        "rsi_upper": "65", "prompt": 'buy "low"',
    }  # fmt: skip
    assert [param["value"] for param in entry.after["StrategyParam"]] == ["1"]


async def test_null_clears_nullable_fields(trader: GraphClient) -> None:
    change = "mutation { updateStrategy(input: {strId: 1, takeProfit: null, leverage: null}) { takeProfit leverage } }"
    assert (await trader.data(change))["updateStrategy"] == {"takeProfit": None, "leverage": 1}


async def test_delete_strategy_deletes_its_feeds(trader: GraphClient, database: Database) -> None:
    await trader.data("mutation { deleteStrategy(strId: 1) }")
    assert await database.row(select(func.count()).select_from(Feed).where(Feed.str_id == 1)) == (0,)


async def test_create_dry_trade_computes_cost(trader: GraphClient) -> None:
    made = await trader.data(
        """mutation { createDryTrade(input: {
             botId: 1, exId: 20, symbol: "GOLD", side: SELL, volume: 0.5, price: 100, fee: 0.1, roi: -2, closingtrade: true
           }) { uid side cost fee roi reason closingtrade } }"""
    )
    assert made["createDryTrade"] == {
        "uid": TRADER, "side": "SELL", "cost": 50, "fee": 0.1, "roi": -2, "reason": None, "closingtrade": True,
    }  # fmt: skip


async def test_audit_log_requires_admin(trader: GraphClient, admin: GraphClient) -> None:
    await trader.data('mutation { createBot(input: {name: "grid"}) { botId } }')
    log = "{ auditLog(last: 1, filter: {uid: {eq: 2}}) { totalCount nodes { seq uid operation entity before after hash } } }"
    page = (await admin.data(log))["auditLog"]
    [entry] = page["nodes"]
    assert (page["totalCount"], entry["seq"], entry["operation"], entry["entity"]) == (1, 1, "createBot", "Bot")
    assert (entry["before"], entry["after"]["name"]) == (None, "grid")
    assert (await trader.ask(log)).codes == ["FORBIDDEN"]


@pytest.mark.parametrize(("volume", "price"), [("1e308", "1"), ("1e16", "1"), ("1e10", "1e10")])
async def test_numbers_and_products_of_an_order_are_bounded(trader: GraphClient, volume: str, price: str) -> None:
    values = f'botId: 1, exId: 20, symbol: "BTC/USD", side: BUY, orderType: "limit", volume: {volume}, price: {price}'
    answer = await trader.ask(f"mutation {{ createOrder(input: {{{values}}}) {{ orderId }} }}")
    assert answer.errors[0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "volume"}
