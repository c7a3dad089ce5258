"""Batches: fields whose values come from another store, fetched for many parents at a time.

A batch is declared once: the parent's fields that make its key, and the fetcher in `services/` that answers many keys.
The reference execution collects keys in a loader; a plan reads them from the rows that PostgreSQL has returned.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry

from fullon_graphql.context import Context, Info
from fullon_graphql.engine.cost import SIZE
from fullon_graphql.engine.model.entities import Key
from fullon_graphql.engine.reference.loaders import loader

BATCH = "batch"
"""Metadata key of a field's `Batch`."""


@dataclass(frozen=True, eq=False)
class Batch:
    """One value for each parent, by the parent's columns `local`.

    `fetch(context, keys, **arguments)` returns one value per key, in the order of its distinct keys; an exception in
    place of a value is the error of that parent. `parse` converts the field's arguments for it. `build` makes the
    GraphQL object of a fetched record; without it records are passed on. A `shared` batch builds a part of a record of
    which other fields build other parts: equal keys are fetched once in an operation. `for_everybody`: its plain values
    do not depend on the caller.
    """

    local: tuple[str, ...]
    fetch: Callable[..., Awaitable[Sequence[Any]]]
    parse: Callable[..., dict[str, Any]] | None = None
    build: Callable[[Any], Any] | None = None
    shared: bool = False
    for_everybody: bool = False

    @property
    def fetcher(self) -> str:
        """The name of the fetcher for people: `module.function`."""
        return f"{self.fetch.__module__}.{self.fetch.__qualname__}"

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """The fetcher's arguments, made of the field's own."""
        return self.parse(**given) if self.parse else {}

    async def values(self, context: Context, keys: Sequence[Key], arguments: dict[str, Any]) -> list[Any]:
        """The value of each key, in one call of the fetcher."""
        return [self._built(found) for found in await self._fetched(context, keys, arguments)]

    async def _fetched(self, context: Context, keys: Sequence[Key], arguments: dict[str, Any]) -> Sequence[Any]:
        if not self.shared:
            return await self.fetch(context, keys, **arguments)
        name = ("fetched", self.fetch, tuple(keys), tuple(arguments.items()))
        if name not in context.loaders:
            context.loaders[name] = asyncio.ensure_future(self.fetch(context, keys, **arguments))
        found: Sequence[Any] = await asyncio.shield(context.loaders[name])  # another field may wait for it
        return found

    async def value(self, context: Context, parent: object, given: dict[str, Any]) -> Any:
        """The value of one parent, fetched together with those of all parents with the same arguments."""
        arguments = self.arguments(given)

        async def fetch(keys: list[Key]) -> list[Any]:
            return await self.values(context, keys, arguments)

        name = ("batch", self, tuple(arguments.items()))
        return await loader(context, name, fetch).load(tuple(getattr(parent, local) for local in self.local))

    def _built(self, found: Any) -> Any:
        if self.build is None or found is None or isinstance(found, BaseException):
            return found
        return [self.build(record) for record in found] if type(found) is list else self.build(found)


def batched(description: str, batch: Batch, *, directives: Sequence[object] = (), size: Any = None) -> Any:
    """A field that is answered by `batch`; its arguments are the parameters of `batch.parse`.

    `directives` declare its cost and the size of its lists, which `size` estimates from the arguments.
    """

    async def resolve(root: Any, info: Info, **arguments: Any) -> Any:
        return await batch.value(info.context, root, arguments)

    own = [parameter for name, parameter in inspect.signature(resolve).parameters.items() if name != "arguments"]
    parsed = inspect.signature(batch.parse, eval_str=True).parameters.values() if batch.parse else ()
    named = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *parsed)]
    resolve.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]  # read by inspect.signature
    return strawberry.field(
        resolver=resolve,
        description=description,
        metadata={BATCH: batch, SIZE: size},
        directives=directives,
    )
