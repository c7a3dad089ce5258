"""What the platform's clients change under `/api/v1/orm`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Bot, Order
from tests.fixtures.rest import Rest, RestClient
from tests.fixtures.rows import TRADER

pytestmark = pytest.mark.usefixtures("platform")

ORDER = {"bot_id": 1, "cat_ex_id": 1, "symbol": "BTC/USD", "side": "buy", "volume": 0.5, "order_type": "market"}


@pytest.fixture
async def trader(rest: Rest) -> RestClient:
    return await rest.as_(TRADER)


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_a_bots_life(trader: RestClient) -> None:
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


async def test_a_bot_is_made_for_oneself_with_a_name(trader: RestClient) -> None:
    assert refused(await trader.send("POST", "orm/bots", json={"name": "x", "uid": 3})) == (422, "BAD_USER_INPUT")
    assert refused(await trader.send("POST", "orm/bots", json={"name": " "})) == (422, "BAD_USER_INPUT")
    assert refused(await trader.send("POST", "orm/bots", json={})) == (422, "BAD_USER_INPUT")


async def test_an_order_finds_its_account_through_the_exchange(trader: RestClient) -> None:
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
async def test_an_order_that_cannot_be_is_not_stored(
    trader: RestClient, database: Database, wrong: dict[str, Any], status: int
) -> None:
    assert (await trader.send("POST", "orm/orders", json=ORDER | wrong)).status_code == status
    assert await count(database, Order) == 45


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "bots/6", {"name": "mine"}), ("DELETE", "bots/6", None), ("PATCH", "orders/41/status", {"status": "canceled"})],
)  # fmt: skip
async def test_what_is_foreign_is_not_found(
    trader: RestClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert refused(await trader.send(method, f"orm/{path}", json=body)) == (404, "NOT_FOUND")


async def test_a_repetition_by_key_changes_nothing_and_a_check_neither(trader: RestClient, database: Database) -> None:
    bots = await count(database, Bot)
    key = {"Idempotency-Key": "one"}
    first = await trader.send("POST", "orm/bots", json={"name": "grid"}, headers=key)
    again = await trader.send("POST", "orm/bots", json={"name": "grid"}, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert refused(await trader.send("POST", "orm/bots", json={"name": "other"}, headers=key)) == (409, "CONFLICT")
    checked = await trader.send("POST", "orm/bots?check_only=true", json={"name": "dream"})
    assert (checked.status_code, checked.json()["name"]) == (201, "dream")
    assert await count(database, Bot) == bots + 1


async def test_a_change_is_audited_under_the_mutations_name(trader: RestClient, database: Database) -> None:
    response = await trader.send("PATCH", "orm/bots/1", json={"name": "renamed"})
    [entry] = await database.rows(select(AuditEntry.operation, AuditEntry.uid, AuditEntry.request_id))
    assert tuple(entry) == ("updateBot", TRADER, response.headers["x-request-id"])


async def count(database: Database, table: type[Any]) -> int:
    [row] = await database.rows(select(func.count()).select_from(table))
    return int(row[0])
