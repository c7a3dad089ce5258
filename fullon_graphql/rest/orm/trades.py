"""Trades over REST: simulated ones (`dry`) and those of an exchange (`live`)."""

from __future__ import annotations

from collections.abc import Mapping
from operator import eq, ge, le
from typing import Annotated, Any, Final

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import Select, func, tuple_

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import Base, Bot, DryTrade, Order, Trade
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.changes import ChangesDep, Done, as_arguments, given
from fullon_graphql.rest.parameters import Key, Name, Page, PageParams, Time
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import find_row, get_row, list_of, list_query, list_rows, row_model
from fullon_graphql.services import bots, dry_trades, trades
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics.ledger import TradeKind
from fullon_graphql.services.writing.executor import UnitOfWork

router = RouteList(prefix="/orm/trades", tags=["trades"])

Live = row_model(Trade)
Dry = row_model(DryTrade)
Row = list_of(Live, Dry)

_TABLES: Final[Mapping[TradeKind, type[Base]]] = {TradeKind.LIVE: Trade, TradeKind.DRY: DryTrade}


OfKind = Annotated[TradeKind, Query(description="`dry` for simulated trades, `live` for trades of an exchange.")]
BotKey = Annotated[Key, Query(description="Key of the bot.")]
OfBot = Annotated[Key | None, Query(description="Only trades of this bot.")]
OfSymbol = Annotated[
    Name, Query(description="Symbol in the exchange's spelling, percent-encoded.", examples=["BTC/USD"])
]


@router.get("", response_model=Row, summary="List trades")
async def list_trades(
    worker: WorkerDep, caller: CallerDep, page: PageParams, trade_type: OfKind = TradeKind.DRY
) -> Json:
    """Newest first."""
    return await list_rows(worker, caller, _TABLES[trade_type], page, newest_first=True)


@router.get("/bot", response_model=Row, summary="List the trades of a bot")
@router.get("/by-bot", response_model=Row, summary="List the trades of a bot (second path)")
async def list_trades_of_bot(
    worker: WorkerDep, caller: CallerDep, page: PageParams, bot_id: BotKey, trade_type: OfKind = TradeKind.DRY
) -> Json:
    """Newest first. A live trade belongs to the bot of its order."""
    await find_row(worker, caller, Bot, bot_id=bot_id)
    return await _newest_first(worker, caller, _of_bot(_visible(caller, trade_type), caller, bot_id), page)


@router.get("/by-symbol", response_model=Row, summary="List the trades of an instrument")
async def list_trades_of_symbol(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    symbol: OfSymbol,
    bot_id: OfBot = None,
    trade_type: OfKind = TradeKind.DRY,
) -> Json:
    """Newest first."""
    query = _of_bot(_visible(caller, trade_type), caller, bot_id)
    return await _newest_first(worker, caller, query.where(_table(query).symbol == symbol), page)


@router.get("/live", response_model=list_of(Live), summary="List live trades")
async def list_live_trades(worker: WorkerDep, caller: CallerDep, page: PageParams, bot_id: OfBot = None) -> Json:
    """Newest first."""
    return await _newest_first(worker, caller, _of_bot(visible(Trade, caller), caller, bot_id), page)


@router.get("/history", response_model=Row, summary="List the trades of a period")
async def list_trade_history(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    trade_type: OfKind = TradeKind.DRY,
    bot_id: OfBot = None,
    ex_id: Annotated[Key | None, Query(description="Only trades on this account.")] = None,
    symbol: Annotated[Name | None, Query(description="Only trades of this instrument.")] = None,
    side: Annotated[Name | None, Query(description="`buy` or `sell`, in any letter case.")] = None,
    start_date: Annotated[Time | None, Query(description="Only trades at or after this time.")] = None,
    end_date: Annotated[Time | None, Query(description="Only trades at or before this time.")] = None,
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
    return await _newest_first(worker, caller, query.where(*conditions), page)


class NewDryTrade(BaseModel):
    """Input for a new simulated trade."""

    bot_id: Key
    symbol: str = Field(examples=["BTC/USD"])
    side: str = Field(description="`buy` or `sell`.", examples=["buy"])
    volume: float = Field(description="In base currency.", examples=[0.5])
    price: float = Field(description="In quote currency.", examples=[100.0])
    ex_id: Key | None = Field(None, description="The account; optional if the bot has only one.")
    fee: float | None = Field(None, description="In quote currency.")
    roi: float | None = Field(None, description="Profit in quote currency, negative for a loss.")
    roi_pct: float | None = None
    reason: str | None = None
    closingtrade: bool = Field(False, description="True if the trade closes a position.")


@router.post("/dry", response_model=Dry, status_code=201, summary="Create a simulated trade")
async def create_dry_trade(changes: ChangesDep, trade: NewDryTrade) -> Json:
    """The new row; its cost is volume times price."""

    async def create(write: UnitOfWork) -> int:
        ex_id = trade.ex_id
        if ex_id is None:
            ex_id = await bots.account_on(write, trade.bot_id)
        return await dry_trades.create(write, given(trade, "ex_id") | {"ex_id": ex_id})

    return await changes.perform_row("createDryTrade", as_arguments(trade), create, DryTrade, status=201)


class Computed(BaseModel):
    """Computed figures of a live trade; omitted fields keep their values. Other fields, e.g. `status`, are ignored."""

    cur_volume: float | None = Field(None, description="Size of the position after the trade, in base currency.")
    cur_avg_price: float | None = None
    cur_avg_cost: float | None = None
    cur_fee: float | None = None
    roi: float | None = Field(None, description="Profit in quote currency, negative for a loss.")
    roi_pct: float | None = None
    total_fee: float | None = None


class NewTrade(Computed):
    """Input for a trade that an exchange has reported."""

    ex_trade_id: str = Field(description="The exchange's id of the trade; unique together with `ex_order_id`.")
    ex_order_id: str = Field(description="The exchange's id of the order, which links the trade to a bot.")
    symbol: str = Field(examples=["BTC/USD"])
    order_type: str = Field(examples=["market"])
    side: str = Field(description="`buy` or `sell`.", examples=["buy"])
    volume: float = Field(description="In base currency.", examples=[0.5])
    price: float = Field(description="In quote currency.", examples=[100.0])
    ex_id: Key | None = Field(None, description="The account; optional if `bot_id` names a bot with only one.")
    bot_id: Key | None = Field(None, description="A bot with only one account, instead of `ex_id`.")
    cost: float | None = Field(None, description="In quote currency; volume times price by default.")
    fee: float | None = Field(None, description="In quote currency; 0 by default.")
    leverage: float | None = None
    time: Time | None = Field(None, description="Time of the trade on the exchange; now by default.")


class TradeOfBot(NewDryTrade, extra="allow"):
    """Input for a simulated trade, or with `trade_type=live` the input of `/trades/live`."""


@router.post("/live", response_model=Live, status_code=201, summary="Create a live trade")
async def create_live_trade(changes: ChangesDep, trade: NewTrade) -> Json:
    """The new row. A trade that is already stored is returned unchanged; 409 if it differs."""

    async def create(write: UnitOfWork) -> int:
        values = given(trade, "bot_id")
        if trade.ex_id is None:
            values["ex_id"] = await _account(write, trade.bot_id)
        return await trades.create(write, values)

    return await changes.perform_row("createTrade", as_arguments(trade), create, Trade, status=201)


@router.post("/bot", response_model=Live | Dry, status_code=201, summary="Create a trade of a bot")
async def create_trade_of_bot(changes: ChangesDep, trade: TradeOfBot, trade_type: OfKind = TradeKind.DRY) -> Json:
    """The new row, of the kind `trade_type`."""
    if trade_type is TradeKind.DRY:
        return await create_dry_trade(changes, NewDryTrade.model_validate(given(trade)))
    try:
        reported = NewTrade.model_validate(given(trade))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    return await create_live_trade(changes, reported)


@router.get("/{trade_id}", response_model=Live | Dry, summary="Get a trade")
async def get_trade(worker: WorkerDep, caller: CallerDep, trade_id: Key, trade_type: OfKind = TradeKind.LIVE) -> Json:
    """A live trade, as `PATCH` and `DELETE` on the same path, unless `trade_type` is `dry`."""
    return await get_row(worker, caller, _TABLES[trade_type], trade_id=trade_id)


@router.patch("/{trade_id}", response_model=Live, summary="Update the computed figures of a live trade")
async def update_trade(changes: ChangesDep, trade_id: Key, computed: Computed) -> Json:
    """The updated row."""
    return await changes.perform_row(
        "updateTrade",
        {"trade_id": trade_id} | as_arguments(computed),
        lambda write: trades.change(write, trade_id, given(computed)),
        Trade,
    )


@router.delete("/{trade_id}", response_model=Done, summary="Delete a live trade")
async def delete_trade(changes: ChangesDep, trade_id: Key) -> Json:
    """Its order stays."""
    return await changes.perform_delete(
        "deleteTrade", {"trade_id": trade_id}, lambda write: trades.remove(write, trade_id)
    )


async def _account(write: UnitOfWork, bot_id: int | None) -> int:
    if bot_id is None:
        raise BadUserInput("Set `ex_id`, or set `bot_id` to a bot with only one account.", field="exId")
    return await bots.account_on(write, bot_id)


async def _newest_first(worker: Worker, caller: Caller, query: Select[Any], page: Page) -> Json:
    return await list_query(worker, caller, query, page, _table(query).trade_id.desc())


def _visible(caller: Caller, kind: TradeKind) -> Select[Any]:
    return visible(_TABLES[kind], caller)


def _table(query: Select[Any]) -> Any:
    return query.column_descriptions[0]["entity"]


def _time(query: Select[Any]) -> Any:
    return Trade.time if _table(query) is Trade else DryTrade.timestamp


def _of_bot(query: Select[Any], caller: Caller, bot_id: int | None) -> Select[Any]:
    if bot_id is None:
        return query
    if _table(query) is DryTrade:
        return query.where(DryTrade.bot_id == bot_id)
    # Two exchanges may use the same order id: the account must match, too.
    columns = (Order.uid, Order.ex_id, Order.ex_order_id)
    of_orders = visible(Order, caller).where(Order.bot_id == bot_id).with_only_columns(*columns)
    return query.where(tuple_(Trade.uid, Trade.ex_id, Trade.ex_order_id).in_(of_orders))
