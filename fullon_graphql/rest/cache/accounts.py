"""Live balances and positions of the caller's exchange accounts over REST."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.auth.principal import Caller
from fullon_graphql.cache import accounts
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.context import Worker
from fullon_graphql.models import CatExchange, Exchange, User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ReaderDep, WorkerDep
from fullon_graphql.rest.parameters import Key
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import find_row
from fullon_graphql.services.access import visible

router = RouteList(prefix="/cache/accounts", tags=["cache"])
orm_router = RouteList(prefix="/orm", tags=["users"])
"""Positions under the paths of users."""


class CachedBalance(BaseModel):
    """Balance of one currency on one account."""

    ex_id: int
    currency: str
    total: float
    free: float
    used: float
    updated_at: AwareDatetime | None


class CachedPosition(BaseModel):
    """Position of one account: `volume` in base currency, negative for a short position."""

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
    """State of one account."""

    ex_id: int
    name: str
    exchange: str
    active: bool
    currencies: int = Field(description="Number of currencies with a balance.")
    positions: int = Field(description="Number of open positions.")
    updated_at: AwareDatetime | None = Field(description="Time of the last update of its balances.")


@router.get("/summary", response_model=list[AccountStatus], summary="Get the state of my accounts")
async def get_my_account_states(worker: WorkerDep, principal: ReaderDep) -> Json:
    """The caller's own accounts, also for administrators, ordered by `ex_id`."""
    return Json(await _states(worker, principal, principal.uid))


@router.get("/{user_id}/status", response_model=list[AccountStatus], summary="Get the state of a user's accounts")
async def get_account_states(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """Ordered by `ex_id`."""
    return Json(await _states(worker, caller, user_id))


@router.get("/{user_id}/balances", response_model=list[CachedBalance], summary="List a user's balances")
async def list_balances(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """Ordered by account and currency."""
    owned = await accounts_of_user(worker, caller, user_id)
    held = await accounts.read_balances(worker.redis, list(owned))
    return Json([_balance(balance) for ex_id in owned for balance in sorted(held[ex_id], key=lambda b: b.currency)])


@orm_router.get("/positions", response_model=list[CachedPosition], summary="List my positions")
async def list_my_positions(worker: WorkerDep, principal: ReaderDep) -> Json:
    """The caller's own positions, also for administrators, ordered by account and symbol."""
    return await list_positions(worker, principal, principal.uid)


@orm_router.get(
    "/users/{user_id}/positions", response_model=list[CachedPosition], summary="List a user's positions (second path)"
)
@router.get("/{user_id}/positions", response_model=list[CachedPosition], summary="List a user's positions")
async def list_positions(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """Ordered by account and symbol."""
    owned = await accounts_of_user(worker, caller, user_id)
    held = await accounts.read_positions(worker.redis, list(owned))
    return Json(
        [
            _position(position, owned[ex_id]["exchange"])
            for ex_id in owned
            for position in sorted(held[ex_id], key=lambda p: p.symbol)
        ]
    )


async def _states(worker: Worker, caller: Caller, user_id: int) -> list[dict[str, Any]]:
    owned = await accounts_of_user(worker, caller, user_id)
    held = await accounts.read_balances(worker.redis, list(owned))
    opened = await accounts.read_positions(worker.redis, list(owned))
    return [
        account
        | {
            "currencies": len(held[ex_id]),
            "positions": len(opened[ex_id]),
            "updated_at": max((balance.updated_at for balance in held[ex_id] if balance.updated_at), default=None),
        }
        for ex_id, account in owned.items()
    ]


async def accounts_of_user(worker: Worker, caller: Caller, user_id: int) -> dict[int, dict[str, Any]]:
    """A user's accounts by `ex_id`.

    Raises:
        NotFound: the user is not visible to the caller.
    """
    await find_row(worker, caller, User, uid=user_id)
    query = (
        visible(Exchange, caller)
        .where(Exchange.uid == user_id)
        .join(CatExchange, CatExchange.cat_ex_id == Exchange.cat_ex_id)
        .with_only_columns(Exchange.ex_id, Exchange.name, CatExchange.name.label("exchange"), Exchange.active)
        .order_by(Exchange.ex_id)
    )
    rows = await worker.reads(caller).rows(query)
    return {row.ex_id: dict(row._mapping) for row in rows}  # SQLAlchemy's documented name


def _balance(balance: Balance) -> dict[str, Any]:
    return {name: getattr(balance, name) for name in CachedBalance.model_fields}


def _position(position: Position, exchange: str) -> dict[str, Any]:
    names = CachedPosition.model_fields.keys() - {"exchange"}
    return {name: getattr(position, name) for name in names} | {"exchange": exchange}
