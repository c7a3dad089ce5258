"""Strawchemy: types and statements derived from the SQLAlchemy models; tickers by a loader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import strawberry
import tables
from identity import uid_of
from sessions import candle_session, session, tickers
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import SchemaExtension
from strawchemy import ModelInstance, QueryHook, Strawchemy, StrawchemyAsyncRepository, StrawchemyConfig


@strawberry.type
class Ticker:
    price: float
    bid: float | None
    ask: float | None


async def _tickers(markets: list[tuple[str, str]]) -> list[Ticker]:
    found = await tickers(markets)
    return [Ticker(price=each["price"], bid=each["bid"], ask=each["ask"]) for each in found]


@dataclass
class Context:
    """The caller, the sessions of one request, and its loader."""

    uid: int
    session: AsyncSession = field(init=False)
    candle_session: AsyncSession = field(init=False)
    tickers: DataLoader[tuple[str, str], Ticker] = field(default_factory=lambda: DataLoader(_tickers))


def _session_of(info: strawberry.Info) -> Any:
    return info.context.candle_session if info.field_name == "candles" else info.context.session


strawchemy = Strawchemy(
    StrawchemyConfig("postgresql", repository_type=StrawchemyAsyncRepository, session_getter=_session_of)
)


@strawchemy.type(tables.User, include="all")
class User: ...


@strawchemy.type(tables.Symbol, include=["symbol_id", "symbol", "base", "decimals"])
class Symbol:
    instance: ModelInstance[tables.Symbol]

    @strawchemy.field(
        query_hook=QueryHook(load=[tables.Symbol.symbol, (tables.Symbol.exchange, [tables.CatExchange.name])])
    )
    async def ticker(self, info: strawberry.Info) -> Ticker:
        return await info.context.tickers.load((self.instance.exchange.name, self.instance.symbol))


@strawchemy.order(tables.Order, include="all", override=True)
class OrderOrder: ...


@strawchemy.order(tables.Bot, include="all", override=True)
class BotOrder: ...


@strawchemy.order(tables.Candle, include="all")
class CandleOrder: ...


@strawchemy.type(tables.Order, include="all", override=True)
class Order:
    instrument: Symbol | None


@strawchemy.type(tables.Bot, include="all", override=True, paginate=["orders"], order=["orders"])
class Bot: ...


@strawchemy.type(tables.Candle, include="all")
class Candle: ...


def _own_bots(info: strawberry.Info) -> Select[tables.Bot]:
    return select(tables.Bot).where(tables.Bot.uid == info.context.uid)


def _own_orders(info: strawberry.Info) -> Select[tables.Order]:
    return select(tables.Order).where(tables.Order.uid == info.context.uid)


@strawberry.type
class Query:
    bots: list[Bot] = strawchemy.field(filter_statement=_own_bots, pagination=True, order_by_input=BotOrder)
    bot: Bot | None = strawchemy.field(filter_statement=_own_bots, id_field_name="bot_id")
    orders: list[Order] = strawchemy.field(filter_statement=_own_orders, pagination=True, order_by_input=OrderOrder)
    candles: list[Candle] = strawchemy.field(pagination=True, order_by_input=CandleOrder)

    @strawchemy.field
    async def me(self, info: strawberry.Info) -> User:
        repository = StrawchemyAsyncRepository(User, info)
        return (await repository.get_by_id(uid=info.context.uid)).graphql_type()


class Sessions(SchemaExtension):
    """One session per request and database, returned to the pool with the answer."""

    async def on_operation(self) -> AsyncIterator[None]:
        async with session() as db, candle_session() as candle_db:
            context = self.execution_context.context
            context.session, context.candle_session = db, candle_db
            yield


class App(GraphQL[Context, None]):
    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        return Context(uid_of(request.headers["authorization"]))


app = App(strawberry.Schema(Query, extensions=[Sessions]))
