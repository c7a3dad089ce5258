"""Strategies over REST: templates, and those at work in bots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from fullon_graphql.models import (
    Bot,
    CatExchange,
    CatStrategy,
    CatStrategyParam,
    Feed,
    Strategy,
    StrategyParam,
    Symbol,
)
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ThePrincipal, WorkerDep
from fullon_graphql.rest.orm.changes import Done, TheChanges, as_arguments, given
from fullon_graphql.rest.parameters import Key, PageParams, Small
from fullon_graphql.rest.rows import Further, found, listed, one, row_model, rows_of
from fullon_graphql.services import strategies
from fullon_graphql.services.access import visible
from fullon_graphql.services.writing.executor import UnitOfWork

orm = APIRouter(prefix="/orm/strategies", tags=["strategies"])

FURTHER: Final[Further] = (
    select(CatStrategy.name).where(CatStrategy.cat_str_id == Strategy.cat_str_id).scalar_subquery().label("name"),
    func.coalesce(
        select(func.json_object_agg(StrategyParam.name, StrategyParam.value))
        .where(StrategyParam.str_id == Strategy.str_id)
        .scalar_subquery(),
        func.json_build_object(),
    ).label("parameters"),
)
"""What the platform's clients look for in a strategy: the name of its template, and its parameters as one object."""
FURTHER_OF_FEED: Final[Further] = (
    select(Symbol.symbol).where(Symbol.symbol_id == Feed.symbol_id).scalar_subquery().label("symbol"),
    select(CatExchange.name)
    .join(Symbol, Symbol.cat_ex_id == CatExchange.cat_ex_id)
    .where(Symbol.symbol_id == Feed.symbol_id)
    .scalar_subquery()
    .label("exchange"),
)
"""What a feed follows, by name."""

Row = row_model(Strategy, name=str, parameters=dict[str, str])
FeedRow = row_model(Feed, symbol=str, exchange=str)
Template = row_model(CatStrategy)
Parameter = row_model(CatStrategyParam)


@orm.get("/catalog", response_model=rows_of(Template), summary="Which templates are there?")
async def catalog(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """By key."""
    return await listed(worker, visible(CatStrategy, caller), page)


@orm.get("/catalog/{cat_str_id}", response_model=Template, summary="One template")
async def template(worker: WorkerDep, caller: CallerDep, cat_str_id: Key) -> Json:
    """Its row."""
    return await one(worker, visible(CatStrategy, caller).where(CatStrategy.cat_str_id == cat_str_id))


@orm.get("/catalog/{cat_str_id}/params", response_model=rows_of(Parameter), summary="What one may set in it")
async def params(worker: WorkerDep, caller: CallerDep, cat_str_id: Key, page: PageParams) -> Json:
    """By name."""
    await found(worker, visible(CatStrategy, caller).where(CatStrategy.cat_str_id == cat_str_id))
    query = visible(CatStrategyParam, caller).where(CatStrategyParam.cat_str_id == cat_str_id)
    return await listed(worker, query, page)


@orm.get("/bot-strategies", response_model=rows_of(Row), summary="The strategies of a bot")
async def of_bot(
    worker: WorkerDep, caller: CallerDep, page: PageParams, bot_id: Annotated[Key, Query(description="Key of the bot.")]
) -> Json:
    """By key."""
    await found(worker, visible(Bot, caller).where(Bot.bot_id == bot_id))
    return await listed(worker, visible(Strategy, caller).where(Strategy.bot_id == bot_id), page, further=FURTHER)


@orm.get("/bot-strategies/{str_id}", response_model=Row, summary="One strategy")
async def strategy(worker: WorkerDep, caller: CallerDep, str_id: Key) -> Json:
    """Its row, with the name of its template and its parameters."""
    return await one(worker, visible(Strategy, caller).where(Strategy.str_id == str_id), further=FURTHER)


@orm.get("/user-strategies", response_model=rows_of(Row), summary="The strategies of all my bots")
async def mine(worker: WorkerDep, principal: ThePrincipal, page: PageParams) -> Json:
    """By key; an administrator's too are only his own here."""
    own: Any = visible(Bot, principal).where(Bot.uid == principal.uid).with_only_columns(Bot.bot_id)
    return await listed(worker, visible(Strategy, principal).where(Strategy.bot_id.in_(own)), page, further=FURTHER)


LongInteger = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class StrategyChanges(BaseModel):
    """What becomes different of a strategy; what is left out stays. It has neither a name nor a switch of its own."""

    take_profit: float | None = None
    stop_loss: float | None = None
    trailing_stop: float | None = None
    timeout: float | None = None
    leverage: float | None = None
    size_pct: float | None = None
    size: float | None = None
    size_currency: str | None = None
    pre_load_bars: Small | None = None
    feeds: Small | None = Field(None, description="How many feeds it needs.")
    pairs: bool | None = None
    parameters: dict[str, str | bool | LongInteger | float] | None = Field(
        None,
        description="All parameters by name: stored as text, in place of those there are.",
        examples=[{"rsi": "60"}],
    )


class NewStrategy(StrategyChanges):
    """A template put to work in a bot, with the template's values but for those given."""

    bot_id: Key
    cat_str_id: Key


@orm.post("/bot-strategies", response_model=Row, status_code=201, summary="Put a template to work in a bot")
async def create(changes: TheChanges, strategy: NewStrategy) -> Json:
    """The new row; parameters that are not given have the template's values."""
    return await changes.row(
        "createStrategy",
        as_arguments(strategy),
        lambda write: strategies.create(write, given(strategy, "parameters"), _params(strategy)),
        Strategy,
        further=FURTHER,
        status=201,
    )


@orm.put("/bot-strategies/{str_id}", response_model=Row, summary="Change a strategy")
async def change(changes: TheChanges, str_id: Key, strategy: StrategyChanges) -> Json:
    """The row as it is now."""

    async def changed(write: UnitOfWork) -> int:
        await strategies.change(write, str_id, given(strategy, "parameters"))
        if strategy.parameters is not None:
            await strategies.set_params(write, str_id, _params(strategy))
        return str_id

    arguments = {"str_id": str_id} | as_arguments(strategy)
    return await changes.row("updateStrategy", arguments, changed, Strategy, further=FURTHER)


@orm.delete("/bot-strategies/{str_id}", response_model=Done, summary="Take a strategy out of its bot")
async def remove(changes: TheChanges, str_id: Key) -> Json:
    """With its parameters and feeds."""
    return await changes.gone("deleteStrategy", {"str_id": str_id}, lambda write: strategies.remove(write, str_id))


def _params(strategy: StrategyChanges) -> list[Mapping[str, str]]:
    """The table holds text; what is no text is written as JSON has it."""
    return [
        {"name": name, "value": value if isinstance(value, str) else orjson.dumps(value).decode()}
        for name, value in (strategy.parameters or {}).items()
    ]
