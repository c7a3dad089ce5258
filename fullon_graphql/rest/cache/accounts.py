"""Live balances and positions of exchange accounts over REST: one's own."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.auth.principal import Caller
from fullon_graphql.cache import accounts
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.context import Worker
from fullon_graphql.models import CatExchange, Exchange, User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ThePrincipal, WorkerDep
from fullon_graphql.rest.parameters import Key
from fullon_graphql.rest.rows import found
from fullon_graphql.services.access import visible

cache = APIRouter(prefix="/cache/accounts", tags=["cache"])


class CachedBalance(BaseModel):
    """What an account holds of one currency."""

    ex_id: int
    currency: str
    total: float
    free: float
    used: float
    updated_at: AwareDatetime | None


class CachedPosition(BaseModel):
    """What an account holds of one instrument: `volume` in base currency, below zero for a short."""

    ex_id: int
    exchange: str = Field(description="Name of the exchange.")
    symbol: str
    side: str | None
    volume: float
    cost: float
    price: float
    fee: float
    count: float
    timestamp: AwareDatetime | None


class AccountStatus(BaseModel):
    """What is known of one account."""

    ex_id: int
    name: str
    exchange: str
    active: bool
    currencies: int = Field(description="Of how many currencies it holds anything.")
    positions: int = Field(description="How many positions are open.")
    updated_at: AwareDatetime | None = Field(description="When its balances were last written.")


@cache.get("/summary", response_model=list[AccountStatus], summary="How are my accounts?")
async def summary(worker: WorkerDep, principal: ThePrincipal) -> Json:
    """One's own, by key; an administrator's too are only his own here."""
    return Json(await _statuses(worker, principal, principal.uid))


@cache.get("/{user_id}/status", response_model=list[AccountStatus], summary="How are somebody's accounts?")
async def status(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """By key."""
    return Json(await _statuses(worker, caller, user_id))


@cache.get("/{user_id}/balances", response_model=list[CachedBalance], summary="What do their accounts hold?")
async def balances(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """By account and currency."""
    owned = await accounts_of(worker, caller, user_id)
    held = await accounts.read_balances(worker.redis, list(owned))
    return Json([_balance(balance) for ex_id in owned for balance in sorted(held[ex_id], key=lambda b: b.currency)])


@cache.get("/{user_id}/positions", response_model=list[CachedPosition], summary="What positions are open?")
async def positions(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """By account and symbol."""
    owned = await accounts_of(worker, caller, user_id)
    held = await accounts.read_positions(worker.redis, list(owned))
    return Json(
        [
            _position(position, owned[ex_id]["exchange"])
            for ex_id in owned
            for position in sorted(held[ex_id], key=lambda p: p.symbol)
        ]
    )


async def _statuses(worker: Worker, caller: Caller, user_id: int) -> list[dict[str, Any]]:
    owned = await accounts_of(worker, caller, user_id)
    held = await accounts.read_balances(worker.redis, list(owned))
    opened = await accounts.read_positions(worker.redis, list(owned))
    return [
        account
        | {
            "currencies": len(held[ex_id]),
            "positions": len(opened[ex_id]),
            "updated_at": max((one.updated_at for one in held[ex_id] if one.updated_at), default=None),
        }
        for ex_id, account in owned.items()
    ]


async def accounts_of(worker: Worker, caller: Caller, user_id: int) -> dict[int, dict[str, Any]]:
    """The accounts of somebody by key; of somebody else they are not found, as that person is not."""
    await found(worker, visible(User, caller).where(User.uid == user_id))
    query = (
        visible(Exchange, caller)
        .where(Exchange.uid == user_id)
        .join(CatExchange, CatExchange.cat_ex_id == Exchange.cat_ex_id)
        .with_only_columns(Exchange.ex_id, Exchange.name, CatExchange.name.label("exchange"), Exchange.active)
        .order_by(Exchange.ex_id)
    )
    return {row.ex_id: dict(row._mapping) for row in await worker.database.rows(query)}  # SQLAlchemy's documented name


def _balance(balance: Balance) -> dict[str, Any]:
    return {name: getattr(balance, name) for name in CachedBalance.model_fields}


def _position(position: Position, exchange: str) -> dict[str, Any]:
    names = CachedPosition.model_fields.keys() - {"exchange"}
    return {name: getattr(position, name) for name in names} | {"exchange": exchange}
