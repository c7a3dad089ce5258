"""The contract's schema on Strawberry as in its guide: types created from rows, data loaders for relations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
import tables
from identity import uid_of
from sessions import candle_session, session, tickers
from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import aliased
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader


@strawberry.enum
class OrderSide(Enum):
    BUY = "BUY"
    SELL = "SELL"


@strawberry.enum
class Timeframe(Enum):
    M1 = "1m"


@strawberry.type
class Ticker:
    price: float
    bid: float | None
    ask: float | None


@strawberry.type
class Symbol:
    symbol_id: int
    symbol: str
    base: str
    decimals: int
    exchange: strawberry.Private[str]

    @strawberry.field
    async def ticker(self, info: strawberry.Info) -> Ticker | None:
        return await info.context.tickers.load((self.exchange, self.symbol))


@strawberry.type
class User:
    uid: int
    mail: str


@strawberry.type
class Bot:
    bot_id: int
    uid: int
    name: str
    active: bool
    dry_run: bool
    timestamp: datetime

    @classmethod
    def of(cls, row: tables.Bot) -> Bot:
        return cls(
            bot_id=row.bot_id,
            uid=row.uid,
            name=row.name,
            active=row.active,
            dry_run=row.dry_run,
            timestamp=row.timestamp,
        )

    @strawberry.field
    async def user(self, info: strawberry.Info) -> User:
        return await info.context.users.load(self.uid)

    @strawberry.field
    async def orders(self, info: strawberry.Info, first: int = 50) -> OrderConnection:
        return OrderConnection(nodes=await info.context.orders.load((self.bot_id, first)))


@strawberry.type
class BotConnection:
    nodes: list[Bot]


@strawberry.type
class Order:
    order_id: int
    bot_id: int
    symbol: str
    side: OrderSide
    volume: float
    price: float | None
    status: str
    timestamp: datetime
    cat_ex_id: strawberry.Private[int]

    @classmethod
    def of(cls, row: tables.Order) -> Order:
        return cls(
            order_id=row.order_id,
            bot_id=row.bot_id,
            symbol=row.symbol,
            side=OrderSide(row.side.upper()),
            volume=row.volume,
            price=row.price,
            status=row.status,
            timestamp=row.timestamp,
            cat_ex_id=row.cat_ex_id,
        )

    @strawberry.field
    async def bot(self, info: strawberry.Info) -> Bot | None:
        return await info.context.bots.load(self.bot_id)

    @strawberry.field
    async def instrument(self, info: strawberry.Info) -> Symbol | None:
        return await info.context.instruments.load((self.symbol, self.cat_ex_id))


@strawberry.type
class OrderConnection:
    nodes: list[Order]


@strawberry.type
class Candle:
    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@strawberry.type
class CandleColumns:
    length: int
    time: list[float]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]


@dataclass
class Context:
    """The caller and the loaders of one request."""

    uid: int

    def __post_init__(self) -> None:
        self.users = DataLoader(self._users)
        self.bots = DataLoader(self._bots)
        self.orders = DataLoader(self._orders)
        self.instruments = DataLoader(_instruments)
        self.tickers = DataLoader(_tickers)

    async def _users(self, uids: list[int]) -> list[User | None]:
        async with session() as db:
            rows = (await db.scalars(select(tables.User).where(tables.User.uid.in_(uids)))).all()
        found = {row.uid: User(uid=row.uid, mail=row.mail) for row in rows}
        return [found.get(uid) for uid in uids]

    async def _bots(self, bot_ids: list[int]) -> list[Bot | None]:
        mine = select(tables.Bot).where(tables.Bot.bot_id.in_(bot_ids), tables.Bot.uid == self.uid)
        async with session() as db:
            found = {row.bot_id: Bot.of(row) for row in await db.scalars(mine)}
        return [found.get(bot_id) for bot_id in bot_ids]

    async def _orders(self, pages: list[tuple[int, int]]) -> list[list[Order]]:
        number = func.row_number().over(partition_by=tables.Order.bot_id, order_by=tables.Order.order_id)
        mine = select(tables.Order, number.label("number")).where(
            tables.Order.bot_id.in_([bot_id for bot_id, _ in pages]), tables.Order.uid == self.uid
        )
        numbered = mine.subquery()
        row = aliased(tables.Order, numbered)
        page = select(row).where(numbered.c.number <= max(first for _, first in pages)).order_by(numbered.c.order_id)
        found: dict[int, list[Order]] = {bot_id: [] for bot_id, _ in pages}
        async with session() as db:
            for order in await db.scalars(page):
                found[order.bot_id].append(Order.of(order))
        return [found[bot_id][:first] for bot_id, first in pages]


async def _instruments(keys: list[tuple[str, int]]) -> list[Symbol | None]:
    wanted = (
        select(tables.Symbol, tables.CatExchange.name)
        .join(tables.CatExchange, tables.CatExchange.cat_ex_id == tables.Symbol.cat_ex_id)
        .where(tuple_(tables.Symbol.symbol, tables.Symbol.cat_ex_id).in_(keys))
    )
    async with session() as db:
        rows = (await db.execute(wanted)).all()
    found = {(row.symbol, row.cat_ex_id): _symbol(row, exchange) for row, exchange in rows}
    return [found.get(key) for key in keys]


def _symbol(row: tables.Symbol, exchange: str) -> Symbol:
    return Symbol(symbol_id=row.symbol_id, symbol=row.symbol, base=row.base, decimals=row.decimals, exchange=exchange)


async def _tickers(markets: list[tuple[str, str]]) -> list[Ticker]:
    found = await tickers(markets)
    return [Ticker(price=each["price"], bid=each["bid"], ask=each["ask"]) for each in found]


async def _candles(last: int) -> list[tables.Candle]:
    newest = select(tables.Candle).order_by(tables.Candle.timestamp.desc()).limit(last)
    async with candle_session() as db:
        return list(reversed((await db.scalars(newest)).all()))


@strawberry.type
class Query:
    @strawberry.field
    async def me(self, info: strawberry.Info) -> User:
        return await info.context.users.load(info.context.uid)

    @strawberry.field
    async def bot(self, info: strawberry.Info, bot_id: int) -> Bot | None:
        return await info.context.bots.load(bot_id)

    @strawberry.field
    async def bots(self, info: strawberry.Info, first: int = 50) -> BotConnection:
        page = select(tables.Bot).where(tables.Bot.uid == info.context.uid).order_by(tables.Bot.bot_id).limit(first)
        async with session() as db:
            return BotConnection(nodes=[Bot.of(row) for row in await db.scalars(page)])

    @strawberry.field
    async def orders(self, info: strawberry.Info, first: int = 50) -> OrderConnection:
        mine = select(tables.Order).where(tables.Order.uid == info.context.uid)
        async with session() as db:
            rows = await db.scalars(mine.order_by(tables.Order.order_id).limit(first))
            return OrderConnection(nodes=[Order.of(row) for row in rows])

    @strawberry.field
    async def candles(self, exchange: str, symbol: str, timeframe: Timeframe, last: int) -> list[Candle]:
        return [
            Candle(time=row.timestamp, open=row.open, high=row.high, low=row.low, close=row.close, volume=row.vol)
            for row in await _candles(last)
        ]

    @strawberry.field
    async def candle_columns(self, exchange: str, symbol: str, timeframe: Timeframe, last: int) -> CandleColumns:
        rows = await _candles(last)
        return CandleColumns(
            length=len(rows),
            time=[row.timestamp.timestamp() * 1000 for row in rows],
            open=[row.open for row in rows],
            high=[row.high for row in rows],
            low=[row.low for row in rows],
            close=[row.close for row in rows],
            volume=[row.vol for row in rows],
        )


class App(GraphQL[Context, None]):
    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        return Context(uid_of(request.headers["authorization"]))


app = App(strawberry.Schema(Query))
