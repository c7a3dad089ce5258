"""Instruments over REST."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AliasChoices, BaseModel, Field

from fullon_graphql.models import Symbol
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.changes import Done, TheChanges, as_arguments, given
from fullon_graphql.rest.parameters import Key, Name, PageParams, Small
from fullon_graphql.rest.rows import found, listed, one, row_model, rows_of
from fullon_graphql.services import symbols
from fullon_graphql.services.access import visible

orm = APIRouter(prefix="/orm/symbols", tags=["symbols"])

Row = row_model(Symbol)

OnExchange = Annotated[Key | None, Query(description="Only on this exchange.")]


class Decimals(BaseModel):
    """How exactly an instrument is traded."""

    decimals: int
    price_decimals: int = Field(description="The same: the platform stores one figure.")
    quantity_decimals: int = Field(description="The same: the platform stores one figure.")


@orm.get("", response_model=rows_of(Row), summary="All instruments")
async def everything(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """By key."""
    return await listed(worker, visible(Symbol, caller), page)


@orm.get("/by-exchange", response_model=rows_of(Row), summary="The instruments of an exchange")
async def by_exchange(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    cat_ex_id: Annotated[Key, Query(description="Key of the exchange in the catalogue.")],
) -> Json:
    """By key."""
    return await listed(worker, visible(Symbol, caller).where(Symbol.cat_ex_id == cat_ex_id), page)


@orm.get("/search", response_model=rows_of(Row), summary="Which instruments are called like this?")
async def search(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    q: Annotated[Name, Query(description="Any part of the name, in any letter case.", examples=["btc"])],
    cat_ex_id: OnExchange = None,
) -> Json:
    """By name."""
    query = visible(Symbol, caller).where(Symbol.symbol.icontains(q, autoescape=True))
    query = query if cat_ex_id is None else query.where(Symbol.cat_ex_id == cat_ex_id)
    return await listed(worker, query, page, Symbol.symbol)


@orm.get("/decimals", response_model=Decimals, summary="How exactly is it traded?")
async def decimals(
    worker: WorkerDep,
    caller: CallerDep,
    symbol: Annotated[Name, Query(description="As the exchange spells it, percent-encoded.", examples=["BTC/USD"])],
    cat_ex_id: OnExchange = None,
) -> Json:
    """Of the oldest of that name, where several exchanges have one and none is named."""
    query = visible(Symbol, caller).where(Symbol.symbol == symbol).order_by(Symbol.symbol_id)
    row = await found(worker, query if cat_ex_id is None else query.where(Symbol.cat_ex_id == cat_ex_id))
    return Json(dict.fromkeys(Decimals.model_fields, row["decimals"]))


@orm.get("/{symbol_id}", response_model=Row, summary="One instrument")
async def instrument(worker: WorkerDep, caller: CallerDep, symbol_id: Key) -> Json:
    """Its row."""
    return await one(worker, visible(Symbol, caller).where(Symbol.symbol_id == symbol_id))


class SymbolChanges(BaseModel):
    """What becomes different of an instrument; what is left out stays."""

    symbol: str | None = Field(None, examples=["BTC/USD"])
    base: str | None = Field(None, validation_alias=AliasChoices("base", "base_asset"))
    quote: str | None = Field(None, validation_alias=AliasChoices("quote", "quote_asset"))
    decimals: Small | None = Field(None, validation_alias=AliasChoices("decimals", "price_decimals"))
    updateframe: str | None = Field(None, examples=["1h"])
    backtest: Small | None = Field(None, description="Days of history to collect.")
    futures: bool | None = None
    only_ticker: bool | None = Field(None, description="Whether only tickers are collected, no candles.")


class NewSymbol(SymbolChanges):
    """An instrument for the catalogue."""

    symbol: str = Field(examples=["BTC/USD"])
    base: str = Field(validation_alias=AliasChoices("base", "base_asset"))
    cat_ex_id: Key


@orm.post("", response_model=Row, status_code=201, summary="Add an instrument, as administrator")
async def create(changes: TheChanges, symbol: NewSymbol) -> Json:
    """The new row."""
    return await changes.row(
        "createSymbol",
        as_arguments(symbol),
        lambda write: symbols.create(write, given(symbol)),
        Symbol,
        status=201,
    )


@orm.patch("/{symbol_id}", response_model=Row, summary="Change an instrument, as administrator")
async def change(changes: TheChanges, symbol_id: Key, symbol: SymbolChanges) -> Json:
    """The row as it is now."""
    return await changes.row(
        "updateSymbol",
        {"symbol_id": symbol_id} | as_arguments(symbol),
        lambda write: symbols.change(write, symbol_id, given(symbol)),
        Symbol,
    )


@orm.delete("/{symbol_id}", response_model=Done, summary="Delete an instrument, as administrator")
async def remove(changes: TheChanges, symbol_id: Key) -> Json:
    """With the feeds that follow it."""
    return await changes.gone("deleteSymbol", {"symbol_id": symbol_id}, lambda write: symbols.remove(write, symbol_id))
