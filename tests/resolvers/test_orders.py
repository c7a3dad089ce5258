"""Orders as the graph answers them."""

from __future__ import annotations

import pytest

from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import OTHER, TRADER

pytestmark = pytest.mark.usefixtures("platform")


async def test_an_order_leads_to_its_bot_owner_account_and_instrument(graph: GraphClient) -> None:
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


async def test_a_foreign_order_answers_exactly_as_one_that_does_not_exist(graph: GraphClient) -> None:
    trader = graph.as_(principal(TRADER))
    foreign = await trader.ask("{ order(orderId: 41) { orderId } }")
    absent = await trader.ask("{ order(orderId: 99) { orderId } }")
    assert foreign.data == absent.data == {"order": None}
    assert foreign.codes == absent.codes == ["NOT_FOUND"]
    assert foreign.errors[0]["message"].replace("41", "99") == absent.errors[0]["message"]


async def test_a_list_holds_only_what_the_caller_may_see(graph: GraphClient) -> None:
    query = "{ orders(first: 1000) { totalCount nodes { orderId } } }"
    own = await graph.as_(principal(OTHER)).data(query)
    assert [node["orderId"] for node in own["orders"]["nodes"]] == [41, 42, 43, 44, 45]
    everything = await graph.as_(principal(1, admin=True)).data(query)
    assert everything["orders"]["totalCount"] == 45
