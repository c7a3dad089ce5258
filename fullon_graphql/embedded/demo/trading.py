"""The demo's stand-in for the platform's own bot programs: they place orders, and the exchange fills them.

Those programs are no clients of the graph. They write the platform's tables and keys themselves, and so does this.
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

import asyncpg
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
from fullon_graphql.embedded.demo.position_math import Holding, order_key, settle, trade_key
from fullon_graphql.models import Bot, BotExchange, BotLog, CatExchange, Exchange, Feed, Order, Strategy, Symbol, Trade

log = structlog.get_logger(__name__)

FRESH: Final = 60.0
"""Seconds after which a ticker is too old to trade on."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between two steps, at most, while a store does not answer."""

_AT_ONCE: Final = 200
"""Orders that one step looks after; the oldest first."""
_FATES: Final[Mapping[str, Mapping[str, int]]] = {
    "New": {"open": 97, "rejected": 3},
    "open": {"filled": 77, "partially_filled": 15, "canceled": 8},
    "partially_filled": {"filled": 90, "canceled": 10},
}
"""What becomes of an unfinished order in the next step, in percent. Other statuses are final."""
_OPENING: Final = ("averages crossed", "rsi crossed its bound")
_CLOSING: Final = ("take profit", "stop loss")
_WORTH: Final = (200.0, 5_000.0)
"""What an opening order is worth, in the quote currency."""


Place = tuple[int, int, str]
"""What the orders of a desk have in bot_id, ex_id and symbol."""


@dataclass(frozen=True, slots=True)
class TradingPair:
    """An instrument that a bot trades on an account. `feed` is the number and `period` the kind of its first feed."""

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
    def place(self) -> Place:
        return self.bot_id, self.ex_id, self.symbol

    def price(self, side: str) -> float:
        """What one pays for buying, or gets for selling, at once."""
        price = self.ticker.ask if side.lower() == "buy" else self.ticker.bid
        return self.ticker.price if price is None else price


async def trade(database: Database, redis: Redis, *, seed: int, pause: float = 3.0) -> None:
    """Let the bots trade, one step every `pause` seconds, until cancelled.

    While a store does not answer, the steps become rarer; nothing else comes of it.
    """
    choices = Random(seed)  # noqa: S311  # dice of a game, no secret
    wait = pause
    while True:
        try:
            await step(database, redis, choices)
            wait = pause
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError, OSError) as error:
            wait = min(2 * wait, LONGEST_PAUSE)
            log.warning("trading.interrupted", error=str(error).partition("\n")[0], seconds=wait)
        await asyncio.sleep(wait)


async def step(database: Database, redis: Redis, choices: Random) -> None:
    """Every order under way goes one stage further, then one bot that has none places one.

    Active bots that are no dry runs take part, as far as their instruments have a fresh ticker. Each change of an
    order is a transaction of its own, so that whoever watches sees every stage.
    """
    desks = await _open_desks(database, redis)
    orders = await _unfinished(database, desks)
    for order in orders:
        desk = desks[order.bot_id, order.ex_id, order.symbol]
        async with database.transaction() as connection:
            holding = await _advance(connection, desk, order, choices)
        await _tell(redis, desk, holding)
    busy = {order.bot_id for order in orders}
    idle = [desk for desk in desks.values() if desk.bot_id not in busy]
    if idle:
        desk = choices.choice(idle)
        async with database.transaction() as connection:
            holding = await _place(connection, desk, choices)
        await _tell(redis, desk, holding)


async def _open_desks(database: Database, redis: Redis) -> dict[Place, TradingPair]:
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
    seen = await tickers.read_many(redis, [(row.exchange, row.symbol) for row in rows])
    now = time.time()
    fresh = ((row, ticker) for row, ticker in zip(rows, seen, strict=True) if ticker and now - ticker.time < FRESH)
    desks = (TradingPair(**row._mapping, ticker=ticker) for row, ticker in fresh)
    return {desk.place: desk for desk in desks}


async def _unfinished(database: Database, desks: Mapping[Place, TradingPair]) -> Sequence[Row[Any]]:
    """The orders under way at `desks`, oldest first."""
    if not desks:
        return []
    place = tuple_(Order.bot_id, Order.ex_id, Order.symbol)
    statement = select(Order.__table__).where(Order.status.in_(_FATES), place.in_(list(desks)))
    return await database.rows(statement.order_by(Order.order_id).limit(_AT_ONCE))


async def _advance(connection: AsyncConnection, desk: TradingPair, order: Row[Any], choices: Random) -> Holding:
    """Take an order to its next stage, unless somebody has changed it meanwhile; the account's holding after that."""
    holding = await _holding(connection, desk)
    status = _one_of(choices, _FATES[order.status])
    volume = _fill_volume(order, status, choices)
    price = desk.price(order.side) if order.order_type == "market" else order.price or desk.price(order.side)
    before = order.final_volume or 0.0
    filled = round(before + volume, 8)
    changes: dict[str, Any] = {"status": status}
    if status == "open":
        changes["ex_order_id"] = order_key(desk.exchange, order.order_id)
    if volume:
        changes |= {"final_volume": filled, "price": round((before * (order.price or 0) + volume * price) / filled, 8)}
    unchanged = (Order.order_id == order.order_id) & (Order.status == order.status)
    if not (await connection.execute(update(Order).where(unchanged).values(changes))).rowcount:
        return holding
    if volume:
        holding, columns = settle(holding, order.side, volume, price, desk.leverage)
        await connection.execute(insert(Trade).values(_trade(desk, order) | columns))
    if status not in _FATES:
        await _write_log(connection, desk, holding, f"{order.side} {desk.symbol} {status}, {filled} of {order.volume}")
    return holding


def _fill_volume(order: Row[Any], status: str, choices: Random) -> float:
    """How much of the order is filled as it takes on `status`."""
    rest: float = order.volume - (order.final_volume or 0.0)
    match status:
        case "filled":
            return round(rest, 8)
        case "partially_filled":
            return round(rest * choices.uniform(0.2, 0.8), 6)
        case _:
            return 0.0


def _trade(desk: TradingPair, order: Row[Any]) -> dict[str, Any]:
    """What the trade that fills an order, or the rest of it, has from the order."""
    return {
        "ex_trade_id": trade_key(order.ex_order_id, 2 if order.final_volume else 1),
        "ex_order_id": order.ex_order_id,
        "uid": desk.uid,
        "ex_id": desk.ex_id,
        "symbol": desk.symbol,
        "order_type": order.order_type,
        "side": order.side.capitalize(),
        "leverage": desk.leverage,
    }


async def _place(connection: AsyncConnection, desk: TradingPair, choices: Random) -> Holding:
    """Place an order that closes what the account holds, or opens a holding; what it holds now."""
    holding = await _holding(connection, desk)
    side = _side(holding, desk, choices)
    order_type = choices.choice(("market", "limit"))
    price = desk.price(side)
    order = {
        "bot_id": desk.bot_id,
        "uid": desk.uid,
        "ex_id": desk.ex_id,
        "cat_ex_id": desk.cat_ex_id,
        "exchange": desk.exchange,
        "symbol": desk.symbol,
        "futures": desk.futures,
        "leverage": desk.leverage,
        "order_type": order_type,
        "side": side,
        "volume": abs(holding.volume) or round(choices.uniform(*_WORTH) / price, 6),
        "price": price if order_type == "limit" else None,
        "tick": desk.ticker.price,
        "status": "New",
        "reason": choices.choice(_CLOSING if holding.volume else _OPENING),
    }
    await connection.execute(insert(Order).values(order))
    return holding


def _side(holding: Holding, desk: TradingPair, choices: Random) -> str:
    if holding.volume:
        return "sell" if holding.volume > 0 else "buy"
    return choices.choice(("buy", "sell")) if desk.futures else "buy"  # what one does not own, only futures sell


async def _holding(connection: AsyncConnection, desk: TradingPair) -> Holding:
    """What the account holds of the symbol, as its newest trade says."""
    newest = (
        select(Trade.cur_volume, Trade.cur_avg_price, Trade.cur_fee)
        .where(Trade.uid == desk.uid, Trade.ex_id == desk.ex_id, Trade.symbol == desk.symbol)
        .order_by(Trade.trade_id.desc())
        .limit(1)
    )
    row = (await connection.execute(newest)).first()
    return Holding(*(value or 0.0 for value in row)) if row else Holding()


async def _write_log(connection: AsyncConnection, desk: TradingPair, holding: Holding, message: str) -> None:
    line = {"bot_id": desk.bot_id, "feed_num": desk.feed, "ex_id": desk.ex_id, "symbol": desk.symbol}
    said = {"position": Decimal(str(holding.volume)), "message": message.lower()}
    await connection.execute(insert(BotLog).values(line | said))


async def _tell(redis: Redis, desk: TradingPair, holding: Holding) -> None:
    """Write what the bot says about itself: per feed, as the platform's bots do."""
    gain = (desk.ticker.price / holding.price - 1) * 100 if holding.volume else 0.0
    feed = {
        "status": "in position" if holding.volume else "looking",
        "symbol": desk.symbol,
        "period": desk.period,
        "position": holding.volume,
        "performance": round(gain * desk.leverage * (1 if holding.volume > 0 else -1), 4),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    await redis.hset(keys.BOT_STATUS, str(desk.bot_id), json.dumps({str(desk.feed): feed}))
    await redis.publish(keys.changes(keys.BOT_STATUS), "")


def _one_of(choices: Random, weights: Mapping[str, int]) -> str:
    return choices.choices(list(weights), weights=list(weights.values()))[0]
