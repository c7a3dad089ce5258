"""Simulates the platform's bot programs, which place orders, and the exchange, which fills them.

The bot programs are not clients of the graph: they write the platform's tables and keys directly, and so does this.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Row, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from fullon_graphql.database.failures import DRIVER_ERRORS
from fullon_graphql.embedded.demo.position_math import Position, order_key, settle, trade_key
from fullon_graphql.models import Bot, BotExchange, BotLog, CatExchange, Exchange, Feed, Order, Strategy, Symbol, Trade

log = structlog.get_logger(__name__)

FRESH: Final = 60.0
"""Seconds after which a ticker is too old for trading."""
LONGEST_PAUSE: Final = 30.0
"""Upper limit of the seconds between two steps while a store does not answer."""

_ORDERS_PER_STEP: Final = 200
"""Open orders that one step advances; the oldest first."""
_TRANSITIONS: Final[Mapping[str, Mapping[str, int]]] = {
    "New": {"open": 97, "rejected": 3},
    "open": {"filled": 77, "partially_filled": 15, "canceled": 8},
    "partially_filled": {"filled": 90, "canceled": 10},
}
"""The next status of an open order, in percent. Other statuses are final."""
_OPENING: Final = ("averages crossed", "rsi crossed its bound")
_CLOSING: Final = ("take profit", "stop loss")
_WORTH: Final = (200.0, 5_000.0)
"""Value of an opening order, in quote currency."""

PairKey = tuple[int, int, str]
"""The bot_id, ex_id and symbol of a trading pair and its orders."""


@dataclass(frozen=True, slots=True)
class TradingPair:
    """An instrument that a bot trades on an account, with the number and period of its first feed."""

    bot_id: int
    uid: int
    ex_id: int
    cat_ex_id: int
    exchange: str
    symbol: str
    futures: bool
    leverage: float
    feed: int
    period: str
    ticker: Ticker

    @property
    def key(self) -> PairKey:
        return self.bot_id, self.ex_id, self.symbol

    def price(self, side: str) -> float:
        """The price of an immediate buy or sell."""
        price = self.ticker.ask if side.lower() == "buy" else self.ticker.bid
        return self.ticker.price if price is None else price


async def trade(database: Database, redis: Redis, *, seed: int, pause: float = 3.0) -> None:
    """Advance the simulation by one step every `pause` seconds, until cancelled.

    While a store does not answer, the pauses become longer.
    """
    choices = Random(seed)  # noqa: S311  # not for secrets
    wait = pause
    while True:
        try:
            await step(database, redis, choices)
            wait = pause
        except (*DRIVER_ERRORS, SQLAlchemyError, RedisError) as error:
            wait = min(2 * wait, LONGEST_PAUSE)
            log.warning("trading.interrupted", error=str(error).partition("\n")[0], seconds=wait)
        await asyncio.sleep(wait)


async def step(database: Database, redis: Redis, choices: Random) -> None:
    """Advance every open order to its next status, then let one bot without an open order place one.

    This includes active bots that are not dry runs and whose instruments have a fresh ticker. Each change of an order
    is a transaction of its own, so subscribers see every status.
    """
    pairs = await _tradable_pairs(database, redis)
    orders = await _open_orders(database, pairs)
    for order in orders:
        pair = pairs[order.bot_id, order.ex_id, order.symbol]
        async with database.transaction() as connection:
            position = await _advance(connection, pair, order, choices)
        await _write_status(redis, pair, position)
    busy = {order.bot_id for order in orders}
    idle = [pair for pair in pairs.values() if pair.bot_id not in busy]
    if idle:
        pair = choices.choice(idle)
        async with database.transaction() as connection:
            position = await _place(connection, pair, choices)
        await _write_status(redis, pair, position)


async def _tradable_pairs(database: Database, redis: Redis) -> dict[PairKey, TradingPair]:
    trader = Bot.bot_id, Bot.uid, Exchange.ex_id, Exchange.cat_ex_id, CatExchange.name.label("exchange")
    traded = Symbol.symbol, Symbol.futures, Strategy.leverage, Feed.order.label("feed"), Feed.period
    rows = await database.rows(
        select(*trader, *traded)
        .join(BotExchange, BotExchange.bot_id == Bot.bot_id)
        .join(Exchange, Exchange.ex_id == BotExchange.ex_id)
        .join(CatExchange, CatExchange.cat_ex_id == Exchange.cat_ex_id)
        .join(Strategy, Strategy.bot_id == Bot.bot_id)
        .join(Feed, Feed.str_id == Strategy.str_id)
        .join(Symbol, (Symbol.symbol_id == Feed.symbol_id) & (Symbol.cat_ex_id == Exchange.cat_ex_id))
        .where(Bot.active, Bot.dry_run.is_not(True), Exchange.active)
        .order_by(Bot.bot_id, Exchange.ex_id, Symbol.symbol, Feed.order)
        .ext(distinct_on(Bot.bot_id, Exchange.ex_id, Symbol.symbol))
    )
    newest = await tickers.read_many(redis, [(row.exchange, row.symbol) for row in rows])
    now = time.time()
    fresh = ((row, ticker) for row, ticker in zip(rows, newest, strict=True) if ticker and now - ticker.time < FRESH)
    pairs = (TradingPair(**row._mapping, ticker=ticker) for row, ticker in fresh)
    return {pair.key: pair for pair in pairs}


async def _open_orders(database: Database, pairs: Mapping[PairKey, TradingPair]) -> Sequence[Row[Any]]:
    """The open orders of `pairs`, oldest first. Others wrote orders without an exchange's id, which are left alone."""
    if not pairs:
        return []
    key = tuple_(Order.bot_id, Order.ex_id, Order.symbol)
    known_to_exchange = (Order.status == "New") | Order.ex_order_id.is_not(None)
    statement = select(Order.__table__).where(Order.status.in_(_TRANSITIONS), known_to_exchange, key.in_(list(pairs)))
    return await database.rows(statement.order_by(Order.order_id).limit(_ORDERS_PER_STEP))


async def _advance(connection: AsyncConnection, pair: TradingPair, order: Row[Any], choices: Random) -> Position:
    """Advance an order, unless another program has changed it; return the position of the account."""
    position = await _position_of(connection, pair)
    status = _one_of(choices, _TRANSITIONS[order.status])
    volume = _fill_volume(order, status, choices)
    price = pair.price(order.side) if order.order_type == "market" else order.price or pair.price(order.side)
    before = order.final_volume or 0.0
    filled = round(before + volume, 8)
    changes: dict[str, Any] = {"status": status}
    if status == "open":
        changes["ex_order_id"] = order_key(pair.exchange, order.order_id)
    if volume:
        changes |= {"final_volume": filled, "price": round((before * (order.price or 0) + volume * price) / filled, 8)}
    unchanged = (Order.order_id == order.order_id) & (Order.status == order.status)
    if not (await connection.execute(update(Order).where(unchanged).values(changes))).rowcount:
        return position
    if volume:
        position, columns = settle(position, order.side, volume, price, pair.leverage)
        await connection.execute(insert(Trade).values(_trade(pair, order) | columns))
    if status not in _TRANSITIONS:
        await _write_log(connection, pair, position, f"{order.side} {pair.symbol} {status}, {filled} of {order.volume}")
    return position


def _fill_volume(order: Row[Any], status: str, choices: Random) -> float:
    """The volume that is filled at the change to `status`."""
    rest: float = order.volume - (order.final_volume or 0.0)
    match status:
        case "filled":
            return round(rest, 8)
        case "partially_filled":
            return round(rest * choices.uniform(0.2, 0.8), 6)
        case _:
            return 0.0


def _trade(pair: TradingPair, order: Row[Any]) -> dict[str, Any]:
    """The columns of a trade that are those of its order."""
    return {
        "ex_trade_id": trade_key(order.ex_order_id, 2 if order.final_volume else 1),
        "ex_order_id": order.ex_order_id,
        "uid": pair.uid,
        "ex_id": pair.ex_id,
        "symbol": pair.symbol,
        "order_type": order.order_type,
        "side": order.side.capitalize(),
        "leverage": pair.leverage,
    }


async def _place(connection: AsyncConnection, pair: TradingPair, choices: Random) -> Position:
    """Place an order that closes the position of the account, or opens one; return the current position."""
    position = await _position_of(connection, pair)
    side = _side(position, pair, choices)
    order_type = choices.choice(("market", "limit"))
    price = pair.price(side)
    order = {
        "bot_id": pair.bot_id,
        "uid": pair.uid,
        "ex_id": pair.ex_id,
        "cat_ex_id": pair.cat_ex_id,
        "exchange": pair.exchange,
        "symbol": pair.symbol,
        "futures": pair.futures,
        "leverage": pair.leverage,
        "order_type": order_type,
        "side": side,
        "volume": abs(position.volume) or round(choices.uniform(*_WORTH) / price, 6),
        "price": price if order_type == "limit" else None,
        "tick": pair.ticker.price,
        "status": "New",
        "reason": choices.choice(_CLOSING if position.volume else _OPENING),
    }
    await connection.execute(insert(Order).values(order))
    return position


def _side(position: Position, pair: TradingPair, choices: Random) -> str:
    if position.volume:
        return "sell" if position.volume > 0 else "buy"
    return choices.choice(("buy", "sell")) if pair.futures else "buy"  # only futures can be sold short


async def _position_of(connection: AsyncConnection, pair: TradingPair) -> Position:
    """The position of the account, from its newest trade."""
    newest = (
        select(Trade.cur_volume, Trade.cur_avg_price, Trade.cur_fee)
        .where(Trade.uid == pair.uid, Trade.ex_id == pair.ex_id, Trade.symbol == pair.symbol)
        .order_by(Trade.trade_id.desc())
        .limit(1)
    )
    row = (await connection.execute(newest)).first()
    return Position(*(value or 0.0 for value in row)) if row else Position()


async def _write_log(connection: AsyncConnection, pair: TradingPair, position: Position, message: str) -> None:
    line = {"bot_id": pair.bot_id, "feed_num": pair.feed, "ex_id": pair.ex_id, "symbol": pair.symbol}
    values = {"position": Decimal(str(position.volume)), "message": message.lower()}
    await connection.execute(insert(BotLog).values(line | values))


async def _write_status(redis: Redis, pair: TradingPair, position: Position) -> None:
    """Write the status of the bot, per feed, like the platform's bots."""
    gain = (pair.ticker.price / position.price - 1) * 100 if position.volume else 0.0
    feed = {
        "status": "in position" if position.volume else "looking",
        "symbol": pair.symbol,
        "period": pair.period,
        "position": position.volume,
        "performance": round(gain * pair.leverage * (1 if position.volume > 0 else -1), 4),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    await redis.hset(keys.BOT_STATUS, str(pair.bot_id), json.dumps({str(pair.feed): feed}))
    await redis.publish(keys.changes(keys.BOT_STATUS), "")


def _one_of(choices: Random, weights: Mapping[str, int]) -> str:
    return choices.choices(list(weights), weights=list(weights.values()))[0]
