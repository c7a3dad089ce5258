"""Loaders: the reference execution of relations, batched over everything one operation asks for at a time.

They live in the context of one operation. A key asked for twice is fetched once; all keys that come up in one turn
of the event loop share one statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import cache
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader

from fullon_graphql.context import Context
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.lists.filters import Filter
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.entities import Entity, Key
from fullon_graphql.engine.model.relations import Relation, children, counts

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


async def load_one(context: Context, relation: Relation, key: Key) -> Any | None:
    """The first row of the relation for `key`, or None; also for a key that no row could have."""
    found = await load_many(context, relation, key) if opaque_ids.fits(key, relation.remote) else []
    return found[0] if found else None


async def load_many(context: Context, relation: Relation, key: Key, page: Page | None = None) -> list[Any]:
    """The rows of the relation for `key` in key order; with a page, that page's rows as `Page.cut` finds them."""

    async def fetch(asked: list[Key]) -> list[list[Any]]:
        rows = await context.database.rows(children(relation, context.caller, asked, page))
        found: list[list[Any]] = [[] for _ in asked]
        for row in rows:
            found[row.parent_place - 1].append(relation.target.build(row))
        return found

    return await loader(context, ("rows", relation, page), fetch).load(key)


async def load_count(context: Context, relation: Relation, key: Key, filter_: Filter | None = None) -> int:
    """How many rows of the relation for `key` the filter lets through."""

    async def fetch(asked: list[Key]) -> list[int]:
        rows = await context.database.rows(counts(relation, context.caller, asked, filter_))
        return [row.total for row in sorted(rows, key=lambda row: row.parent_place)]

    return await loader(context, ("count", relation, filter_), fetch).load(key)


async def load_entity(context: Context, entity: Entity, key: Key) -> Any | None:
    """The row of `entity` with `key`, or None where it does not exist or is not the caller's to see."""
    return await load_one(context, identity(entity), key)


@cache
def identity(entity: Entity) -> Relation:
    """The relation from a key to the row it identifies."""
    return Relation(entity.name, entity.key_names, entity.key)


class Loader(DataLoader[K, V]):
    """A data loader whose answers outlive those who wait for them.

    Several fields may wait for one key. graphql-core cancels the siblings of a field whose null goes up to its parent,
    and a cancelled wait would take the answer away from everybody else.
    """

    def load(self, key: K) -> Awaitable[V]:
        """The value of `key`, fetched together with all keys that are asked for in the same turn of the loop."""
        return asyncio.shield(super().load(key))


def loader(
    context: Context, name: Hashable, fetch: Callable[[list[K]], Awaitable[Sequence[V | BaseException]]]
) -> Loader[K, V]:
    """The operation's loader called `name`, made with `fetch` at the first use.

    `fetch` answers in the order of its keys, with an exception in the place of a key that has no answer.
    """
    found = context.loaders.get(name)
    if found is None:
        found = context.loaders[name] = Loader(load_fn=fetch)
    return found
