"""Every read route under `/api/v1/orm`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert

from fullon_graphql import models
from fullon_graphql.database import Database
from tests.conftest import Count
from tests.fixtures.rest import Rest
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order

pytestmark = pytest.mark.usefixtures("platform")

LISTS: list[tuple[str, str, list[int | str]]] = [
    ("users", "uid", [TRADER]),
    ("api_keys/me", "api_key_id", [1, 2]),
    ("bots", "bot_id", [1, 2, 3, 4, 5]),
    ("bots?limit=2&offset=1", "bot_id", [2, 3]),
    ("bots/by-user?user_id=2", "bot_id", [1, 2, 3, 4, 5]),
    ("bots/by-user?user_id=2&active_only=true", "bot_id", []),
    ("bots/by-user?user_id=3", "bot_id", []),
    ("bots/1/exchanges", "ex_id", [20, 21]),
    ("bots/1/strategies", "str_id", [1, 2]),
    ("bots/1/feeds", "feed_id", [1, 2]),
    ("bots/3/feeds", "feed_id", []),
    ("exchanges/catalog", "name", ["kraken", "bitmex"]),
    ("exchanges/catalog/1/params", "name", ["broker", "sandbox"]),
    ("exchanges/catalog/1/symbols", "symbol", ["BTC/USD", "GOLD"]),
    ("exchanges/user-exchanges", "ex_id", [20, 21]),
    ("strategies/catalog", "name", ["rsi", "llm"]),
    ("strategies/catalog/1/params", "name", ["rsi_lower", "rsi_upper"]),
    ("strategies/bot-strategies?bot_id=1", "str_id", [1, 2]),
    ("strategies/user-strategies", "str_id", [1, 2, 3]),
    ("symbols", "symbol_id", [1, 2, 3]),
    ("symbols/by-exchange?cat_ex_id=2", "symbol", ["BTC/USD:BTC"]),
    ("symbols/search?q=btc", "symbol", ["BTC/USD", "BTC/USD:BTC"]),
    ("symbols/search?q=btc&cat_ex_id=2", "symbol_id", [2]),
    ("orders?limit=2", "order_id", [40, 39]),
    ("orders/by-bot?bot_id=1&limit=3", "order_id", [40, 35, 30]),
    ("orders/by-bot?bot_id=1&status=FILLED", "order_id", []),
    ("orders/open?limit=1", "order_id", [40]),
    ("orders/open?bot_id=2&limit=1", "order_id", [36]),
    ("orders/history?bot_id=2&limit=1&start_date=2000-01-01T00:00:00Z", "order_id", [36]),
    ("orders/history?end_date=2000-01-01T00:00:00Z", "order_id", []),
    ("orders/by-symbol?symbol=BTC%2FUSD&limit=1", "order_id", [40]),
    ("trades", "trade_id", [6, 5, 4, 3, 2, 1]),
    ("trades?trade_type=live&limit=2", "trade_id", [9, 8]),
    ("trades/bot?bot_id=1", "trade_id", [6, 4, 2]),
    ("trades/by-bot?bot_id=2&trade_type=live", "trade_id", [8, 6, 1]),
    ("trades/by-symbol?symbol=BTC%2FUSD&limit=1", "trade_id", [6]),
    ("trades/by-symbol?symbol=BTC%2FUSD&trade_type=live&bot_id=2", "trade_id", [8, 6, 1]),
    ("trades/live", "trade_id", [9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ("trades/history?side=SELL&ex_id=20&limit=2", "trade_id", [6, 5]),
    ("trades/history?trade_type=live&side=sell&start_date=2000-01-01T00:00:00Z", "trade_id", [8]),
    ("trades/history?end_date=2000-01-01T00:00:00Z", "trade_id", []),
    ("exchanges", "ex_id", [20, 21]),
    ("strategies", "str_id", [1, 2, 3]),
    ("positions", "ex_id", []),
    ("users/2/positions", "ex_id", []),
]
"""Route, the column that identifies a row, and its values for the trader, in order."""

OBJECTS: list[tuple[str, dict[str, Any]]] = [
    ("users/me", {"uid": TRADER, "mail": "user2@fullon", "name": "N", "phone": "555"}),
    ("users/2", {"uid": TRADER}),
    ("bots/1", {"bot_id": 1, "name": "bot 1", "active": False, "dry_run": None, "uid": TRADER}),
    ("exchanges/user-exchanges/20", {"ex_id": 20, "name": "main"}),
    ("exchanges/id-by-name?name=futures", {"exchange_id": 21}),
    ("exchanges/catalog-id?exchange_name=bitmex", {"cat_ex_id": 2}),
    ("strategies/catalog/1", {"cat_str_id": 1, "name": "rsi"}),
    ("strategies/bot-strategies/1",
     {"str_id": 1, "name": "rsi", "take_profit": 4.0, "parameters": {"rsi_upper": "65", "prompt": 'buy "low"'}}),
    ("strategies/bot-strategies/3", {"str_id": 3, "parameters": {}}),
    ("trades/8", {"trade_id": 8, "ex_trade_id": "T8", "roi": 1.5}),
    ("trades/3?trade_type=dry", {"trade_id": 3, "closingtrade": True}),
    ("orders/1", {"order_id": 1, "symbol": "BTC/USD", "side": "Buy", "volume": 1.5}),
    ("symbols/1", {"symbol_id": 1, "symbol": "BTC/USD", "decimals": 8}),
    ("symbols/decimals?symbol=BTC%2FUSD", {"decimals": 8, "price_decimals": 8, "quantity_decimals": 8}),
]  # fmt: skip
"""Route, and a part of its answer to the trader."""

ROUTES = [route for route, _, _ in LISTS] + [route for route, _ in OBJECTS]

FOREIGN = [
    "users/3", "bots/6", "bots/6/details", "bots/6/exchanges", "bots/6/strategies", "bots/6/feeds", "bots/6/actions",
    "bots/6/last-log", "exchanges/user-exchanges/30", "strategies/bot-strategies?bot_id=6",
    "strategies/bot-strategies/61", "orders/41", "orders/by-bot?bot_id=6", "trades/bot?bot_id=6", "trades/101",
    "trades/101?trade_type=dry", "users/3/positions",
    "trades/by-bot?bot_id=6&trade_type=live",
]  # fmt: skip
"""Routes of another user's rows."""


@pytest.mark.parametrize(("route", "key", "values"), LISTS)
async def test_lists_are_ordered(rest: Rest, route: str, key: str, values: list[Any]) -> None:
    rows = await (await rest.as_(TRADER)).get(f"orm/{route}")
    assert [row[key] for row in rows] == values


async def test_trailing_slash_is_ignored(rest: Rest) -> None:
    trader = await rest.as_(TRADER)
    for route in ROUTES:
        path, mark, query = route.partition("?")
        assert await trader.get(f"orm/{path}/{mark}{query}") == await trader.get(f"orm/{route}")


@pytest.mark.parametrize(("route", "expected"), OBJECTS)
async def test_objects_have_their_columns(rest: Rest, route: str, expected: dict[str, Any]) -> None:
    answer = await (await rest.as_(TRADER)).get(f"orm/{route}")
    assert {name: answer[name] for name in expected} == expected


@pytest.mark.parametrize("route", FOREIGN)
async def test_foreign_rows_are_not_found(rest: Rest, route: str) -> None:
    assert await (await rest.as_(TRADER)).refused(f"orm/{route}") == (404, "NOT_FOUND")
    assert await (await rest.as_(TRADER)).refused(f"orm/{re.sub(r'[0-9]+', '777', route)}") == (404, "NOT_FOUND")
    assert (await (await rest.as_(ADMIN)).send("GET", f"orm/{route}")).status_code == 200


async def test_every_route_requires_authentication(rest: Rest) -> None:
    for route in ROUTES:
        assert await rest.anonymous.refused(f"orm/{route}") == (401, "UNAUTHENTICATED")


async def test_rows_have_no_secrets_and_settings_require_admin(rest: Rest) -> None:
    trader, admin = await rest.as_(TRADER), await rest.as_(ADMIN)
    assert not {"password", "f2a"} & (await trader.get("orm/users/me")).keys()
    assert "key" not in (await trader.get("orm/api_keys/me"))[0]
    assert [setting["value"] for setting in await trader.get("orm/exchanges/catalog/1/params")] == [None, None]
    assert [setting["value"] for setting in await admin.get("orm/exchanges/catalog/1/params")] == [
        "a broker's key",
        "no",
    ]


async def test_admin_sees_all_rows_but_owns_only_theirs(rest: Rest) -> None:
    admin = await rest.as_(ADMIN)
    assert [row["bot_id"] for row in await admin.get("orm/bots/by-user", user_id=OTHER)] == [6]
    assert [row["uid"] for row in await admin.get("orm/users")] == [ADMIN, TRADER, OTHER]
    assert await admin.get("orm/exchanges/user-exchanges") == await admin.get("orm/strategies/user-strategies") == []


async def test_bot_details_contain_its_lists(rest: Rest) -> None:
    trader = await rest.as_(TRADER)
    details = await trader.get("orm/bots/1/details")
    assert details["name"] == "bot 1"
    for part in ("exchanges", "strategies", "feeds"):
        assert details[part] == await trader.get(f"orm/bots/1/{part}")
    assert [(feed["symbol"], feed["exchange"]) for feed in details["feeds"]] == [
        ("BTC/USD", "kraken"),
        ("GOLD", "kraken"),
    ]


async def test_bot_log_is_newest_first(rest: Rest, database: Database) -> None:
    trader = await rest.as_(TRADER)
    assert await trader.get("orm/bots/5/last-log") is None
    line = {"bot_id": 5, "feed_num": 1, "ex_id": 20, "symbol": "BTC/USD", "position": 0.5}
    async with database.transaction() as connection:
        for number in (1, 2):
            time = f"2026-01-0{number}T00:00:00+00:00"
            values = line | {"message": f"line {number}", "timestamp": datetime.fromisoformat(time)}
            await connection.execute(insert(models.BotLog).values(**values))
    assert [row["message"] for row in await trader.get("orm/bots/5/actions")] == ["line 2", "line 1"]
    last = await trader.get("orm/bots/5/last-log")
    assert (last["message"], last["position"], last["timestamp"]) == ("line 2", 0.5, "2026-01-02T00:00:00+00:00")


async def test_open_orders_exclude_every_spelling_of_closed(rest: Rest, database: Database) -> None:
    spelt = ("Filled", "canceled", "CANCELLED", "Rejected", "New", "pending")
    await add(database, models.Order, *(order(501 + i, 5, TRADER, status=status) for i, status in enumerate(spelt)))
    rows = await (await rest.as_(TRADER)).get("orm/orders/open", bot_id=5)
    assert {row["status"] for row in rows} == {"open", "New", "pending"}


@pytest.mark.parametrize(
    "route",
    ["bots?limit=0", "bots?limit=1001", "bots?offset=-1", "bots/x", "bots/99999999999", "orders/by-bot",
     "orders/history?start_date=2026-01-01T00:00:00", "trades/bot?bot_id=1&trade_type=wet", "symbols/search", "symbols/search?q=%00"],
)  # fmt: skip
async def test_invalid_parameters_are_422(rest: Rest, route: str) -> None:
    assert await (await rest.as_(TRADER)).refused(f"orm/{route}") == (422, "BAD_USER_INPUT")


async def test_list_of_any_length_costs_one_statement(rest: Rest, statements: Count) -> None:
    trader = await rest.as_(TRADER)
    for limit in (1, 40):
        with statements() as seen:
            await trader.get("orm/orders", limit=limit)
        assert len([sql for sql in seen if "sessions" not in sql]) == 1  # the cache of identities is short-lived
