"""Loaders: the reference execution of relations, batched within one operation.

They live in the context of one operation. Each key is fetched once; all keys requested in one turn of the event loop
share one statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import cache, partial
from typing import Any, Final, TypeVar

from strawberry.dataloader import DataLoader

from fullon_graphql.context import Context
from fullon_graphql.engine.lists.filters import Filter
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.entities import Entity, Key
from fullon_graphql.engine.model.relations import PLACE, Relation, children, counts, key_arrays
from fullon_graphql.engine.reference.row_reads import read_rows
from fullon_graphql.services.change_feed.table import CURSOR

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

FEED_CURSOR: Final = "feed cursor"
"""Name of the loader of the change feed's cursor."""


async def load_one(context: Context, relation: Relation, key: Key) -> Any | None:
    """The first row of the relation for `key`, or None; also None if `key` is out of the columns' range."""
    found = await load_many(context, relation, key) if relation.fits(key) else []
    return found[0] if found else None


async def load_many(
    context: Context, relation: Relation, key: Key, page: Page | None = None, feed_cursor: str | None = None
) -> list[Any]:
    """The rows of the relation for `key` in key order or, with a page, the rows that `Page.cut` selects.

    With a cursor of the change feed, rows that were loaded before it was taken are not used.
    """
    name = ("rows", relation, page)

    async def fetch(asked: list[Key]) -> list[list[Any]]:
        build = partial(children, relation, page=page)
        found: list[list[Any]] = [[] for _ in asked]
        for row in await read_rows(context, name, build, **key_arrays(relation, asked)):
            found[row[PLACE] - 1].append(relation.target.build(row))
        return found

    return await loader(context, (*name, feed_cursor), fetch).load(key)


async def load_count(context: Context, relation: Relation, key: Key, filter_: Filter | None = None) -> int:
    """The number of rows of the relation for `key` that match the filter."""
    name = ("count", relation, filter_)

    async def fetch(asked: list[Key]) -> list[int]:
        build = partial(counts, relation, filter_=filter_)
        rows = await read_rows(context, name, build, **key_arrays(relation, asked))
        return [row["total"] for row in sorted(rows, key=lambda row: int(row[PLACE]))]

    return await loader(context, name, fetch).load(key)


async def load_entity(context: Context, entity: Entity, key: Key) -> Any | None:
    """The row of `entity` with `key`, or None if it does not exist or the caller may not see it."""
    return await load_one(context, identity(entity), key)


async def load_feed_cursor(context: Context) -> str:
    """The cursor of the change feed, read once for all lists that ask for it in the same turn of the event loop."""

    async def fetch(asked: list[None]) -> list[str]:
        context.loaders.pop(FEED_CURSOR, None)  # a list that is read later asks again
        [[cursor]] = await context.database.records(CURSOR)
        return [cursor] * len(asked)

    return await loader(context, FEED_CURSOR, fetch).load(None)


@cache
def identity(entity: Entity) -> Relation:
    """The relation from a key to the row it identifies."""
    return Relation(entity.name, entity.key_names, entity.key)


class Loader(DataLoader[K, V]):
    """A data loader whose results survive the cancellation of a waiting task.

    Several fields may await one key. graphql-core cancels the siblings of a field whose null propagates to its parent,
    and an unshielded await would cancel the result for the other fields too.
    """

    def load(self, key: K) -> Awaitable[V]:
        """The value of `key`, fetched together with all keys requested in the same turn of the event loop."""
        fetched = asyncio.ensure_future(super().load(key))
        value = asyncio.shield(fetched)
        for future in (fetched, value):  # a shield whose task was cancelled no longer reads the first one
            future.add_done_callback(_mark_as_retrieved)
        return value


def _mark_as_retrieved(value: asyncio.Future[Any]) -> None:
    """graphql-core awaits no further field once an error has determined the answer; asyncio would log its error."""
    if not value.cancelled():
        value.exception()


def loader(
    context: Context, name: Hashable, fetch: Callable[[list[K]], Awaitable[Sequence[V | BaseException]]]
) -> Loader[K, V]:
    """The operation's loader called `name`, created with `fetch` at the first use.

    `fetch` returns values in the order of its keys, with an exception in place of a value that failed.
    """
    found = context.loaders.get(name)
    if found is None:
        found = context.loaders[name] = Loader(load_fn=fetch)
    return found
