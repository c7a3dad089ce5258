"""Exchanges over REST: the catalogue, and people's accounts on them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AliasChoices, BaseModel, Field

from fullon_graphql.models import CatExchange, CatExchangeParam, Exchange, Symbol
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ThePrincipal, WorkerDep
from fullon_graphql.rest.orm.changes import Done, TheChanges, as_arguments, given
from fullon_graphql.rest.parameters import Key, Name, PageParams
from fullon_graphql.rest.rows import found, listed, of_model, one, row_model, rows_of
from fullon_graphql.services import cat_exchanges, exchanges
from fullon_graphql.services.access import visible

orm = APIRouter(prefix="/orm/exchanges", tags=["exchanges"])

Row = row_model(Exchange)
Catalogued = row_model(CatExchange)
Setting = row_model(CatExchangeParam, value=str | None)


class ExchangeId(BaseModel):
    """The key of an account."""

    exchange_id: int = Field(description="`ex_id` of the account.")


class CatalogId(BaseModel):
    """The key of a catalogued exchange."""

    cat_ex_id: int


@orm.get("/catalog", response_model=rows_of(Catalogued), summary="Which exchanges are there?")
async def catalog(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """By key."""
    return await listed(worker, visible(CatExchange, caller), page)


@orm.get("/catalog/{cat_ex_id}/params", response_model=rows_of(Setting), summary="The settings of an exchange")
async def params(worker: WorkerDep, caller: CallerDep, cat_ex_id: Key) -> Json:
    """By name. Values may be secret: for all but administrators they are null."""
    await found(worker, visible(CatExchange, caller).where(CatExchange.cat_ex_id == cat_ex_id))
    query = visible(CatExchangeParam, caller).where(CatExchangeParam.cat_ex_id == cat_ex_id)
    rows = await of_model(worker, query.order_by(CatExchangeParam.name))
    keys = [(row["cat_ex_id"], row["name"]) for row in rows]
    values = await cat_exchanges.param_values(worker.database, caller, keys) if keys else []
    return Json([row | {"value": value} for row, value in zip(rows, values, strict=True)])


@orm.get(
    "/catalog/{cat_ex_id}/symbols", response_model=rows_of(row_model(Symbol)), summary="The instruments of an exchange"
)
async def symbols_of(worker: WorkerDep, caller: CallerDep, cat_ex_id: Key, page: PageParams) -> Json:
    """By key."""
    await found(worker, visible(CatExchange, caller).where(CatExchange.cat_ex_id == cat_ex_id))
    return await listed(worker, visible(Symbol, caller).where(Symbol.cat_ex_id == cat_ex_id), page)


@orm.get("/user-exchanges", response_model=rows_of(Row), summary="My accounts")
async def mine(worker: WorkerDep, principal: ThePrincipal, page: PageParams) -> Json:
    """By key; an administrator's too are only his own here."""
    return await listed(worker, visible(Exchange, principal).where(Exchange.uid == principal.uid), page)


@orm.get("/user-exchanges/{ex_id}", response_model=Row, summary="One account")
async def account(worker: WorkerDep, caller: CallerDep, ex_id: Key) -> Json:
    """Its row."""
    return await one(worker, visible(Exchange, caller).where(Exchange.ex_id == ex_id))


@orm.get("/id-by-name", response_model=ExchangeId, summary="Which of my accounts is called this?")
async def id_by_name(
    worker: WorkerDep, principal: ThePrincipal, name: Annotated[Name, Query(description="Name of the account.")]
) -> Json:
    """The oldest of that name: on two exchanges, two accounts may share one."""
    query = visible(Exchange, principal).where(Exchange.uid == principal.uid, Exchange.name == name)
    row = await found(worker, query.order_by(Exchange.ex_id))
    return Json({"exchange_id": row["ex_id"]})


@orm.get("/catalog-id", response_model=CatalogId, summary="Which exchange is called this?")
async def catalog_id(
    worker: WorkerDep, caller: CallerDep, exchange_name: Annotated[Name, Query(description="Name of the exchange.")]
) -> Json:
    """Its key in the catalogue."""
    row = await found(worker, visible(CatExchange, caller).where(CatExchange.name == exchange_name))
    return Json({"cat_ex_id": row["cat_ex_id"]})


IsTest = AliasChoices("test", "is_testnet")


class NewAccount(BaseModel):
    """An account to be made. Its credentials are kept elsewhere: what is sent of them is not looked at."""

    cat_ex_id: Key
    name: str = Field(examples=["main"])
    test: bool = Field(False, validation_alias=IsTest, description="Whether it is the exchange's sandbox.")
    active: bool = True


class AccountChanges(BaseModel):
    """What becomes different of an account; what is left out stays."""

    name: str | None = None
    test: bool | None = Field(None, validation_alias=IsTest)
    active: bool | None = None


@orm.post("/user-exchanges", response_model=Row, status_code=201, summary="Make an account of one's own")
async def create(changes: TheChanges, account: NewAccount) -> Json:
    """The new row."""
    return await changes.row(
        "createExchange",
        as_arguments(account),
        lambda write: exchanges.create(write, account.model_dump()),
        Exchange,
        status=201,
    )


@orm.patch("/user-exchanges/{ex_id}", response_model=Row, summary="Rename an account, or switch it on or off")
async def change(changes: TheChanges, ex_id: Key, account: AccountChanges) -> Json:
    """The row as it is now."""
    return await changes.row(
        "updateExchange",
        {"ex_id": ex_id} | as_arguments(account),
        lambda write: exchanges.change(write, ex_id, given(account)),
        Exchange,
    )


@orm.delete("/user-exchanges/{ex_id}", response_model=Done, summary="Delete an account")
async def remove(changes: TheChanges, ex_id: Key) -> Json:
    """Its orders and trades stay. One with a history of balances is a CONFLICT."""
    return await changes.gone("deleteExchange", {"ex_id": ex_id}, lambda write: exchanges.remove(write, ex_id))
