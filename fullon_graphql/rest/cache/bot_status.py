"""Live status of the caller's bots over REST."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.auth.principal import signed_in
from fullon_graphql.cache import bots as live
from fullon_graphql.models import Bot, CatExchange, Exchange, User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.cache.accounts import accounts_of_user
from fullon_graphql.rest.dependencies import CallerDep, PrincipalDep, WorkerDep
from fullon_graphql.rest.parameters import ExchangeName, Key, SymbolName
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import find_row
from fullon_graphql.services.access import visible
from fullon_graphql.services.symbols import find_spelling

router = RouteList(prefix="/cache/bots", tags=["cache"])


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


class InstrumentClaim(BaseModel):
    """A bot's claim of an instrument on an account."""

    ex_id: int
    exchange: str | None = Field(description="Name of the exchange; null if the account is not stored.")
    symbol: str
    bot_id: int
    since: AwareDatetime | None = Field(description="Known for positions that are being opened.")


class Coordination(BaseModel):
    """The instruments that bots have claimed, by account and symbol."""

    blocks: list[InstrumentClaim] = Field(description="Instruments that other bots must not trade.")
    openings: list[InstrumentClaim] = Field(description="Instruments in which a position is being opened.")


@router.get("/coordination/status", response_model=Coordination, summary="Get the instruments that bots have claimed")
async def get_coordination_status(worker: WorkerDep, caller: CallerDep) -> Json:
    """On the caller's accounts; for administrators on all accounts."""
    principal = signed_in(caller)
    query = (
        visible(Exchange, principal)
        .join(CatExchange, CatExchange.cat_ex_id == Exchange.cat_ex_id)
        .with_only_columns(Exchange.ex_id, CatExchange.name)
    )
    accounts = {row.ex_id: row.name for row in await worker.reads(caller).rows(query)}
    claims = await live.read_claims(worker.redis)
    return Json(
        {
            kind: [
                asdict(claim) | {"exchange": accounts.get(claim.ex_id)}
                for claim in found
                if principal.admin or claim.ex_id in accounts
            ]
            for kind, found in (("blocks", claims.blocks), ("openings", claims.openings))
        }
    )


@router.get("/{bot_id}/status", response_model=list[FeedStatus], summary="Get the live status of a bot")
async def get_bot_status(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """Ordered by feed number; empty if the bot has reported nothing."""
    await find_row(worker, caller, Bot, bot_id=bot_id)
    [statuses] = await live.read_statuses(worker.redis, [bot_id])
    return Json(statuses)


@router.get("/{user_id}/bots", response_model=list[FeedStatus], summary="Get the live status of a user's bots")
async def list_bot_statuses(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """Ordered by bot and feed number."""
    await find_row(worker, caller, User, uid=user_id)
    own = visible(Bot, caller).where(Bot.uid == user_id).with_only_columns(Bot.bot_id).order_by(Bot.bot_id)
    bot_ids = [row.bot_id for row in await worker.reads(caller).rows(own)]
    statuses = await live.read_statuses(worker.redis, bot_ids)
    return Json([status for of_bot in statuses for status in of_bot])


@router.get(
    "/{exchange}/{symbol:path}/blocked", response_model=Blocked, summary="Get the bots that block an instrument"
)
async def get_blocking_bots(
    worker: WorkerDep, principal: PrincipalDep, exchange: ExchangeName, symbol: SymbolName
) -> Json:
    """On the caller's own accounts, also for administrators. 404 for a symbol that is not in the catalogue."""
    owned = await accounts_of_user(worker, principal, principal.uid)
    accounts = {ex_id for ex_id, account in owned.items() if account["exchange"] == exchange}
    blocks = [claim for claim in (await live.read_claims(worker.redis)).blocks if claim.ex_id in accounts]
    blocked = {claim.symbol for claim in blocks}
    name = await find_spelling(worker.reads(principal), principal, symbol, exchange=exchange, known=blocked)
    holders = sorted({claim.bot_id for claim in blocks if claim.symbol == name})
    return Json({"exchange": exchange, "symbol": name, "is_blocked": bool(holders), "blocked_by": holders})
