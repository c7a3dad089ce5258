"""Trades over REST: those of bots that rehearse (`dry`), and those that really happened (`live`)."""

from __future__ import annotations

from operator import eq, ge, le
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import Select, func, tuple_

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import Bot, DryTrade, Order, Trade
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.changes import Done, TheChanges, as_arguments, given
from fullon_graphql.rest.parameters import Key, Name, Page, PageParams, Time
from fullon_graphql.rest.rows import found, listed, row_model, rows_of
from fullon_graphql.services import bots, dry_trades, trades
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics.ledger import TradeKind
from fullon_graphql.services.writing.executor import UnitOfWork

orm = APIRouter(prefix="/orm/trades", tags=["trades"])

Live = row_model(Trade)
Dry = row_model(DryTrade)
Row = rows_of(Live, Dry)


OfKind = Annotated[TradeKind, Query(description="Simulated ones, as on the platform unless asked, or real ones.")]
BotKey = Annotated[Key, Query(description="Key of the bot.")]
OfBot = Annotated[Key | None, Query(description="Only those of this bot.")]
OfSymbol = Annotated[Name, Query(description="As the exchange spells it, percent-encoded.", examples=["BTC/USD"])]


@orm.get("", response_model=Row, summary="All trades one may see")
async def everything(
    worker: WorkerDep, caller: CallerDep, page: PageParams, trade_type: OfKind = TradeKind.DRY
) -> Json:
    """Newest first."""
    return await _listed(worker, _visible(caller, trade_type), page)


@orm.get("/bot", response_model=Row, summary="The trades of a bot")
@orm.get("/by-bot", response_model=Row, summary="The same under the platform's other name")
async def by_bot(
    worker: WorkerDep, caller: CallerDep, page: PageParams, bot_id: BotKey, trade_type: OfKind = TradeKind.DRY
) -> Json:
    """Newest first. A live trade is a bot's where the order it belongs to is."""
    await found(worker, visible(Bot, caller).where(Bot.bot_id == bot_id))
    return await _listed(worker, _of_bot(_visible(caller, trade_type), caller, bot_id), page)


@orm.get("/by-symbol", response_model=Row, summary="The trades of an instrument")
async def by_symbol(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    symbol: OfSymbol,
    bot_id: OfBot = None,
    trade_type: OfKind = TradeKind.DRY,
) -> Json:
    """Newest first."""
    query = _of_bot(_visible(caller, trade_type), caller, bot_id)
    return await _listed(worker, query.where(_table(query).symbol == symbol), page)


@orm.get("/live", response_model=rows_of(Live), summary="What really happened")
async def live(worker: WorkerDep, caller: CallerDep, page: PageParams, bot_id: OfBot = None) -> Json:
    """Newest first."""
    return await _listed(worker, _of_bot(visible(Trade, caller), caller, bot_id), page)


@orm.get("/history", response_model=Row, summary="The trades that match")
async def history(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    trade_type: OfKind = TradeKind.DRY,
    bot_id: OfBot = None,
    ex_id: Annotated[Key | None, Query(description="Only those on this account.")] = None,
    symbol: Annotated[Name | None, Query(description="Only those of this instrument.")] = None,
    side: Annotated[Name | None, Query(description="`buy` or `sell`, in any letter case.")] = None,
    start_date: Annotated[Time | None, Query(description="Only those at or after this time.")] = None,
    end_date: Annotated[Time | None, Query(description="Only those at or before this time.")] = None,
) -> Json:
    """Newest first."""
    query = _of_bot(_visible(caller, trade_type), caller, bot_id)
    table, time = _table(query), _time(query)
    asked = [
        (eq, table.ex_id, ex_id),
        (eq, table.symbol, symbol),
        (eq, func.lower(table.side), side and side.lower()),
        (ge, time, start_date),
        (le, time, end_date),
    ]
    conditions = [compare(column, value) for compare, column, value in asked if value is not None]
    return await _listed(worker, query.where(*conditions), page)


class NewDryTrade(BaseModel):
    """A simulated trade to be noted."""

    bot_id: Key
    symbol: str = Field(examples=["BTC/USD"])
    side: str = Field(description="`buy` or `sell`.", examples=["buy"])
    volume: float = Field(description="In base currency.", examples=[0.5])
    price: float = Field(description="In quote currency.", examples=[100.0])
    ex_id: Key | None = Field(None, description="The account; not needed where the bot has only one.")
    fee: float | None = Field(None, description="In quote currency.")
    roi: float | None = Field(None, description="What it won, in quote currency.")
    roi_pct: float | None = None
    reason: str | None = None
    closingtrade: bool = Field(False, description="Whether it closes a position.")


@orm.post("/dry", response_model=Dry, status_code=201, summary="Note a simulated trade")
async def create(changes: TheChanges, trade: NewDryTrade) -> Json:
    """The new row; its cost is volume times price."""

    async def made(write: UnitOfWork) -> int:
        ex_id = trade.ex_id
        if ex_id is None:
            ex_id = await bots.account_on(write, trade.bot_id)
        return await dry_trades.create(write, given(trade, "ex_id") | {"ex_id": ex_id})

    return await changes.row("createDryTrade", as_arguments(trade), made, DryTrade, status=201)


class Computed(BaseModel):
    """What is computed of a live trade; what is left out stays. Anything else, such as `status`, is not looked at."""

    cur_volume: float | None = Field(None, description="Size of the position after it, in base currency.")
    cur_avg_price: float | None = None
    cur_avg_cost: float | None = None
    cur_fee: float | None = None
    roi: float | None = Field(None, description="What it won, in quote currency.")
    roi_pct: float | None = None
    total_fee: float | None = None


class NewTrade(Computed):
    """A trade as an exchange has reported it."""

    ex_trade_id: str = Field(description="The exchange's id of it; unique together with `ex_order_id`.")
    ex_order_id: str = Field(description="The exchange's id of the order, through which the trade is a bot's.")
    symbol: str = Field(examples=["BTC/USD"])
    order_type: str = Field(examples=["market"])
    side: str = Field(description="`buy` or `sell`.", examples=["buy"])
    volume: float = Field(description="In base currency.", examples=[0.5])
    price: float = Field(description="In quote currency.", examples=[100.0])
    ex_id: Key | None = Field(None, description="The account; not needed with a bot that has only one.")
    bot_id: Key | None = Field(None, description="Whose only account it is, where `ex_id` is left out.")
    cost: float | None = Field(None, description="In quote currency; volume times price unless given.")
    fee: float | None = Field(None, description="In quote currency; 0 unless given.")
    leverage: float | None = None
    time: Time | None = Field(None, description="When the exchange made it; now unless given.")


class TradeOfBot(NewDryTrade, extra="allow"):
    """A simulated trade; with `trade_type=live` what `/trades/live` takes."""


@orm.post("/live", response_model=Live, status_code=201, summary="Note a trade that an exchange has reported")
async def create_live(changes: TheChanges, trade: NewTrade) -> Json:
    """The row. One that is stored already is answered as it is; 409 where the two differ."""

    async def made(write: UnitOfWork) -> int:
        values = given(trade, "bot_id")
        if trade.ex_id is None:
            values["ex_id"] = await _account(write, trade.bot_id)
        return await trades.create(write, values)

    return await changes.row("createTrade", as_arguments(trade), made, Trade, status=201)


@orm.post("/bot", response_model=Live | Dry, status_code=201, summary="Note a trade of a bot")
async def create_of_bot(changes: TheChanges, trade: TradeOfBot, trade_type: OfKind = TradeKind.DRY) -> Json:
    """The new row, of the kind that is asked for."""
    if trade_type is TradeKind.DRY:
        return await create(changes, NewDryTrade.model_validate(given(trade)))
    try:
        reported = NewTrade.model_validate(given(trade))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    return await create_live(changes, reported)


@orm.patch("/{trade_id}", response_model=Live, summary="Set what is computed of a live trade")
async def change(changes: TheChanges, trade_id: Key, computed: Computed) -> Json:
    """The row as it is now."""
    return await changes.row(
        "updateTrade",
        {"trade_id": trade_id} | as_arguments(computed),
        lambda write: trades.change(write, trade_id, given(computed)),
        Trade,
    )


@orm.delete("/{trade_id}", response_model=Done, summary="Delete a live trade")
async def delete(changes: TheChanges, trade_id: Key) -> Json:
    """Its order stays."""
    return await changes.gone("deleteTrade", {"trade_id": trade_id}, lambda write: trades.remove(write, trade_id))


async def _account(write: UnitOfWork, bot_id: int | None) -> int:
    if bot_id is None:
        raise BadUserInput("Name the account by `ex_id`, or a bot that has only one by `bot_id`.", field="exId")
    return await bots.account_on(write, bot_id)


async def _listed(worker: Worker, query: Select[Any], page: Page) -> Json:
    return await listed(worker, query, page, _table(query).trade_id.desc())


def _visible(caller: Caller, kind: TradeKind) -> Select[Any]:
    return visible(Trade, caller) if kind is TradeKind.LIVE else visible(DryTrade, caller)


def _table(query: Select[Any]) -> Any:
    return query.column_descriptions[0]["entity"]


def _time(query: Select[Any]) -> Any:
    return Trade.time if _table(query) is Trade else DryTrade.timestamp


def _of_bot(query: Select[Any], caller: Caller, bot_id: int | None) -> Select[Any]:
    if bot_id is None:
        return query
    if _table(query) is DryTrade:
        return query.where(DryTrade.bot_id == bot_id)
    # Two exchanges may give out one number: the account has to be the same, too.
    columns = (Order.uid, Order.ex_id, Order.ex_order_id)
    of_orders = visible(Order, caller).where(Order.bot_id == bot_id).with_only_columns(*columns)
    return query.where(tuple_(Trade.uid, Trade.ex_id, Trade.ex_order_id).in_(of_orders))
