"""The catalogue of exchanges and their parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select, tuple_

from fullon_graphql.auth.principal import Caller, administrator
from fullon_graphql.cache import keys
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import CatExchange, CatExchangeParam
from fullon_graphql.services import params
from fullon_graphql.services.access import may_read
from fullon_graphql.services.sources import Sources
from fullon_graphql.services.writing.checks import storable
from fullon_graphql.services.writing.executor import UnitOfWork

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Add an exchange to the catalogue, by its `name`. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        BadUserInput: the name has other characters than lower-case letters, digits, `_`, `.` and `-`, or is too long.
        Conflict: the name is taken.
    """
    administrator(write.principal)
    row = await write.insert(CatExchange, _checked(values) | {"ohlcv_view": ""})
    write.stale_patterns.add(keys.CACHED_CAT_EXCHANGES)
    return int(row.cat_ex_id)


async def change(write: UnitOfWork, cat_ex_id: int, values: Mapping[str, Any]) -> int:
    """Rename an exchange. Stored orders, candles and tickers keep the old name.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such exchange.
        BadUserInput: the name has other characters than lower-case letters, digits, `_`, `.` and `-`, or is too long.
        Conflict: the name is taken.
    """
    administrator(write.principal)
    exchange = await write.find(CatExchange, cat_ex_id)
    await write.update(CatExchange, exchange, _checked(values))
    write.stale_patterns.add(keys.CACHED_CAT_EXCHANGES)
    return cat_ex_id


async def set_params(write: UnitOfWork, cat_ex_id: int, wanted: list[Mapping[str, str]]) -> int:
    """Replace all parameters of an exchange. Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such exchange.
        BadUserInput: a name is blank or repeated, or a text is too long.
    """
    administrator(write.principal)
    exchange = await write.find(CatExchange, cat_ex_id)
    await write.update(CatExchange, exchange, {})
    await params.replace(write, CatExchangeParam, CatExchangeParam.cat_ex_id, cat_ex_id, wanted)
    write.stale_patterns.add(keys.CACHED_CAT_EXCHANGES)
    return cat_ex_id


async def param_values(database: Database, caller: Caller, keys: Sequence[tuple[int, str]]) -> list[str | None]:
    """The value of each parameter (`cat_ex_id`, `name`), in the order of `keys`; None for callers who may not read it.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read.
    """
    if not may_read(CatExchangeParam.value, caller):
        return [None] * len(keys)
    key = (CatExchangeParam.cat_ex_id, CatExchangeParam.name)
    rows = await database.rows(select(*key, CatExchangeParam.value).where(tuple_(*key).in_(keys)))
    found = {(row.cat_ex_id, row.name): row.value for row in rows}
    return [found.get(key) for key in keys]


async def values_of_params(sources: Sources, keys: Sequence[tuple[int, str]]) -> list[str | None]:
    """The value of each parameter, as `param_values` answers it."""
    return await param_values(sources.database, sources.caller, keys)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = storable(CatExchange, values)
    if "name" in checked and not _NAME.fullmatch(checked["name"]):
        raise BadUserInput("`name` must consist of lower-case letters and digits, e.g. `kraken`.", field="name")
    return checked
