"""Strategies over REST: the templates of the catalogue, and the strategies of bots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import JSON, func, select

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
from fullon_graphql.rest.dependencies import CallerDep, ReaderDep, WorkerDep
from fullon_graphql.rest.orm.changes import ChangesDep, Done, as_arguments, given
from fullon_graphql.rest.parameters import Key, PageParams, SmallInt
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import ExtraColumns, find_row, get_row, list_of, list_query, list_rows, row_model
from fullon_graphql.services import strategies
from fullon_graphql.services.access import visible
from fullon_graphql.services.writing.executor import UnitOfWork

router = RouteList(prefix="/orm/strategies", tags=["strategies"])

EXTRAS: Final[ExtraColumns] = (
    select(CatStrategy.name).where(CatStrategy.cat_str_id == Strategy.cat_str_id).scalar_subquery().label("name"),
    func.coalesce(
        select(func.json_object_agg(StrategyParam.name, StrategyParam.value, type_=JSON))
        .where(StrategyParam.str_id == Strategy.str_id)
        .scalar_subquery(),
        func.json_build_object(),
    ).label("parameters"),
)
"""Columns that the platform's clients expect: the template's name, and the parameters as one object."""
FEED_EXTRAS: Final[ExtraColumns] = (
    select(Symbol.symbol).where(Symbol.symbol_id == Feed.symbol_id).scalar_subquery().label("symbol"),
    select(CatExchange.name)
    .join(Symbol, Symbol.cat_ex_id == CatExchange.cat_ex_id)
    .where(Symbol.symbol_id == Feed.symbol_id)
    .scalar_subquery()
    .label("exchange"),
)
"""Symbol and exchange of a feed, by name."""

Row = row_model(Strategy, name=str, parameters=dict[str, str])
FeedRow = row_model(Feed, symbol=str, exchange=str)
Template = row_model(CatStrategy)
Parameter = row_model(CatStrategyParam)


@router.get("/catalog", response_model=list_of(Template), summary="List strategy templates")
async def list_templates(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """The catalogue, ordered by `cat_str_id`."""
    return await list_rows(worker, caller, CatStrategy, page)


@router.get("/catalog/{cat_str_id}", response_model=Template, summary="Get a strategy template")
async def get_template(worker: WorkerDep, caller: CallerDep, cat_str_id: Key) -> Json:
    """The row."""
    return await get_row(worker, caller, CatStrategy, cat_str_id=cat_str_id)


@router.get(
    "/catalog/{cat_str_id}/params", response_model=list_of(Parameter), summary="List the parameters of a template"
)
async def list_template_params(worker: WorkerDep, caller: CallerDep, cat_str_id: Key, page: PageParams) -> Json:
    """Ordered by name."""
    await find_row(worker, caller, CatStrategy, cat_str_id=cat_str_id)
    return await list_rows(worker, caller, CatStrategyParam, page, cat_str_id=cat_str_id)


@router.get("/bot-strategies", response_model=list_of(Row), summary="List the strategies of a bot")
async def list_strategies_of_bot(
    worker: WorkerDep, caller: CallerDep, page: PageParams, bot_id: Annotated[Key, Query(description="Key of the bot.")]
) -> Json:
    """Ordered by `str_id`."""
    await find_row(worker, caller, Bot, bot_id=bot_id)
    return await list_rows(worker, caller, Strategy, page, bot_id=bot_id, extra=EXTRAS)


@router.get("/bot-strategies/{str_id}", response_model=Row, summary="Get a strategy")
async def get_strategy(worker: WorkerDep, caller: CallerDep, str_id: Key) -> Json:
    """The row with its template's name and its parameters."""
    return await get_row(worker, caller, Strategy, str_id=str_id, extra=EXTRAS)


@router.get("", response_model=list_of(Row), summary="List the strategies of my bots (second path)")
@router.get("/user-strategies", response_model=list_of(Row), summary="List the strategies of my bots")
async def list_my_strategies(worker: WorkerDep, principal: ReaderDep, page: PageParams) -> Json:
    """The strategies of the caller's own bots, also for administrators, ordered by `str_id`."""
    own: Any = visible(Bot, principal).where(Bot.uid == principal.uid).with_only_columns(Bot.bot_id)
    query = visible(Strategy, principal).where(Strategy.bot_id.in_(own))
    return await list_query(worker, principal, query, page, extra=EXTRAS)


LongInteger = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class StrategyChanges(BaseModel):
    """Changes of a strategy; omitted fields keep their values. The name is the template's."""

    take_profit: float | None = None
    stop_loss: float | None = None
    trailing_stop: float | None = None
    timeout: float | None = None
    leverage: float | None = None
    size_pct: float | None = None
    size: float | None = None
    size_currency: str | None = None
    pre_load_bars: SmallInt | None = None
    feeds: SmallInt | None = Field(None, description="Number of feeds that the strategy needs.")
    pairs: bool | None = None
    parameters: dict[str, str | bool | LongInteger | float] | None = Field(
        None,
        description="All parameters by name, stored as text. They replace the present ones.",
        examples=[{"rsi": "60"}],
    )


class NewStrategy(StrategyChanges):
    """Input for a new strategy of a bot; omitted fields have the template's values."""

    bot_id: Key
    cat_str_id: Key


@router.post("/bot-strategies", response_model=Row, status_code=201, summary="Add a strategy to a bot")
async def create_strategy(changes: ChangesDep, strategy: NewStrategy) -> Json:
    """The new row; omitted parameters have the template's values."""
    return await changes.perform_row(
        "createStrategy",
        as_arguments(strategy),
        lambda write: strategies.create(write, given(strategy, "parameters"), _params(strategy)),
        Strategy,
        extra=EXTRAS,
        status=201,
    )


@router.put("/bot-strategies/{str_id}", response_model=Row, summary="Update a strategy")
async def update_strategy(changes: ChangesDep, str_id: Key, strategy: StrategyChanges) -> Json:
    """The updated row."""

    async def change(write: UnitOfWork) -> int:
        await strategies.change(write, str_id, given(strategy, "parameters"))
        if strategy.parameters is not None:
            await strategies.set_params(write, str_id, _params(strategy))
        return str_id

    arguments = {"str_id": str_id} | as_arguments(strategy)
    return await changes.perform_row("updateStrategy", arguments, change, Strategy, extra=EXTRAS)


@router.delete("/bot-strategies/{str_id}", response_model=Done, summary="Delete a strategy")
async def delete_strategy(changes: ChangesDep, str_id: Key) -> Json:
    """Deletes its parameters and feeds too."""
    return await changes.perform_delete(
        "deleteStrategy", {"str_id": str_id}, lambda write: strategies.remove(write, str_id)
    )


def _params(strategy: StrategyChanges) -> list[Mapping[str, str]]:
    """The table stores text; other values are stored as JSON."""
    return [
        {"name": name, "value": value if isinstance(value, str) else orjson.dumps(value).decode()}
        for name, value in (strategy.parameters or {}).items()
    ]
