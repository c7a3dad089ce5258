"""Settings of catalogued exchanges: everybody sees which there are, administrators see their values.

The platform may keep keys in the values, so a value is read separately, and only for those who may.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select, tuple_

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.database import Database
from fullon_graphql.models import CatExchangeParam
from fullon_graphql.services.access import shared_rows


def visible(caller: Caller) -> Select[tuple[CatExchangeParam]]:
    """The settings `caller` may see, without the column `value`: that is for `values` alone."""
    return shared_rows(CatExchangeParam, caller)


async def values(database: Database, caller: Caller, keys: Sequence[tuple[int, str]]) -> list[str | None]:
    """The value of each setting (`cat_ex_id`, `name`), in the order asked; None for all but administrators.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the credential may not read.
    """
    if not signed_in(caller).admin:
        return [None] * len(keys)
    key = (CatExchangeParam.cat_ex_id, CatExchangeParam.name)
    rows = await database.rows(select(*key, CatExchangeParam.value).where(tuple_(*key).in_(keys)))
    found = {(row.cat_ex_id, row.name): row.value for row in rows}
    return [found.get(asked) for asked in keys]
