"""What bots say at this moment, over REST: one's own."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache import bots as live
from fullon_graphql.models import Bot, User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.cache.accounts import accounts_of
from fullon_graphql.rest.dependencies import CallerDep, ThePrincipal, WorkerDep
from fullon_graphql.rest.parameters import Exchange as ExchangeName
from fullon_graphql.rest.parameters import Key, SymbolName
from fullon_graphql.rest.rows import found
from fullon_graphql.services.access import visible

cache = APIRouter(prefix="/cache/bots", tags=["cache"])


class FeedStatus(BaseModel):
    """What a bot last said about one of its feeds."""

    bot_id: int
    feed_num: int | None
    status: str | None
    symbol: str | None
    period: str | None
    performance: float | None
    timestamp: AwareDatetime | None
    data: dict[str, Any] = Field(description="All that it said.")


class Blocked(BaseModel):
    """Whether bots keep an instrument to themselves."""

    exchange: str
    symbol: str
    is_blocked: bool
    blocked_by: list[int] = Field(description="The bots, of accounts of one's own on this exchange.")


@cache.get("/{bot_id}/status", response_model=list[FeedStatus], summary="What does this bot say?")
async def status(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """By number of the feed; nothing where it has not spoken."""
    await found(worker, visible(Bot, caller).where(Bot.bot_id == bot_id))
    [statuses] = await live.read_statuses(worker.redis, [bot_id])
    return Json(statuses)


@cache.get("/{user_id}/bots", response_model=list[FeedStatus], summary="What do somebody's bots say?")
async def of_person(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """By bot and number of the feed."""
    await found(worker, visible(User, caller).where(User.uid == user_id))
    own = visible(Bot, caller).where(Bot.uid == user_id).with_only_columns(Bot.bot_id).order_by(Bot.bot_id)
    bot_ids = [row.bot_id for row in await worker.database.rows(own)]
    statuses = await live.read_statuses(worker.redis, bot_ids)
    return Json([status for of_bot in statuses for status in of_bot])


@cache.get("/{exchange}/{symbol:path}/blocked", response_model=Blocked, summary="Do bots keep it to themselves?")
async def blocked(worker: WorkerDep, principal: ThePrincipal, exchange: ExchangeName, symbol: SymbolName) -> Json:
    """On one's own accounts; an administrator's too are only his own here."""
    owned = await accounts_of(worker, principal, principal.uid)
    places = {(ex_id, symbol) for ex_id, account in owned.items() if account["exchange"] == exchange}
    claims = await live.read_claims(worker.redis)
    holders = sorted({claim.bot_id for claim in claims.blocks if (claim.ex_id, claim.symbol) in places})
    return Json({"exchange": exchange, "symbol": symbol, "is_blocked": bool(holders), "blocked_by": holders})
