"""Live status of the caller's bots over REST."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache import bots as live
from fullon_graphql.models import Bot, User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.cache.accounts import accounts_of_user
from fullon_graphql.rest.dependencies import CallerDep, PrincipalDep, WorkerDep
from fullon_graphql.rest.parameters import ExchangeName, Key, SymbolName
from fullon_graphql.rest.rows import find_row
from fullon_graphql.services.access import visible

router = APIRouter(prefix="/cache/bots", tags=["cache"])


class FeedStatus(BaseModel):
    """Last report of a bot about one of its feeds."""

    bot_id: int
    feed_num: int | None
    status: str | None
    symbol: str | None
    period: str | None
    performance: float | None
    timestamp: AwareDatetime | None
    data: dict[str, Any] = Field(description="The whole report.")


class Blocked(BaseModel):
    """Whether bots block an instrument."""

    exchange: str
    symbol: str
    is_blocked: bool
    blocked_by: list[int] = Field(description="`bot_id` of the bots that block it on the caller's accounts.")


@router.get("/{bot_id}/status", response_model=list[FeedStatus], summary="Get the live status of a bot")
async def get_bot_status(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """Ordered by feed number; empty if the bot has reported nothing."""
    await find_row(worker, visible(Bot, caller).where(Bot.bot_id == bot_id))
    [statuses] = await live.read_statuses(worker.redis, [bot_id])
    return Json(statuses)


@router.get("/{user_id}/bots", response_model=list[FeedStatus], summary="Get the live status of a user's bots")
async def list_bot_statuses(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """Ordered by bot and feed number."""
    await find_row(worker, visible(User, caller).where(User.uid == user_id))
    own = visible(Bot, caller).where(Bot.uid == user_id).with_only_columns(Bot.bot_id).order_by(Bot.bot_id)
    bot_ids = [row.bot_id for row in await worker.database.rows(own)]
    statuses = await live.read_statuses(worker.redis, bot_ids)
    return Json([status for of_bot in statuses for status in of_bot])


@router.get(
    "/{exchange}/{symbol:path}/blocked", response_model=Blocked, summary="Get the bots that block an instrument"
)
async def get_blocking_bots(
    worker: WorkerDep, principal: PrincipalDep, exchange: ExchangeName, symbol: SymbolName
) -> Json:
    """On the caller's own accounts, also for administrators."""
    owned = await accounts_of_user(worker, principal, principal.uid)
    places = {(ex_id, symbol) for ex_id, account in owned.items() if account["exchange"] == exchange}
    claims = await live.read_claims(worker.redis)
    holders = sorted({claim.bot_id for claim in claims.blocks if (claim.ex_id, claim.symbol) in places})
    return Json({"exchange": exchange, "symbol": symbol, "is_blocked": bool(holders), "blocked_by": holders})
