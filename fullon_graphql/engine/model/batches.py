"""Batches: fields whose values come from another store, or from the process, for many parents at a time.

A batch is declared once: the parent's fields that make its key, and the function that answers many keys. The
reference execution collects keys in a loader; a plan takes them out of the rows that PostgreSQL has answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry

from fullon_graphql.context import Context, Info
from fullon_graphql.engine.model.entities import Key
from fullon_graphql.engine.reference.loaders import loader

BATCH = "batch"
"""Where a field's `Batch` stands in its Strawberry metadata."""


@dataclass(frozen=True, eq=False)
class Batch:
    """From the columns `local` of parents to one value each.

    `load(context, keys, **arguments)` answers in the order of its keys, which are distinct; an exception in the place
    of a value is that parent's error. Its arguments are what `read` makes of the field's own.
    """

    local: tuple[str, ...]
    load: Callable[..., Awaitable[Sequence[Any]]]
    read: Callable[..., dict[str, Any]] = dict

    @property
    def loader(self) -> str:
        """The function that answers, for people: `module.function`."""
        return f"{self.load.__module__}.{self.load.__qualname__}"

    async def of(self, context: Context, parent: object, **arguments: Any) -> Any:
        """The value of one parent, loaded together with those of all parents that are asked alike."""
        read = self.read(**arguments)

        async def fetch(keys: list[Key]) -> Sequence[Any]:
            return await self.load(context, keys, **read)

        name = ("batch", self, tuple(read.items()))

        return await loader(context, name, fetch).load(tuple(getattr(parent, local) for local in self.local))


def batched(description: str, batch: Batch) -> Any:
    """A field without arguments that is answered by `batch`."""

    async def resolve(root: Any, info: Info) -> Any:
        return await batch.of(info.context, root)

    return strawberry.field(resolver=resolve, description=description, metadata={BATCH: batch})
