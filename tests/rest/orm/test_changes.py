"""Changes under `/api/v1/orm`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Bot, Order
from tests.fixtures.rest import Rest, RestClient
from tests.fixtures.rows import ADMIN, OTHER, TRADER

pytestmark = pytest.mark.usefixtures("platform")

ORDER = {"bot_id": 1, "cat_ex_id": 1, "symbol": "BTC/USD", "side": "buy", "volume": 0.5, "order_type": "market"}


@pytest.fixture
async def trader(rest: Rest) -> RestClient:
    return await rest.as_(TRADER)


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_bot_is_created_updated_and_deleted(trader: RestClient) -> None:
    made = await trader.send("POST", "orm/bots/", json={"name": "grid", "active": True, "dry_run": True, "uid": TRADER})
    assert made.status_code == 201
    bot = made.json()
    assert (bot["name"], bot["active"], bot["dry_run"], bot["uid"]) == ("grid", True, True, TRADER)
    path = f"orm/bots/{bot['bot_id']}"
    assert await trader.get(path) == bot
    changed = await trader.send("PATCH", path, json={"name": "net", "active": False})
    assert (changed.status_code, changed.json()) == (200, bot | {"name": "net", "active": False})
    assert (await trader.send("DELETE", path)).json() == {"success": True}
    assert await trader.refused(path) == (404, "NOT_FOUND")


async def test_put_changes_what_patch_changes(trader: RestClient) -> None:
    put = await trader.send("PUT", "orm/bots/1", json={"name": "renamed"})
    assert (put.status_code, put.json()["name"], put.json()["active"]) == (200, "renamed", False)
    assert refused(await trader.send("PUT", "orm/bots/6", json={"name": "x"})) == (404, "NOT_FOUND")
    order = await trader.send("PUT", "orm/orders/1", json={"status": "Canceled"})
    assert (order.status_code, order.json()["order_id"], order.json()["status"]) == (200, 1, "canceled")
    assert refused(await trader.send("PUT", "orm/orders/1", json={"status": "open"})) == (409, "CONFLICT")
    for body in ({"status": "canceled", "volume": 9}, {}):
        assert refused(await trader.send("PUT", "orm/orders/2", json=body)) == (422, "BAD_USER_INPUT")
    assert refused(await trader.send("PUT", "orm/orders/41", json={"status": "canceled"})) == (404, "NOT_FOUND")


async def test_delete_cancels_an_order_unless_it_is_filled(trader: RestClient) -> None:
    deleted = await trader.send("DELETE", "orm/orders/3")
    assert (deleted.status_code, deleted.json()["order_id"], deleted.json()["status"]) == (200, 3, "canceled")
    assert (await trader.get("orm/orders/3"))["status"] == "canceled"
    await trader.send("PATCH", "orm/orders/4/status", json={"status": "filled"})
    assert refused(await trader.send("DELETE", "orm/orders/4")) == (409, "CONFLICT")
    assert (await trader.get("orm/orders/4"))["status"] == "filled"
    assert refused(await trader.send("DELETE", "orm/orders/41")) == (404, "NOT_FOUND")


async def test_create_bot_requires_own_uid_and_a_name(trader: RestClient) -> None:
    assert refused(await trader.send("POST", "orm/bots", json={"name": "x", "uid": 3})) == (422, "BAD_USER_INPUT")
    assert refused(await trader.send("POST", "orm/bots", json={"name": " "})) == (422, "BAD_USER_INPUT")
    assert refused(await trader.send("POST", "orm/bots", json={})) == (422, "BAD_USER_INPUT")


async def test_create_order_finds_the_account_by_exchange(trader: RestClient) -> None:
    made = await trader.send("POST", "orm/orders/", json=ORDER | {"status": "New"})
    assert made.status_code == 201
    order = made.json()
    expected = ORDER | {"uid": TRADER, "ex_id": 20, "exchange": "kraken", "status": "New", "reason": ""}
    assert {name: order[name] for name in expected} == expected
    path = f"orm/orders/{order['order_id']}/status"
    assert (await trader.send("PATCH", path, json={"status": "cancelled"})).json()["status"] == "canceled"
    assert refused(await trader.send("PATCH", path, json={"status": "open"})) == (409, "CONFLICT")
    assert (await trader.send("POST", "orm/orders", json=ORDER | {"status": "pending"})).json()["status"] == "pending"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"bot_id": 6}, 404), ({"bot_id": 2}, 422), ({"ex_id": 30}, 404), ({"cat_ex_id": None}, 422), ({"volume": 0}, 422),
     ({"side": "hold"}, 422), ({"symbol": "NOBODY"}, 422), ({"order_type": "limit"}, 422), ({"status": "dreamt"}, 422)],
)  # fmt: skip
async def test_create_order_rejects_invalid_input(
    trader: RestClient, database: Database, wrong: dict[str, Any], status: int
) -> None:
    assert (await trader.send("POST", "orm/orders", json=ORDER | wrong)).status_code == status
    assert await count(database, Order) == 45


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "bots/6", {"name": "mine"}), ("DELETE", "bots/6", None), ("PATCH", "orders/41/status", {"status": "canceled"}),
     ("PATCH", "trades/101", {"roi": 1}), ("DELETE", "trades/101", None)],
)  # fmt: skip
async def test_changes_of_foreign_rows_are_not_found(
    trader: RestClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert refused(await trader.send(method, f"orm/{path}", json=body)) == (404, "NOT_FOUND")


async def test_idempotent_repeat_and_check_only_write_nothing(trader: RestClient, database: Database) -> None:
    bots = await count(database, Bot)
    key = {"Idempotency-Key": "one"}
    first = await trader.send("POST", "orm/bots", json={"name": "grid"}, headers=key)
    again = await trader.send("POST", "orm/bots", json={"name": "grid"}, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert refused(await trader.send("POST", "orm/bots", json={"name": "other"}, headers=key)) == (409, "CONFLICT")
    checked = await trader.send("POST", "orm/bots?check_only=true", json={"name": "dream"})
    assert (checked.status_code, checked.json()["name"]) == (201, "dream")
    assert await count(database, Bot) == bots + 1


async def test_change_is_audited_under_the_name_of_the_mutation(trader: RestClient, database: Database) -> None:
    response = await trader.send("PATCH", "orm/bots/1", json={"name": "renamed"})
    [entry] = await database.rows(select(AuditEntry.operation, AuditEntry.uid, AuditEntry.request_id))
    assert tuple(entry) == ("updateBot", TRADER, response.headers["x-request-id"])


async def test_account_is_created_updated_and_deleted(trader: RestClient) -> None:
    body = {"cat_ex_id": 1, "name": "second", "api_key": "K", "api_secret": "S", "is_testnet": True}
    made = await trader.send("POST", "orm/exchanges/user-exchanges", json=body)
    assert made.status_code == 201
    account = made.json()
    assert (account["name"], account["test"], account["uid"], account["active"]) == ("second", True, TRADER, True)
    path = f"orm/exchanges/user-exchanges/{account['ex_id']}"
    changed = await trader.send("PATCH", path, json={"name": "third", "is_testnet": False})
    assert changed.json() == account | {"name": "third", "test": False}
    assert refused(await trader.send("PATCH", path, json={"name": "main"})) == (409, "CONFLICT")
    assert (await trader.send("DELETE", path)).json() == {"success": True}
    assert refused(await trader.send("DELETE", path)) == (404, "NOT_FOUND")


async def test_strategy_is_created_updated_and_deleted(trader: RestClient) -> None:
    body = {"bot_id": 2, "cat_str_id": 1, "name": "mine", "parameters": {"rsi_upper": 70, "on": True}, "active": True}
    made = await trader.send("POST", "orm/strategies/bot-strategies", json=body)
    assert made.status_code == 201
    strategy = made.json()
    assert (strategy["name"], strategy["parameters"]) == ("rsi", {"rsi_upper": "70", "on": "true", "rsi_lower": "40"})
    path = f"orm/strategies/bot-strategies/{strategy['str_id']}"
    changed = await trader.send("PUT", path, json={"take_profit": 3, "parameters": {"a": "b"}})
    assert changed.json() == strategy | {"take_profit": 3.0, "parameters": {"a": "b"}}
    assert (await trader.send("PUT", path, json={"size": 2})).json()["parameters"] == {"a": "b"}
    assert (await trader.send("DELETE", path)).json() == {"success": True}


@pytest.mark.parametrize(
    "wrong", [{"feeds": 2**70}, {"feeds": -1}, {"parameters": {"a": [1]}}, {"cat_str_id": 777}, {"bot_id": 6}]
)
async def test_create_strategy_rejects_invalid_input(trader: RestClient, wrong: dict[str, Any]) -> None:
    body = {"bot_id": 2, "cat_str_id": 1} | wrong
    assert (await trader.send("POST", "orm/strategies/bot-strategies", json=body)).status_code in {404, 422}


async def test_huge_strategy_parameter_is_stored_as_a_number(trader: RestClient) -> None:
    body = {"bot_id": 2, "cat_str_id": 2, "parameters": {"huge": 2**70}}
    made = await trader.send("POST", "orm/strategies/bot-strategies", json=body)
    assert float(made.json()["parameters"]["huge"]) == 2.0**70


async def test_api_key_is_shown_once_and_valid_until_deactivated(trader: RestClient, rest: Rest) -> None:
    body = {"name": "phone", "description": "d", "scopes": "read,write", "expires_at": "2999-01-01T00:00:00Z"}
    made = await trader.send("POST", "orm/api_keys/me", json=body)
    assert made.status_code == 200  # the platform's clients expect 200
    key = made.json()
    assert (key["scopes"], key["is_active"], key["uid"]) == ("read,write", True, TRADER)
    assert "key" not in (await trader.get("orm/api_keys/me"))[-1]
    by_key = await rest.anonymous.send("GET", "orm/users/me", headers={"X-API-Key": key["key"]})
    assert by_key.json()["uid"] == TRADER
    off = await trader.send("PATCH", f"orm/api_keys/{key['api_key_id']}/deactivate")
    assert (off.status_code, off.json()["is_active"]) == (200, False)
    assert (await trader.send("POST", "orm/api_keys/me", json={"name": "n", "scopes": ["read"]})).json()[
        "scopes"
    ] == "read"
    assert refused(await trader.send("PATCH", "orm/api_keys/31/deactivate")) == (404, "NOT_FOUND")


async def test_create_dry_trade_uses_the_account_of_the_bot(trader: RestClient) -> None:
    body = {"bot_id": 1, "symbol": "BTC/USD", "side": "buy", "volume": 0.5, "price": 10, "order_type": "market"}
    assert refused(await trader.send("POST", "orm/trades/dry", json=body)) == (
        422,
        "BAD_USER_INPUT",
    )  # the bot has two accounts
    made = await trader.send("POST", "orm/trades/dry", json=body | {"ex_id": 20})
    assert (made.status_code, made.json()["cost"], made.json()["ex_id"]) == (201, 5.0, 20)
    assert refused(await trader.send("POST", "orm/trades/dry", json=body | {"bot_id": 6})) == (404, "NOT_FOUND")


LIVE = {"ex_trade_id": "T1001", "ex_order_id": "O2", "symbol": "BTC/USD", "side": "buy", "volume": 0.5, "price": 10,
        "order_type": "market"}  # fmt: skip


async def test_live_trade_is_created_updated_and_deleted(trader: RestClient) -> None:
    made = await trader.send("POST", "orm/trades/live", json=LIVE | {"ex_id": 20})
    assert made.status_code == 201, made.text
    trade = made.json()
    assert (trade["cost"], trade["fee"], trade["uid"]) == (5.0, 0.0, TRADER)
    assert (await trader.send("POST", "orm/trades/live", json=LIVE | {"ex_id": 20})).json() == trade
    other = await trader.send("POST", "orm/trades/live", json=LIVE | {"ex_id": 20, "price": 11})
    assert refused(other) == (409, "CONFLICT")
    path = f"orm/trades/{trade['trade_id']}"
    changed = await trader.send("PATCH", path, json={"roi": 1.5, "status": "closed", "price": 99})
    assert (changed.status_code, changed.json()) == (200, trade | {"roi": 1.5})
    assert (await trader.send("DELETE", path)).json() == {"success": True}
    assert refused(await trader.send("DELETE", path)) == (404, "NOT_FOUND")


async def test_create_live_trade_finds_the_account_by_bot(rest: Rest, trader: RestClient) -> None:
    other = await rest.as_(OTHER)
    assert (await other.send("POST", "orm/trades/live", json=LIVE | {"bot_id": 6})).json()["ex_id"] == 30
    two = await trader.send("POST", "orm/trades/live", json=LIVE | {"bot_id": 1})
    assert refused(two) == (422, "BAD_USER_INPUT")
    assert refused(await trader.send("POST", "orm/trades/live", json=LIVE | {"bot_id": 6})) == (404, "NOT_FOUND")
    assert refused(await trader.send("POST", "orm/trades/live", json=LIVE)) == (422, "BAD_USER_INPUT")


async def test_trade_of_bot_is_simulated_by_default(trader: RestClient) -> None:
    body = LIVE | {"bot_id": 1, "ex_id": 20}
    dry = await trader.send("POST", "orm/trades/bot", json=body)
    assert (dry.status_code, dry.json()["bot_id"], "ex_trade_id" in dry.json()) == (201, 1, False)
    live = await trader.send("POST", "orm/trades/bot?trade_type=live", json=body)
    assert (live.status_code, live.json()["ex_trade_id"]) == (201, "T1001")
    nameless = {name: value for name, value in body.items() if name != "ex_trade_id"}
    incomplete = await trader.send("POST", "orm/trades/bot?trade_type=live", json=nameless)
    assert refused(incomplete) == (422, "BAD_USER_INPUT")
    assert "ex_trade_id" in incomplete.json()["error"]["message"]


async def test_changes_of_the_catalogue_require_admin(trader: RestClient, rest: Rest) -> None:
    admin = await rest.as_(ADMIN)
    body = {"symbol": "ETH/USD", "cat_ex_id": 1, "base_asset": "ETH", "quote_asset": "USD", "price_decimals": 2,
            "quantity_decimals": 8, "active": True}  # fmt: skip
    assert refused(await trader.send("POST", "orm/symbols", json=body)) == (403, "FORBIDDEN")
    made = await admin.send("POST", "orm/symbols", json=body)
    assert made.status_code == 201
    symbol = made.json()
    assert (symbol["symbol"], symbol["base"], symbol["quote"], symbol["decimals"]) == ("ETH/USD", "ETH", "USD", 2)
    changed = await admin.send("PATCH", f"orm/symbols/{symbol['symbol_id']}", json={"price_decimals": 4})
    assert changed.json() == symbol | {"decimals": 4}
    assert refused(await admin.send("POST", "orm/symbols", json=body)) == (409, "CONFLICT")
    assert (await admin.send("DELETE", f"orm/symbols/{symbol['symbol_id']}")).json() == {"success": True}


async def test_users_update_themselves_and_admins_update_all(trader: RestClient, rest: Rest) -> None:
    own = await trader.send("PUT", f"orm/users/{TRADER}", json={"name": "New", "role": "ADMIN"})
    assert (own.json()["name"], own.json()["role"]) == ("New", "USER")
    assert refused(await trader.send("PUT", "orm/users/3", json={"name": "New"})) == (404, "NOT_FOUND")
    admin = await rest.as_(ADMIN)
    assert (await admin.send("PUT", "orm/users/3", json={"active": False})).json()["active"] is False
    body = {"mail": "new@fullon", "password": "correct horse battery", "name": "N"}
    made = await admin.send("POST", "orm/users", json=body)
    assert (made.status_code, made.json()["mail"]) == (201, "new@fullon")
    assert not {"password", "f2a"} & made.json().keys()
    assert refused(await trader.send("POST", "orm/users", json=body)) == (403, "FORBIDDEN")


async def test_delete_user_requires_admin_and_no_history(trader: RestClient, rest: Rest) -> None:
    admin = await rest.as_(ADMIN)
    made = await admin.send("POST", "orm/users", json={"mail": "new@fullon", "password": "correct horse battery"})
    path = f"orm/users/{made.json()['uid']}"
    assert refused(await trader.send("DELETE", path)) == (403, "FORBIDDEN")
    assert (await admin.send("DELETE", path)).json() == {"success": True}
    assert refused(await admin.send("DELETE", path)) == (404, "NOT_FOUND")
    assert refused(await admin.send("DELETE", f"orm/users/{TRADER}")) == (409, "CONFLICT")
    assert refused(await admin.send("DELETE", f"orm/users/{ADMIN}")) == (422, "BAD_USER_INPUT")


async def count(database: Database, table: type[Any]) -> int:
    [row] = await database.rows(select(func.count()).select_from(table))
    return int(row[0])
