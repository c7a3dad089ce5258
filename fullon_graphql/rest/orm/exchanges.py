"""Exchanges over REST: the catalogue, and users' accounts on them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import AliasChoices, BaseModel, Field

from fullon_graphql.models import CatExchange, CatExchangeParam, Exchange, Symbol
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ReaderDep, WorkerDep
from fullon_graphql.rest.orm.changes import ChangesDep, Done, as_arguments, given
from fullon_graphql.rest.parameters import Key, Name, PageParams
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import fetch_rows, find_row, get_row, list_of, list_rows, row_model
from fullon_graphql.services import cat_exchanges, exchanges
from fullon_graphql.services.access import visible

router = RouteList(prefix="/orm/exchanges", tags=["exchanges"])

Row = row_model(Exchange)
Catalogued = row_model(CatExchange)
Setting = row_model(CatExchangeParam, value=str | None)


class ExchangeId(BaseModel):
    """Key of an account."""

    exchange_id: int = Field(description="`ex_id` of the account.")


class CatalogId(BaseModel):
    """Key of an exchange in the catalogue."""

    cat_ex_id: int


@router.get("/catalog", response_model=list_of(Catalogued), summary="List exchanges")
async def list_exchanges(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """The catalogue, ordered by `cat_ex_id`."""
    return await list_rows(worker, caller, CatExchange, page)


@router.get("/catalog/{cat_ex_id}/params", response_model=list_of(Setting), summary="List the settings of an exchange")
async def list_exchange_params(worker: WorkerDep, caller: CallerDep, cat_ex_id: Key) -> Json:
    """Ordered by name. Values may be secret: they are null unless the caller is an administrator."""
    await find_row(worker, caller, CatExchange, cat_ex_id=cat_ex_id)
    query = visible(CatExchangeParam, caller).where(CatExchangeParam.cat_ex_id == cat_ex_id)
    rows = await fetch_rows(worker, caller, query.order_by(CatExchangeParam.name))
    keys = [(row["cat_ex_id"], row["name"]) for row in rows]
    values = await cat_exchanges.param_values(worker.reads(caller), caller, keys) if keys else []
    return Json([row | {"value": value} for row, value in zip(rows, values, strict=True)])


@router.get(
    "/catalog/{cat_ex_id}/symbols",
    response_model=list_of(row_model(Symbol)),
    summary="List the instruments of an exchange",
)
async def list_symbols_of_exchange(worker: WorkerDep, caller: CallerDep, cat_ex_id: Key, page: PageParams) -> Json:
    """Ordered by `symbol_id`."""
    await find_row(worker, caller, CatExchange, cat_ex_id=cat_ex_id)
    return await list_rows(worker, caller, Symbol, page, cat_ex_id=cat_ex_id)


@router.get("", response_model=list_of(Row), summary="List my accounts (second path)")
@router.get("/user-exchanges", response_model=list_of(Row), summary="List my accounts")
async def list_my_accounts(worker: WorkerDep, principal: ReaderDep, page: PageParams) -> Json:
    """The caller's own accounts, also for administrators, ordered by `ex_id`."""
    return await list_rows(worker, principal, Exchange, page, uid=principal.uid)


@router.get("/user-exchanges/{ex_id}", response_model=Row, summary="Get an account")
async def get_account(worker: WorkerDep, caller: CallerDep, ex_id: Key) -> Json:
    """The row."""
    return await get_row(worker, caller, Exchange, ex_id=ex_id)


@router.get("/id-by-name", response_model=ExchangeId, summary="Find my account by name")
async def find_account_id(
    worker: WorkerDep, principal: ReaderDep, name: Annotated[Name, Query(description="Name of the account.")]
) -> Json:
    """The oldest account of that name: accounts on different exchanges may share a name."""
    row = await find_row(worker, principal, Exchange, uid=principal.uid, name=name)
    return Json({"exchange_id": row["ex_id"]})


@router.get("/catalog-id", response_model=CatalogId, summary="Find an exchange by name")
async def find_exchange_id(
    worker: WorkerDep, caller: CallerDep, exchange_name: Annotated[Name, Query(description="Name of the exchange.")]
) -> Json:
    """Its key in the catalogue."""
    row = await find_row(worker, caller, CatExchange, name=exchange_name)
    return Json({"cat_ex_id": row["cat_ex_id"]})


IsTest = AliasChoices("test", "is_testnet")


class NewAccount(BaseModel):
    """Input for a new account. Credentials of the exchange are stored elsewhere and ignored here."""

    cat_ex_id: Key
    name: str = Field(examples=["main"])
    test: bool = Field(False, validation_alias=IsTest, description="True for the exchange's sandbox.")
    active: bool = True


class AccountChanges(BaseModel):
    """Changes of an account; omitted fields keep their values."""

    name: str | None = None
    test: bool | None = Field(None, validation_alias=IsTest)
    active: bool | None = None


@router.post("/user-exchanges", response_model=Row, status_code=201, summary="Create an account for oneself")
async def create_account(changes: ChangesDep, account: NewAccount) -> Json:
    """The new row."""
    return await changes.perform_row(
        "createExchange",
        as_arguments(account),
        lambda write: exchanges.create(write, account.model_dump()),
        Exchange,
        status=201,
    )


@router.patch("/user-exchanges/{ex_id}", response_model=Row, summary="Update an account")
async def update_account(changes: ChangesDep, ex_id: Key, account: AccountChanges) -> Json:
    """The updated row."""
    return await changes.perform_row(
        "updateExchange",
        {"ex_id": ex_id} | as_arguments(account),
        lambda write: exchanges.change(write, ex_id, given(account)),
        Exchange,
    )


@router.delete("/user-exchanges/{ex_id}", response_model=Done, summary="Delete an account")
async def delete_account(changes: ChangesDep, ex_id: Key) -> Json:
    """Its orders and trades stay. 409 if the account has a history of balances."""
    return await changes.perform_delete(
        "deleteExchange", {"ex_id": ex_id}, lambda write: exchanges.remove(write, ex_id)
    )
