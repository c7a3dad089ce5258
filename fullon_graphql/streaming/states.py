"""What streams of a single state have in common: the state now, then each other one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fullon_graphql.cache.watch import Key, Watch

State = TypeVar("State")
Value = TypeVar("Value")


@dataclass
class States(Generic[Key, State, Value]):
    """The states of one key of a watch, at most every `pause` seconds, for whom `allowed` does not refuse.

    `allowed` gives what makes the field's value of a state.
    """

    watch: Watch[Key, State]
    key: Key
    allowed: Callable[[], Awaitable[Callable[[State], Value]]]
    pause: float = 0.0
    _newest: list[Value] = field(default_factory=list, init=False)

    async def events(self) -> AsyncGenerator[Value, None]:
        value_of = await self.allowed()
        async with aclosing(self.watch.states(self.key)) as states:
            async for state in states:
                value = value_of(state)
                self._newest = [value]
                yield value
                await asyncio.sleep(self.pause)

    def state(self) -> list[Value]:
        return self._newest
