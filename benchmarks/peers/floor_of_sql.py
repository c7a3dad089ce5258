"""The lower bound of JSON from PostgreSQL: one text, passed on."""

from __future__ import annotations

from typing import cast

import orjson
from floor import CANDLES, Floor, Stores


async def candles(stores: Stores, uid: int) -> bytes:
    sql = f"SELECT CAST(json_build_object('candles', json_agg(b ORDER BY time)) AS text) FROM ({CANDLES}) b"
    return await _text(stores.candles, sql)


async def columns(stores: Stores, uid: int) -> bytes:
    sql = f"""
        SELECT CAST(json_build_object('candleColumns', json_build_object(
            'time', json_agg(date_part('epoch', time) * 1000), 'open', json_agg(open), 'high', json_agg(high),
            'low', json_agg(low), 'close', json_agg(close), 'volume', json_agg(volume))) AS text)
        FROM (SELECT * FROM ({CANDLES}) b ORDER BY time) b"""
    return await _text(stores.candles, sql)


async def orders(stores: Stores, uid: int) -> bytes:
    sql = """
        SELECT CAST(json_build_object('orders', json_build_object('nodes', json_agg(json_build_object(
            'orderId', order_id, 'symbol', symbol, 'side', upper(side), 'volume', volume, 'price', price,
            'status', status, 'timestamp', o.timestamp, 'bot', json_build_object('botId', bot_id, 'name', b.name,
            'user', json_build_object('uid', u.uid, 'mail', mail))) ORDER BY order_id))) AS text)
        FROM (SELECT * FROM orders WHERE uid = $1 ORDER BY order_id LIMIT 50) o
        LEFT JOIN bots b USING (bot_id) LEFT JOIN users u ON u.uid = b.uid"""
    return await _text(stores.database, sql, uid)


async def bots(stores: Stores, uid: int) -> bytes:
    """Insert the tickers, which PostgreSQL does not have."""
    sql = """
        SELECT CAST(json_agg(json_build_object('botId', b.bot_id, 'name', b.name, 'orders', json_build_object(
            'nodes', coalesce(o.nodes, '[]'))) ORDER BY b.bot_id) AS text)
        FROM (SELECT * FROM bots WHERE uid = $1 ORDER BY bot_id LIMIT 20) b
        LEFT JOIN LATERAL (
            SELECT json_agg(json_build_object('orderId', order_id, 'side', upper(side), 'volume', volume,
                'price', price, 'instrument', json_build_object('symbolId', symbol_id, 'symbol', s.symbol,
                'base', base, 'decimals', decimals, 'ticker', e.name)) ORDER BY order_id) AS nodes
            FROM (SELECT * FROM orders o WHERE o.bot_id = b.bot_id ORDER BY order_id LIMIT 10) o
            JOIN symbols s USING (symbol, cat_ex_id) JOIN cat_exchanges e USING (cat_ex_id)
        ) o ON true"""
    nodes = orjson.loads(await _text(stores.database, sql, uid))
    instruments = [order["instrument"] for node in nodes for order in node["orders"]["nodes"]]
    tickers = await stores.tickers(list({(each["ticker"], each["symbol"]) for each in instruments}))
    for each in instruments:
        each["ticker"] = tickers[each["ticker"], each["symbol"]]
    return orjson.dumps({"bots": {"nodes": nodes}})


async def me(stores: Stores, uid: int) -> bytes:
    sql = """SELECT CAST(json_build_object('me', json_build_object('uid', uid, 'mail', mail)) AS text)
        FROM users WHERE uid = $1"""
    return await _text(stores.database, sql, uid)


async def one_bot(stores: Stores, uid: int) -> bytes:
    sql = """
        SELECT CAST(json_build_object('bot', json_build_object('botId', bot_id, 'name', name, 'active', active,
            'dryRun', dry_run, 'timestamp', timestamp)) AS text)
        FROM bots WHERE bot_id = 1 AND uid = $1"""
    return await _text(stores.database, sql, uid)


async def _text(pool: object, sql: str, *values: int) -> bytes:
    return cast("str", await pool.fetchval(sql, *values)).encode()  # type: ignore[attr-defined]  # asyncpg's pool


app = Floor({"candles": candles, "columns": columns, "orders": orders, "bots": bots, "me": me, "bot": one_bot})
