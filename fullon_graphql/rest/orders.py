"""Orders over REST."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Select, func

from fullon_graphql.context import Process
from fullon_graphql.models import Bot, Order
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import TheCaller, TheProcess
from fullon_graphql.rest.parameters import Key, Name, Page, ThePage, Time
from fullon_graphql.rest.rows import found, listed, one, row_model, rows_of
from fullon_graphql.services import bots, orders
from fullon_graphql.services.order_status import CLOSED

orm = APIRouter(prefix="/orm/orders", tags=["orders"])

Row = row_model(Order)

OfBot = Annotated[Key | None, Query(description="Only those of this bot.")]


@orm.get("", response_model=rows_of(Row), summary="All orders one may see")
async def everything(process: TheProcess, caller: TheCaller, page: ThePage) -> Json:
    """Newest first."""
    return await _listed(process, orders.visible(caller), page)


@orm.get("/by-bot", response_model=rows_of(Row), summary="The orders of a bot")
async def by_bot(
    process: TheProcess,
    caller: TheCaller,
    page: ThePage,
    bot_id: Annotated[Key, Query(description="Key of the bot.")],
    status: Annotated[Name | None, Query(description="Only those with this status, in any letter case.")] = None,
) -> Json:
    """Newest first."""
    await found(process, bots.visible(caller).where(Bot.bot_id == bot_id))
    query = orders.visible(caller).where(Order.bot_id == bot_id)
    return await _listed(process, query.where(func.lower(Order.status) == status.lower()) if status else query, page)


@orm.get("/open", response_model=rows_of(Row), summary="The orders that something may still happen to")
async def still_open(process: TheProcess, caller: TheCaller, page: ThePage, bot_id: OfBot = None) -> Json:
    """Newest first: all that are not filled, cancelled or rejected."""
    query = orders.visible(caller).where(func.lower(Order.status).not_in(CLOSED))
    return await _listed(process, _of_bot(query, bot_id), page)


@orm.get("/history", response_model=rows_of(Row), summary="The orders of a time")
async def history(
    process: TheProcess,
    caller: TheCaller,
    page: ThePage,
    bot_id: OfBot = None,
    start_date: Annotated[Time | None, Query(description="Only those made at or after this time.")] = None,
    end_date: Annotated[Time | None, Query(description="Only those made at or before this time.")] = None,
) -> Json:
    """Newest first."""
    query = _of_bot(orders.visible(caller), bot_id)
    query = query.where(Order.timestamp >= start_date) if start_date else query
    return await _listed(process, query.where(Order.timestamp <= end_date) if end_date else query, page)


@orm.get("/by-symbol", response_model=rows_of(Row), summary="The orders of an instrument")
async def by_symbol(
    process: TheProcess,
    caller: TheCaller,
    page: ThePage,
    symbol: Annotated[Name, Query(description="As the exchange spells it, percent-encoded.", examples=["BTC/USD"])],
    bot_id: OfBot = None,
) -> Json:
    """Newest first."""
    return await _listed(process, _of_bot(orders.visible(caller).where(Order.symbol == symbol), bot_id), page)


@orm.get("/{order_id}", response_model=Row, summary="One order")
async def order(process: TheProcess, caller: TheCaller, order_id: Key) -> Json:
    """Its row."""
    return await one(process, orders.visible(caller).where(Order.order_id == order_id))


async def _listed(process: Process, query: Select[Any], page: Page) -> Json:
    return await listed(process, query, page, Order.order_id.desc())


def _of_bot(query: Select[Any], bot_id: int | None) -> Select[Any]:
    return query if bot_id is None else query.where(Order.bot_id == bot_id)
