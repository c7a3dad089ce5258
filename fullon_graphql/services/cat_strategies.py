"""Strategy templates and their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from fullon_graphql.auth.principal import administrator
from fullon_graphql.errors import Conflict
from fullon_graphql.models import CatStrategy, CatStrategyParam, Strategy
from fullon_graphql.services import params
from fullon_graphql.services.writing.checks import not_blank, not_negative, storable
from fullon_graphql.services.writing.executor import UnitOfWork


async def create(write: UnitOfWork, values: Mapping[str, Any], wanted: list[Mapping[str, str]]) -> int:
    """Add a template with its parameters: `name`, and any other column. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        BadUserInput: the name is blank or a value is invalid.
        Conflict: the name is taken.
    """
    administrator(write.principal)
    row = await write.insert(CatStrategy, _checked(values))
    await params.replace(write, CatStrategyParam, CatStrategyParam.cat_str_id, row.cat_str_id, wanted)
    return int(row.cat_str_id)


async def change(write: UnitOfWork, cat_str_id: int, values: Mapping[str, Any]) -> int:
    """Change a template. Existing strategies keep their values. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such template.
        BadUserInput: the name is blank or a value is invalid.
        Conflict: the name is taken.
    """
    administrator(write.principal)
    template = await write.find(CatStrategy, cat_str_id)
    await write.update(CatStrategy, template, _checked(values))
    return cat_str_id


async def set_params(write: UnitOfWork, cat_str_id: int, wanted: list[Mapping[str, str]]) -> int:
    """Replace all parameters of a template. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such template.
        BadUserInput: a name is blank or repeated.
    """
    administrator(write.principal)
    template = await write.find(CatStrategy, cat_str_id)
    await write.update(CatStrategy, template, {})
    await params.replace(write, CatStrategyParam, CatStrategyParam.cat_str_id, cat_str_id, wanted)
    return cat_str_id


async def remove(write: UnitOfWork, cat_str_id: int) -> bool:
    """Delete an unused template. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such template.
        Conflict: strategies use it. The database would delete those by cascade, even active ones.
    """
    administrator(write.principal)
    template = await write.find(CatStrategy, cat_str_id)  # locked: no strategy can be added
    used = await write.connection.execute(select(Strategy.str_id).where(Strategy.cat_str_id == cat_str_id).limit(1))
    if used.first():
        raise Conflict("It cannot be deleted: strategies use it.")
    await write.delete(CatStrategy, template)
    return True


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    not_blank(values, "name")
    not_negative(values, "pre_load_bars", "feeds", "timeout")
    return storable(CatStrategy, values)
