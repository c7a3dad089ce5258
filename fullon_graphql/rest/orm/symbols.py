"""Instruments over REST."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import AliasChoices, BaseModel, Field

from fullon_graphql.models import Symbol
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.changes import ChangesDep, Done, as_arguments, given
from fullon_graphql.rest.parameters import Key, Name, PageParams, SmallInt
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import find_row, get_row, list_of, list_query, list_rows, row_model
from fullon_graphql.services import symbols
from fullon_graphql.services.access import visible

router = RouteList(prefix="/orm/symbols", tags=["symbols"])

Row = row_model(Symbol)

OnExchange = Annotated[Key | None, Query(description="Only instruments of this exchange.")]


class Decimals(BaseModel):
    """Number of decimals of an instrument."""

    decimals: int
    price_decimals: int = Field(description="The same number: the platform stores only one.")
    quantity_decimals: int = Field(description="The same number: the platform stores only one.")


@router.get("", response_model=list_of(Row), summary="List instruments")
async def list_symbols(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """The catalogue, ordered by `symbol_id`."""
    return await list_rows(worker, caller, Symbol, page)


@router.get("/by-exchange", response_model=list_of(Row), summary="List the instruments of an exchange")
async def list_symbols_of_exchange(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    cat_ex_id: Annotated[Key, Query(description="Key of the exchange in the catalogue.")],
) -> Json:
    """Ordered by `symbol_id`."""
    return await list_rows(worker, caller, Symbol, page, cat_ex_id=cat_ex_id)


@router.get("/search", response_model=list_of(Row), summary="Search instruments")
async def search_symbols(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    q: Annotated[Name, Query(description="Any part of the name, in any letter case.", examples=["btc"])],
    cat_ex_id: OnExchange = None,
) -> Json:
    """Ordered by name."""
    query = visible(Symbol, caller).where(Symbol.symbol.icontains(q, autoescape=True))
    query = query if cat_ex_id is None else query.where(Symbol.cat_ex_id == cat_ex_id)
    return await list_query(worker, caller, query, page, Symbol.symbol)


@router.get("/decimals", response_model=Decimals, summary="Get the decimals of an instrument")
async def get_decimals(
    worker: WorkerDep,
    caller: CallerDep,
    symbol: Annotated[
        Name, Query(description="Symbol in the exchange's spelling, percent-encoded.", examples=["BTC/USD"])
    ],
    cat_ex_id: OnExchange = None,
) -> Json:
    """Without `cat_ex_id`, the oldest instrument of that name on any exchange."""
    on_exchange: dict[str, Any] = {} if cat_ex_id is None else {"cat_ex_id": cat_ex_id}
    row = await find_row(worker, caller, Symbol, symbol=symbol, **on_exchange)
    return Json(dict.fromkeys(Decimals.model_fields, row["decimals"]))


@router.get("/{symbol_id}", response_model=Row, summary="Get an instrument")
async def get_symbol(worker: WorkerDep, caller: CallerDep, symbol_id: Key) -> Json:
    """The row."""
    return await get_row(worker, caller, Symbol, symbol_id=symbol_id)


class SymbolChanges(BaseModel):
    """Changes of an instrument; omitted fields keep their values."""

    symbol: str | None = Field(None, examples=["BTC/USD"])
    base: str | None = Field(None, validation_alias=AliasChoices("base", "base_asset"))
    quote: str | None = Field(None, validation_alias=AliasChoices("quote", "quote_asset"))
    decimals: SmallInt | None = Field(None, validation_alias=AliasChoices("decimals", "price_decimals"))
    updateframe: str | None = Field(None, examples=["1h"])
    backtest: SmallInt | None = Field(None, description="Days of history to collect.")
    futures: bool | None = None
    only_ticker: bool | None = Field(None, description="True if only tickers are collected, no candles.")


class NewSymbol(SymbolChanges):
    """Input for a new instrument."""

    symbol: str = Field(examples=["BTC/USD"])
    base: str = Field(validation_alias=AliasChoices("base", "base_asset"))
    cat_ex_id: Key


@router.post("", response_model=Row, status_code=201, summary="Create an instrument (administrators)")
async def create_symbol(changes: ChangesDep, symbol: NewSymbol) -> Json:
    """The new row."""
    return await changes.perform_row(
        "createSymbol",
        as_arguments(symbol),
        lambda write: symbols.create(write, given(symbol)),
        Symbol,
        status=201,
    )


@router.patch("/{symbol_id}", response_model=Row, summary="Update an instrument (administrators)")
async def update_symbol(changes: ChangesDep, symbol_id: Key, symbol: SymbolChanges) -> Json:
    """The updated row."""
    return await changes.perform_row(
        "updateSymbol",
        {"symbol_id": symbol_id} | as_arguments(symbol),
        lambda write: symbols.change(write, symbol_id, given(symbol)),
        Symbol,
    )


@router.delete("/{symbol_id}", response_model=Done, summary="Delete an instrument (administrators)")
async def delete_symbol(changes: ChangesDep, symbol_id: Key) -> Json:
    """Deletes the feeds of this instrument too."""
    return await changes.perform_delete(
        "deleteSymbol", {"symbol_id": symbol_id}, lambda write: symbols.remove(write, symbol_id)
    )
