"""Feeds of strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import Feed, Strategy, Symbol
from fullon_graphql.services.writing.checks import not_blank, not_negative, positive, storable
from fullon_graphql.services.writing.executor import UnitOfWork


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Add a feed to a strategy: `str_id`, `symbol_id`, `period`, `compression`, `order`.

    Raises:
        NotFound: there is no such strategy that the caller may see.
        BadUserInput: there is no such instrument, or a value is invalid.
    """
    await write.find(Strategy, values["str_id"], lock=False)
    return int((await write.insert(Feed, await _checked(write, values))).feed_id)


async def change(write: UnitOfWork, feed_id: int, values: Mapping[str, Any]) -> int:
    """Change a feed; its strategy stays.

    Raises:
        NotFound: there is no such feed that the caller may see.
        BadUserInput: there is no such instrument, or a value is invalid.
    """
    feed = await write.find(Feed, feed_id)
    await write.update(Feed, feed, await _checked(write, values))
    return feed_id


async def remove(write: UnitOfWork, feed_id: int) -> bool:
    """Delete a feed.

    Raises:
        NotFound: there is no such feed that the caller may see.
    """
    await write.delete(Feed, await write.find(Feed, feed_id))
    return True


async def _checked(write: UnitOfWork, values: Mapping[str, Any]) -> dict[str, Any]:
    not_blank(values, "period")
    positive(values, "compression")
    not_negative(values, "order")
    feed = storable(Feed, values)
    symbol_id = feed.get("symbol_id")
    if symbol_id is not None:
        found = await write.connection.execute(select(Symbol.symbol_id).where(Symbol.symbol_id == symbol_id))
        if found.first() is None:
            raise BadUserInput(f"There is no symbol with key {symbol_id}.", field="symbolId")
    return feed
