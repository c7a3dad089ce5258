"""Bots over REST, with what belongs to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
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
from fullon_graphql.rest.orm.changes import Done, TheChanges, as_arguments, given
from fullon_graphql.rest.orm.scopes import TheCurrency
from fullon_graphql.rest.orm.trade_statistics import as_json
from fullon_graphql.rest.parameters import Key, PageParams
from fullon_graphql.rest.rows import found, listed, of_model, one, row_model, rows_of
from fullon_graphql.services import bots
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import order_statistics, trade_statistics
from fullon_graphql.services.analytics.ledger import Scope, TradeKind
from fullon_graphql.services.analytics.order_statistics import OrderStatistics
from fullon_graphql.services.analytics.trade_statistics import TradeStatistics
from fullon_graphql.services.writing.executor import UnitOfWork

orm = APIRouter(prefix="/orm/bots", tags=["bots"])

Row = row_model(Bot)
Log = row_model(BotLog)
Details = create_model(
    "BotDetails",
    __base__=Row,
    exchanges=(rows_of(exchange_routes.Row), ...),
    strategies=(rows_of(strategy_routes.Row), ...),
    feeds=(rows_of(strategy_routes.FeedRow), ...),
)


class BotStatistics(BaseModel):
    """What a bot has done, in numbers."""

    bot_id: int
    live: TradeStatistics
    dry: TradeStatistics
    orders: OrderStatistics


@orm.get("", response_model=rows_of(Row), summary="All bots one may see")
async def everything(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """By key."""
    return await listed(worker, visible(Bot, caller), page)


@orm.get("/by-user", response_model=rows_of(Row), summary="Somebody's bots")
async def by_user(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    user_id: Annotated[Key, Query(description="Key of the person.")],
    active_only: Annotated[bool, Query(description="Leave out those that are switched off.")] = False,
) -> Json:
    """By key; those of somebody else are not seen."""
    query = visible(Bot, caller).where(Bot.uid == user_id)
    return await listed(worker, query.where(Bot.active) if active_only else query, page)


@orm.get("/{bot_id}", response_model=Row, summary="One bot")
async def bot(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """Its row."""
    return await one(worker, visible(Bot, caller).where(Bot.bot_id == bot_id))


@orm.get("/{bot_id}/details", response_model=Details, summary="One bot with its accounts, strategies and feeds")
async def details(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """Its row, and three lists by key."""
    row = await _bot(worker, caller, bot_id)
    return Json(
        row
        | {
            "exchanges": await of_model(worker, _exchanges(caller, bot_id).order_by(Exchange.ex_id)),
            "strategies": await of_model(
                worker, _strategies(caller, bot_id).order_by(Strategy.str_id), strategy_routes.FURTHER
            ),
            "feeds": await of_model(
                worker, _feeds(caller, bot_id).order_by(Feed.feed_id), strategy_routes.FURTHER_OF_FEED
            ),
        }
    )


@orm.get("/{bot_id}/exchanges", response_model=rows_of(exchange_routes.Row), summary="The accounts it may trade on")
async def accounts_of(worker: WorkerDep, caller: CallerDep, bot_id: Key, page: PageParams) -> Json:
    """By key."""
    await _bot(worker, caller, bot_id)
    return await listed(worker, _exchanges(caller, bot_id), page)


@orm.get("/{bot_id}/strategies", response_model=rows_of(strategy_routes.Row), summary="Its strategies")
async def strategies_of(worker: WorkerDep, caller: CallerDep, bot_id: Key, page: PageParams) -> Json:
    """By key."""
    await _bot(worker, caller, bot_id)
    return await listed(worker, _strategies(caller, bot_id), page, further=strategy_routes.FURTHER)


@orm.get("/{bot_id}/feeds", response_model=rows_of(strategy_routes.FeedRow), summary="What its strategies follow")
async def feeds_of(worker: WorkerDep, caller: CallerDep, bot_id: Key, page: PageParams) -> Json:
    """By key."""
    await _bot(worker, caller, bot_id)
    return await listed(worker, _feeds(caller, bot_id), page, further=strategy_routes.FURTHER_OF_FEED)


@orm.get("/{bot_id}/stats", response_model=BotStatistics, summary="What its orders and trades amounted to")
async def statistics(worker: WorkerDep, caller: CallerDep, bot_id: Key, currency: TheCurrency = "USD") -> Json:
    """Live trades, simulated ones, and orders."""
    await _bot(worker, caller, bot_id)
    live, dry = (Scope(kind, bot_ids=(bot_id,)) for kind in (TradeKind.LIVE, TradeKind.DRY))
    stores = (worker.database, worker.redis, caller)
    return Json(
        {
            "bot_id": bot_id,
            "live": as_json(await trade_statistics.overall(*stores, live, currency)),
            "dry": as_json(await trade_statistics.overall(*stores, dry, currency)),
            "orders": await order_statistics.of_orders(worker.database, caller, live),
        }
    )


@orm.get("/{bot_id}/actions", response_model=rows_of(Log), summary="What it wrote last")
async def actions(worker: WorkerDep, caller: CallerDep, bot_id: Key, page: PageParams) -> Json:
    """Lines of its log, newest first."""
    await _bot(worker, caller, bot_id)
    return await listed(worker, visible(BotLog, caller).where(BotLog.bot_id == bot_id), page, BotLog.timestamp.desc())


@orm.get("/{bot_id}/last-log", response_model=Log | None, summary="The last line it wrote")
async def last_log(worker: WorkerDep, caller: CallerDep, bot_id: Key) -> Json:
    """Null where it has written none."""
    await _bot(worker, caller, bot_id)
    newest = visible(BotLog, caller).where(BotLog.bot_id == bot_id).order_by(BotLog.timestamp.desc()).limit(1)
    return Json(next(iter(await of_model(worker, newest)), None))


class NewBot(BaseModel):
    """A bot to be made."""

    name: str = Field(max_length=50, examples=["grid"])
    active: bool = Field(False, description="Whether it shall work at once.")
    dry_run: bool = Field(True, description="Whether it only simulates its trades.")
    uid: Key | None = Field(None, description="Oneself; bots are made for nobody else.")


class BotChanges(BaseModel):
    """What becomes different of a bot; what is left out stays."""

    name: str | None = Field(None, max_length=50)
    active: bool | None = None
    dry_run: bool | None = None


@orm.post("", response_model=Row, status_code=201, summary="Make a bot of one's own")
async def create(changes: TheChanges, bot: NewBot) -> Json:
    """The new row."""

    async def made(write: UnitOfWork) -> int:
        if bot.uid not in {None, write.principal.uid}:
            raise BadUserInput(f"A bot is made for oneself, {write.principal.uid}; {bot.uid} came.", field="uid")
        return await bots.create(write, bot.model_dump(exclude={"uid"}))

    return await changes.row("createBot", as_arguments(bot), made, Bot, status=201)


@orm.patch("/{bot_id}", response_model=Row, summary="Rename a bot, switch it on or off, or let it simulate")
async def change(changes: TheChanges, bot_id: Key, bot: BotChanges) -> Json:
    """The row as it is now."""
    arguments = {"bot_id": bot_id} | as_arguments(bot)
    return await changes.row("updateBot", arguments, lambda write: bots.change(write, bot_id, given(bot)), Bot)


@orm.delete("/{bot_id}", response_model=Done, summary="Delete a bot")
async def remove(changes: TheChanges, bot_id: Key) -> Json:
    """With its strategies, feeds and logs; its orders and trades stay. One with simulations is a CONFLICT."""
    return await changes.gone("deleteBot", {"bot_id": bot_id}, lambda write: bots.remove(write, bot_id))


async def _bot(worker: Worker, caller: Caller, bot_id: int) -> dict[str, object]:
    """Raises `NotFound` for a foreign bot, as for one that is not there: an empty list would be another answer."""
    return await found(worker, visible(Bot, caller).where(Bot.bot_id == bot_id))


def _exchanges(caller: Caller, bot_id: int) -> Select[tuple[Exchange]]:
    attached = select(BotExchange.ex_id).where(BotExchange.bot_id == bot_id)
    return visible(Exchange, caller).where(Exchange.ex_id.in_(attached))


def _strategies(caller: Caller, bot_id: int) -> Select[tuple[Strategy]]:
    return visible(Strategy, caller).where(Strategy.bot_id == bot_id)


def _feeds(caller: Caller, bot_id: int) -> Select[tuple[Feed]]:
    own = select(Strategy.str_id).where(Strategy.bot_id == bot_id)
    return visible(Feed, caller).where(Feed.str_id.in_(own))
