"""Strategies of bots and their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select

from fullon_graphql.models import Bot, CatStrategy, CatStrategyParam, Strategy, StrategyParam
from fullon_graphql.services import params
from fullon_graphql.services.writing.checks import not_negative, positive, storable
from fullon_graphql.services.writing.executor import UnitOfWork

_FROM_TEMPLATE: Final = ("take_profit", "stop_loss", "trailing_stop", "timeout", "pre_load_bars", "feeds", "pairs")


async def create(write: UnitOfWork, values: Mapping[str, Any], given: list[Mapping[str, str]]) -> int:
    """Add a strategy to a bot: `bot_id`, `cat_str_id`, and the values that differ from the template.

    The template's parameters are copied too, except those in `given`.

    Raises:
        NotFound: there is no such bot or template that the caller may see.
        BadUserInput: a value is invalid.
    """
    await write.find(Bot, values["bot_id"], lock=False)
    template = await write.find(CatStrategy, values["cat_str_id"], lock=False)
    inherited = {name: getattr(template, name) for name in _FROM_TEMPLATE if values.get(name) is None}
    row = await write.insert(Strategy, _checked(values) | inherited)
    defaults = await write.connection.execute(
        select(CatStrategyParam.name, CatStrategyParam.value).where(CatStrategyParam.cat_str_id == template.cat_str_id)
    )
    named = {param["name"] for param in given}
    copied = [{"name": name, "value": value} for name, value in defaults if name not in named]
    await params.replace(write, StrategyParam, StrategyParam.str_id, row.str_id, [*given, *copied])
    return int(row.str_id)


async def change(write: UnitOfWork, str_id: int, values: Mapping[str, Any]) -> int:
    """Set columns of a strategy; null clears a nullable column. Bot and template stay.

    Raises:
        NotFound: there is no such strategy that the caller may see.
        BadUserInput: a value is invalid.
    """
    strategy = await write.find(Strategy, str_id)
    await write.update(Strategy, strategy, _checked(values))
    return str_id


async def set_params(write: UnitOfWork, str_id: int, wanted: list[Mapping[str, str]]) -> int:
    """Replace all parameters of a strategy.

    Raises:
        NotFound: there is no such strategy that the caller may see.
        BadUserInput: a name is blank or repeated.
    """
    strategy = await write.find(Strategy, str_id)
    await write.update(Strategy, strategy, {})
    await params.replace(write, StrategyParam, StrategyParam.str_id, str_id, wanted)
    return str_id


async def remove(write: UnitOfWork, str_id: int) -> bool:
    """Delete a strategy with its parameters and feeds.

    Raises:
        NotFound: there is no such strategy that the caller may see.
    """
    await write.delete(Strategy, await write.find(Strategy, str_id))
    return True


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    positive(values, "leverage", "size", "size_pct")
    not_negative(values, "pre_load_bars", "feeds", "timeout")
    return storable(Strategy, values)
