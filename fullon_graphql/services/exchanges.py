"""Accounts on exchanges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from fullon_graphql.cache import keys
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import CatExchange, Exchange
from fullon_graphql.services.writing.checks import not_blank, storable, unchanged_since
from fullon_graphql.services.writing.executor import UnitOfWork


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Create an account of the caller's: `cat_ex_id`, `name`, `test`, `active`. Its credentials are stored elsewhere.

    Raises:
        BadUserInput: there is no such exchange, or the name is blank or too long.
        Conflict: the caller has an account of this name on this exchange.
    """
    not_blank(values, "name")
    account = storable(Exchange, values)
    known = await write.connection.execute(
        select(CatExchange.cat_ex_id).where(CatExchange.cat_ex_id == account["cat_ex_id"])
    )
    if known.first() is None:
        raise BadUserInput(f"There is no exchange with key {account['cat_ex_id']}.", field="catExId")
    row = await write.insert(Exchange, account | {"uid": write.principal.uid})
    _invalidate_cache(write, row)
    return int(row.ex_id)


async def change(write: UnitOfWork, ex_id: int, values: Mapping[str, Any], expected: datetime | None = None) -> int:
    """Change the `name`, `test` or `active` of an account.

    Raises:
        NotFound: there is no such account that the caller may see.
        BadUserInput: the name is blank or too long.
        Conflict: the name is taken, or the account's timestamp is not the `expected` one.
    """
    account = await write.find(Exchange, ex_id)
    unchanged_since(expected, account.timestamp)
    not_blank(values, "name")
    _invalidate_cache(write, account)
    _invalidate_cache(write, await write.update(Exchange, account, storable(Exchange, values)))
    return ex_id


async def remove(write: UnitOfWork, ex_id: int) -> bool:
    """Delete an account. Its orders and trades stay.

    Raises:
        NotFound: there is no such account that the caller may see.
        Conflict: it has a history of balances.
    """
    account = await write.find(Exchange, ex_id)
    await write.delete(Exchange, account)
    _invalidate_cache(write, account)
    return True


async def invalidate_cache_of(write: UnitOfWork, uid: int) -> None:
    """Mark the platform's cache entries of all accounts of a user as stale."""
    for account in await write.connection.execute(select(Exchange).where(Exchange.uid == uid)):
        _invalidate_cache(write, account)


def _invalidate_cache(write: UnitOfWork, account: Row[Any]) -> None:
    write.stale |= {keys.cached_user_exchanges(account.uid), keys.cached_exchange_id(account.name, account.uid)}
