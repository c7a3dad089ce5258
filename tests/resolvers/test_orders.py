"""Queries and mutations of orders."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Exchange, Order, SymbolStep
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import OTHER, TRADER, add

pytestmark = pytest.mark.usefixtures("platform")


async def test_order_relations_return_its_rows(graph: GraphClient) -> None:
    data = await graph.as_(principal(TRADER)).data(
        """{ order(orderId: 7) { side volume status timestamp
             bot { botId name } user { mail } account { name catalog { name } }
             instrument { symbol base exchange { name } } } }"""
    )
    order = data["order"]
    assert order["side"] == "BUY"
    assert order["timestamp"].endswith("+00:00")
    assert order["bot"] == {"botId": 3, "name": "bot 3"}
    assert order["user"] == {"mail": "user2@fullon"}
    assert order["account"] == {"name": "main", "catalog": {"name": "kraken"}}
    assert order["instrument"] == {"symbol": "BTC/USD", "base": "BTC", "exchange": {"name": "kraken"}}


@pytest.mark.parametrize("order_id", [41, 99, -1, 2**31 - 1])
async def test_foreign_and_absent_orders_are_null_without_an_error(graph: GraphClient, order_id: int) -> None:
    trader = graph.as_(principal(TRADER))
    assert await trader.data("query ($id: Int!) { order(orderId: $id) { orderId } }", id=order_id) == {"order": None}


async def test_orders_contain_visible_rows_only(graph: GraphClient) -> None:
    query = "{ orders(first: 1000) { totalCount nodes { orderId } } }"
    own = await graph.as_(principal(OTHER)).data(query)
    assert [node["orderId"] for node in own["orders"]["nodes"]] == [41, 42, 43, 44, 45]
    everything = await graph.as_(principal(1, admin=True)).data(query)
    assert everything["orders"]["totalCount"] == 45


GOOD = {
    "botId": 1, "exId": 20, "symbol": "BTC/USD", "side": "BUY", "orderType": "limit", "volume": 0.5, "price": 60000.0,
}  # fmt: skip
CREATE = """mutation ($order: CreateOrderInput!) { createOrder(input: $order) {
  orderId uid botId exId catExId exchange symbol side orderType volume price plimit status reason futures
  bot { name } instrument { base } account { name } trades: finalVolume } }"""


async def test_create_order_completes_the_row(graph: GraphClient, database: Database) -> None:
    answer = await graph.as_(principal(TRADER)).data(CREATE, order=GOOD)
    order = answer["createOrder"]
    assert order.pop("orderId") > 1000
    assert order == GOOD | {
        "uid": TRADER, "catExId": 1, "exchange": "kraken", "plimit": None, "status": "New", "reason": "",
        "futures": False, "bot": {"name": "bot 1"}, "instrument": {"base": "BTC"}, "account": {"name": "main"},
        "trades": None,
    }  # fmt: skip
    assert await database.row(select(Order.side).where(Order.order_id > 1000)) == ("buy",)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("volume", {"volume": 0}),
        ("volume", {"volume": -1}),
        ("price", {"price": 0}),
        ("price", {"price": None}),
        ("price", {"orderType": "stop", "price": None}),
        ("plimit", {"orderType": "stop_limit"}),
        ("plimit", {"orderType": "stop_limit", "plimit": -1}),
        ("plimit", {"plimit": 5}),
        ("orderType", {"orderType": "iceberg"}),
        ("symbol", {"symbol": "BTC/USD:BTC"}),
        ("symbol", {"symbol": "x" * 21}),
        ("reason", {"reason": "x" * 36}),
    ],
)
async def test_invalid_order_is_bad_user_input_with_field(
    graph: GraphClient, field: str, changes: dict[str, object]
) -> None:
    answer = await graph.as_(principal(TRADER)).ask(CREATE, order=GOOD | changes)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert answer.errors[0]["extensions"]["field"] == field


@pytest.mark.parametrize(
    "changes",
    [
        {"orderType": "MARKET", "price": None},
        {"orderType": "stop"},
        {"orderType": "stop_limit", "plimit": 59000},
        {"reason": None},
        {"exId": 21, "symbol": "BTC/USD:BTC"},
        {"symbol": "GOLD", "side": "SELL"},
    ],
)
async def test_create_order_accepts_every_order_type(graph: GraphClient, changes: dict[str, object]) -> None:
    await graph.as_(principal(TRADER)).data(CREATE, order=GOOD | changes)


@pytest.mark.parametrize(
    ("changes", "field", "nearest"),
    [
        ({"volume": 0.12344}, "volume", "kraken accepts multiples of 0.001, the nearest is 0.123."),
        ({"volume": 0.0004}, "volume", "the nearest is 0.001."),
        ({"price": 60000.07}, "price", "kraken accepts multiples of 0.1, the nearest is 60000.1."),
        ({"orderType": "stop_limit", "plimit": 59000.21}, "plimit", "the nearest is 59000.2."),
        ({"volume": 0.001, "price": 3333.3}, "volume", "less than 10, the least value of an order on kraken; `volume`"),
        ({"volume": 0.001, "price": 3333.3}, "volume", "`volume` must be at least 0.004."),
        ({"orderType": "market", "price": None, "volume": 123456789012.3456}, "volume", "is 123456789012.346."),
    ],
)
async def test_order_that_the_exchange_would_refuse_is_refused_with_the_nearest_valid_value(
    graph: GraphClient, database: Database, changes: dict[str, object], field: str, nearest: str
) -> None:
    steps = {"symbol_id": 1, "price_step": 0.1, "amount_step": 0.001, "min_notional": 10.0}
    await add(database, SymbolStep, steps)
    answer = await graph.as_(principal(TRADER)).ask(CREATE, order=GOOD | changes)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert answer.errors[0]["extensions"]["field"] == field
    assert nearest in answer.errors[0]["message"]


async def test_order_in_steps_of_the_exchange_is_stored(graph: GraphClient, database: Database) -> None:
    steps = {"symbol_id": 1, "price_step": 0.1, "amount_step": 1e-8, "min_notional": 10.0}
    await add(database, SymbolStep, steps)
    trader = graph.as_(principal(TRADER))
    for changes in ({"volume": 0.12345678, "price": 60000.3}, {"orderType": "market", "price": None, "volume": 1e-8}):
        await trader.data(CREATE, order=GOOD | changes)
    symbol = await trader.data('{ symbol(exchange: "kraken", symbol: "BTC/USD") { priceStep amountStep minNotional } }')
    assert symbol["symbol"] == {"priceStep": 0.1, "amountStep": 1e-8, "minNotional": 10.0}
    unknown = await trader.data('{ symbol(exchange: "kraken", symbol: "GOLD") { priceStep amountStep minNotional } }')
    assert unknown["symbol"] == {"priceStep": None, "amountStep": None, "minNotional": None}


@pytest.mark.parametrize("changes", [{"botId": 6}, {"exId": 30}, {"botId": 99}, {"exId": 99}])
async def test_create_order_requires_own_bot_and_account(graph: GraphClient, changes: dict[str, object]) -> None:
    assert (await graph.as_(principal(TRADER)).ask(CREATE, order=GOOD | changes)).codes == ["NOT_FOUND"]


async def test_create_order_on_an_inactive_account_is_conflict(graph: GraphClient, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(Exchange).where(Exchange.ex_id == 20).values(active=False))
    assert (await graph.as_(principal(TRADER)).ask(CREATE, order=GOOD)).codes == ["CONFLICT"]


async def test_order_status_moves_forward_only(graph: GraphClient) -> None:
    trader = graph.as_(principal(TRADER))
    move = "mutation ($to: String!) { updateOrderStatus(orderId: 1, status: $to) { status } }"
    for wanted, stored in (("Open", "open"), ("PARTIALLY_FILLED", "partially_filled"), ("cancelled", "canceled")):
        assert await trader.data(move, to=wanted) == {"updateOrderStatus": {"status": stored}}
    assert await trader.data("mutation { cancelOrder(orderId: 1) { status } }") == {
        "cancelOrder": {"status": "canceled"}
    }
    assert (await trader.ask(move, to="filled")).codes == ["CONFLICT"]
    nonsense = await trader.ask(move, to="lost")
    assert (nonsense.codes, nonsense.errors[0]["extensions"]["field"]) == (["BAD_USER_INPUT"], "status")


async def test_changes_of_a_foreign_order_are_not_found(graph: GraphClient) -> None:
    trader = graph.as_(principal(TRADER))
    for change in ('updateOrderStatus(orderId: 41, status: "open")', "cancelOrder(orderId: 41)"):
        assert (await trader.ask(f"mutation {{ {change} {{ orderId }} }}")).codes == ["NOT_FOUND"]


CANCEL = """mutation ($filter: OrderFilter!, $dryRun: Boolean) {
  cancelOrders(filter: $filter, dryRun: $dryRun) { orderId status bot { botId } } }"""


async def test_matching_open_orders_are_canceled_with_one_audit_row(graph: GraphClient, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(Order).values(status="open"))
        await connection.execute(update(Order).where(Order.order_id == 5).values(status="filled"))
    trader, filter_ = graph.as_(principal(TRADER)), {"botId": {"eq": 1}}
    expected = [{"orderId": key, "status": "canceled", "bot": {"botId": 1}} for key in range(10, 41, 5)]
    tried = await trader.data(CANCEL, filter=filter_, dryRun=True)
    assert tried["cancelOrders"] == expected
    assert await statuses(database) == {"open": 44, "filled": 1}
    assert (await trader.data(CANCEL, filter=filter_))["cancelOrders"] == expected
    assert await statuses(database) == {"open": 37, "filled": 1, "canceled": 7}
    [entry] = await database.rows(select(AuditEntry))
    assert entry.before == {"status": {str(key): "open" for key in range(10, 41, 5)}}
    assert (await trader.data(CANCEL, filter=filter_))["cancelOrders"] == []


async def test_foreign_orders_are_not_canceled(graph: GraphClient, database: Database) -> None:
    before = await statuses(database)
    answer = await graph.as_(principal(TRADER)).data(CANCEL, filter={"botId": {"eq": 6}})
    assert answer["cancelOrders"] == []
    assert await statuses(database) == before


async def test_empty_filter_of_orders_to_cancel_is_refused(graph: GraphClient) -> None:
    assert (await graph.as_(principal(TRADER)).ask(CANCEL, filter={})).codes == ["BAD_USER_INPUT"]


async def statuses(database: Database) -> dict[str, int]:
    """The number of orders of each status."""
    rows = await database.rows(select(Order.status, func.count().label("orders")).group_by(Order.status))
    return {row.status: row.orders for row in rows}
