"""Bots over REST, with their accounts, strategies, feeds, logs and statistics."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field, create_model
from sqlalchemy import Select, select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import Bot, BotExchange, BotLog, Exchange, Feed, Strategy
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm import exchanges as exchange_routes
from fullon_graphql.rest.orm import strategies as strategy_routes
from fullon_graphql.rest.orm.changes import ChangesDep, Done, as_arguments, given
from fullon_graphql.rest.orm.scopes import CurrencyParam
from fullon_graphql.rest.orm.trade_statistics import as_json
from fullon_graphql.rest.parameters import Key, PageParams
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import fetch_rows, find_row, get_row, list_of, list_query, list_rows, row_model
from fullon_graphql.services import bots
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import order_statistics, trade_statistics
from fullon_graphql.services.analytics.ledger import Scope, TradeKind
from fullon_graphql.services.analytics.order_statistics import OrderStatistics
from fullon_graphql.services.analytics.trade_statistics import TradeStatistics
from fullon_graphql.services.writing.executor import UnitOfWork

router = RouteList(prefix="/orm/bots", tags=["bots"])

Row = row_model(Bot)
Log = row_model(BotLog)
Details = create_model(
    "BotDetails",
    __base__=Row,
    exchanges=(list_of(exchange_routes.Row), ...),
    strategies=(list_of(strategy_routes.Row), ...),
    feeds=(list_of(strategy_routes.FeedRow), ...),
)


class BotStatistics(BaseModel):
    """Statistics of one bot: live trades, simulated trades and orders."""

    bot_id: int
    live: TradeStatistics
    dry: TradeStatistics
    orders: OrderStatistics


@router.get("", response_model=list_of(Row), summary="List bots")
async def list_bots(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """The caller's bots, for administrators all bots, ordered by `bot_id`."""
    return await list_rows(worker, caller, Bot, page)


@router.get("/by-user", response_model=list_of(Row), summary="List a user's bots")
async def list_bots_of_user(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    user_id: Annotated[Key, Query(description="`uid` of the owner.")],
    active_only: Annotated[bool, Query(description="Only active bots.")] = False,
) -> Json:
    """Ordered by `bot_id`. Empty for another user's bots, unless the caller is an administrator."""
    active: dict[str, Any] = {"active": True} if active_only else {}
    return await list_rows(worker, caller, Bot, page, uid=user_id, **active)


@router.get("/{bot_id}", response_model=Row, summary="Get a bot")
async def get_bot(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """The row."""
    return await get_row(worker, caller, Bot, bot_id=bot_id)


@router.get("/{bot_id}/details", response_model=Details, summary="Get a bot with accounts, strategies and feeds")
async def get_bot_details(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """The row and three lists, each ordered by key."""
    row = await _bot(worker, caller, bot_id)
    return Json(
        row
        | {
            "exchanges": await fetch_rows(worker, caller, _exchanges(caller, bot_id).order_by(Exchange.ex_id)),
            "strategies": await fetch_rows(
                worker, caller, _strategies(caller, bot_id).order_by(Strategy.str_id), strategy_routes.EXTRAS
            ),
            "feeds": await fetch_rows(
                worker, caller, _feeds(caller, bot_id).order_by(Feed.feed_id), strategy_routes.FEED_EXTRAS
            ),
        }
    )


@router.get(
    "/{bot_id}/exchanges", response_model=list_of(exchange_routes.Row), summary="List a bot's exchange accounts"
)
async def list_accounts_of_bot(worker: WorkerDep, caller: CallerDep, bot_id: Key, page: PageParams) -> Json:
    """The accounts that the bot may trade on, ordered by `ex_id`."""
    await _bot(worker, caller, bot_id)
    return await list_query(worker, caller, _exchanges(caller, bot_id), page)


@router.get("/{bot_id}/strategies", response_model=list_of(strategy_routes.Row), summary="List a bot's strategies")
async def list_strategies_of_bot(worker: WorkerDep, caller: CallerDep, bot_id: Key, page: PageParams) -> Json:
    """Ordered by `str_id`."""
    await _bot(worker, caller, bot_id)
    return await list_rows(worker, caller, Strategy, page, bot_id=bot_id, extra=strategy_routes.EXTRAS)


@router.get("/{bot_id}/feeds", response_model=list_of(strategy_routes.FeedRow), summary="List a bot's feeds")
async def list_feeds_of_bot(worker: WorkerDep, caller: CallerDep, bot_id: Key, page: PageParams) -> Json:
    """The feeds of all its strategies, ordered by `feed_id`."""
    await _bot(worker, caller, bot_id)
    return await list_query(worker, caller, _feeds(caller, bot_id), page, extra=strategy_routes.FEED_EXTRAS)


@router.get("/{bot_id}/stats", response_model=BotStatistics, summary="Get statistics of a bot")
async def get_bot_statistics(
    worker: WorkerDep, caller: CallerDep, bot_id: Key, currency: CurrencyParam = "USD"
) -> Json:
    """Statistics of its live trades, simulated trades and orders."""
    await _bot(worker, caller, bot_id)
    live, dry = (Scope(kind, bot_ids=(bot_id,)) for kind in (TradeKind.LIVE, TradeKind.DRY))
    stores = (worker.reads(caller), worker.redis, caller)
    return Json(
        {
            "bot_id": bot_id,
            "live": as_json(await trade_statistics.overall(*stores, live, currency)),
            "dry": as_json(await trade_statistics.overall(*stores, dry, currency)),
            "orders": await order_statistics.of_orders(worker.reads(caller), caller, live),
        }
    )


@router.get("/{bot_id}/actions", response_model=list_of(Log), summary="List a bot's log")
async def list_bot_log(worker: WorkerDep, caller: CallerDep, bot_id: Key, page: PageParams) -> Json:
    """Log lines, newest first."""
    await _bot(worker, caller, bot_id)
    return await list_query(
        worker, caller, visible(BotLog, caller).where(BotLog.bot_id == bot_id), page, BotLog.timestamp.desc()
    )


@router.get("/{bot_id}/last-log", response_model=Log | None, summary="Get the newest log line of a bot")
async def get_last_log(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """Null if the bot has written none."""
    await _bot(worker, caller, bot_id)
    newest = visible(BotLog, caller).where(BotLog.bot_id == bot_id).order_by(BotLog.timestamp.desc()).limit(1)
    return Json(next(iter(await fetch_rows(worker, caller, newest)), None))


class NewBot(BaseModel):
    """Input for a new bot."""

    name: str = Field(max_length=50, examples=["grid"])
    active: bool = Field(False, description="True if the bot starts at once.")
    dry_run: bool = Field(True, description="True if the bot only simulates its trades.")
    uid: Key | None = Field(None, description="`uid` of the caller; another one is rejected.")


class BotChanges(BaseModel):
    """Changes of a bot; omitted fields keep their values."""

    name: str | None = Field(None, max_length=50)
    active: bool | None = None
    dry_run: bool | None = None


@router.post("", response_model=Row, status_code=201, summary="Create a bot")
async def create_bot(changes: ChangesDep, bot: NewBot) -> Json:
    """The new row; the caller owns the bot."""

    async def create(write: UnitOfWork) -> int:
        if bot.uid not in {None, write.principal.uid}:
            raise BadUserInput(f"uid must be your own, {write.principal.uid}; got {bot.uid}.", field="uid")
        return await bots.create(write, bot.model_dump(exclude={"uid"}))

    return await changes.perform_row("createBot", as_arguments(bot), create, Bot, status=201)


@router.put("/{bot_id}", response_model=Row, summary="Update a bot (second method)")
@router.patch("/{bot_id}", response_model=Row, summary="Update a bot")
async def update_bot(changes: ChangesDep, bot_id: Key, bot: BotChanges) -> Json:
    """The updated row; omitted fields keep their values with either method."""
    arguments = {"bot_id": bot_id} | as_arguments(bot)
    return await changes.perform_row("updateBot", arguments, lambda write: bots.change(write, bot_id, given(bot)), Bot)


@router.delete("/{bot_id}", response_model=Done, summary="Delete a bot")
async def delete_bot(changes: ChangesDep, bot_id: Key) -> Json:
    """Deletes its strategies, feeds and logs too; its orders and trades stay. 409 if the bot has simulations."""
    return await changes.perform_delete("deleteBot", {"bot_id": bot_id}, lambda write: bots.remove(write, bot_id))


async def _bot(worker: Worker, caller: Caller, bot_id: int) -> dict[str, object]:
    """The bot's row. Raises `NotFound` if it is not visible, so that its lists are not empty but 404."""
    return await find_row(worker, caller, Bot, bot_id=bot_id)


def _exchanges(caller: Caller, bot_id: int) -> Select[tuple[Exchange]]:
    attached = select(BotExchange.ex_id).where(BotExchange.bot_id == bot_id)
    return visible(Exchange, caller).where(Exchange.ex_id.in_(attached))


def _strategies(caller: Caller, bot_id: int) -> Select[tuple[Strategy]]:
    return visible(Strategy, caller).where(Strategy.bot_id == bot_id)


def _feeds(caller: Caller, bot_id: int) -> Select[tuple[Feed]]:
    own = select(Strategy.str_id).where(Strategy.bot_id == bot_id)
    return visible(Feed, caller).where(Feed.str_id.in_(own))
