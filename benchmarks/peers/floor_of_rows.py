"""The lower bound of rows in Python: asyncpg, dictionaries, orjson."""

from __future__ import annotations

from typing import Any

import orjson
from floor import CANDLES, Floor, Stores


async def candles(stores: Stores, uid: int) -> bytes:
    found = await stores.candles.fetch(CANDLES)
    return orjson.dumps({"candles": [dict(row) for row in reversed(found)]})


async def columns(stores: Stores, uid: int) -> bytes:
    found = await stores.candles.fetch(CANDLES)
    names = ("time", "open", "high", "low", "close", "volume")
    bars = dict(zip(names, zip(*reversed(found), strict=True), strict=True))
    bars["time"] = tuple(time.timestamp() * 1000 for time in bars["time"])
    return orjson.dumps({"candleColumns": bars})


async def orders(stores: Stores, uid: int) -> bytes:
    found = await stores.database.fetch(
        """
        SELECT order_id, symbol, upper(side), volume, o.price, status, o.timestamp, bot_id, b.name, u.uid, mail
        FROM orders o LEFT JOIN bots b USING (bot_id) LEFT JOIN users u ON u.uid = b.uid
        WHERE o.uid = $1 ORDER BY order_id LIMIT 50""",
        uid,
    )
    return orjson.dumps({"orders": {"nodes": list(map(_order, found))}})


def _order(row: Any) -> dict[str, Any]:
    names = ("orderId", "symbol", "side", "volume", "price", "status", "timestamp")
    user = {"uid": row[9], "mail": row[10]}
    return dict(zip(names, row[:7], strict=True)) | {"bot": {"botId": row[7], "name": row[8], "user": user}}


async def bots(stores: Stores, uid: int) -> bytes:
    found = await stores.database.fetch(
        """
        SELECT b.bot_id, b.name, order_id, upper(side), volume, price, symbol_id, s.symbol, base, decimals, e.name
        FROM (SELECT * FROM bots WHERE uid = $1 ORDER BY bot_id LIMIT 20) b
        LEFT JOIN LATERAL (SELECT * FROM orders o WHERE o.bot_id = b.bot_id ORDER BY order_id LIMIT 10) o ON true
        LEFT JOIN symbols s ON s.symbol = o.symbol AND s.cat_ex_id = o.cat_ex_id
        LEFT JOIN cat_exchanges e ON e.cat_ex_id = s.cat_ex_id
        ORDER BY b.bot_id, order_id""",
        uid,
    )
    tickers = await stores.tickers(list({(row[10], row[7]) for row in found if row[6]}))
    nodes: dict[int, dict[str, Any]] = {}
    for row in found:
        node = nodes.setdefault(row[0], {"botId": row[0], "name": row[1], "orders": {"nodes": []}})
        if row[2]:
            instrument = dict(zip(("symbolId", "symbol", "base", "decimals"), row[6:10], strict=True))
            order = dict(zip(("orderId", "side", "volume", "price"), row[2:6], strict=True))
            ticker = tickers[row[10], row[7]]
            node["orders"]["nodes"].append(order | {"instrument": instrument | {"ticker": ticker}})
    return orjson.dumps({"bots": {"nodes": list(nodes.values())}})


async def me(stores: Stores, uid: int) -> bytes:
    return orjson.dumps({"me": dict(await stores.database.fetchrow("SELECT uid, mail FROM users WHERE uid = $1", uid))})


async def one_bot(stores: Stores, uid: int) -> bytes:
    sql = 'SELECT bot_id "botId", name, active, dry_run "dryRun", timestamp FROM bots WHERE bot_id = 1 AND uid = $1'
    return orjson.dumps({"bot": dict(await stores.database.fetchrow(sql, uid))})


app = Floor({"candles": candles, "columns": columns, "orders": orders, "bots": bots, "me": me, "bot": one_bot})
