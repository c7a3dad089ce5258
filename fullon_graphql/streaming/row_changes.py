"""Streams of what happens to rows: every committed change once, resumable."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final, Generic, TypeVar

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.model.entities import Key, entity_of
from fullon_graphql.errors import NotFound
from fullon_graphql.models import Bot
from fullon_graphql.services.access import visible, visible_owner
from fullon_graphql.services.change_feed.table import Change, ChangeKind, Interest, Position
from fullon_graphql.streaming.sources import Source, streamed

Event = TypeVar("Event")
"""A GraphQL type with the fields of `RowEvent`."""

TOGETHER: Final = 50
"""Events that are written together, at most: whatever their rows lead to is in memory at the same time."""

BotKey = Annotated[int | None, strawberry.argument(description="Only what this bot of yours does.")]
AfterEvent = Annotated[
    str | None,
    strawberry.argument(
        description="The `cursor` of an event: everything since then comes first. CURSOR_EXPIRED where that is no"
        " longer kept."
    ),
]


def row_stream(whose: str, open_: Callable[..., Source[Any]]) -> Any:
    """A field of `Subscription` that streams what happens to rows; `whose` begins its description."""
    description = f"{whose}: each committed change once; with `after`, everything since that event first."
    return streamed(description, open_, cursor=lambda event: event.cursor, order=Position.of)


class RowChanges(Generic[Event]):
    """A source of the changes of one type's rows, as far as they are the caller's; administrators get all.

    Raises:
        BadUserInput: `after` is no cursor.
    """

    def __init__(
        self,
        context: Context,
        row: type[Any],
        event: Callable[..., Event],
        after: str | None,
        bot_id: int | None = None,
    ) -> None:
        self._context = context
        self._entity = entity_of(row)
        self._event = event
        self._after = None if after is None else Position.of(after)
        self._bot_id = bot_id
        self.is_up_to_date = False

    async def events(self) -> AsyncGenerator[Event, None]:
        """Everything since `after` and then what happens, or only the latter."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def batches(self) -> AsyncGenerator[Sequence[Event], None]:
        """The same, and together what has come together."""
        interest = await self._interest()
        async with aclosing(self._context.worker.changes.follow(interest, self._after)) as batches:
            async for batch in batches:
                self.is_up_to_date = self.is_up_to_date or not batch
                for start in range(0, len(batch), TOGETHER):
                    together = batch[start : start + TOGETHER]
                    yield [self._event(cursor=c.position.cursor, kind=c.kind, key=self._key(c)) for c in together]

    def state(self) -> Sequence[Event]:
        """Nothing: what has happened is not told again."""
        return ()

    async def _interest(self) -> Interest:
        if self._bot_id is not None:
            await self._refuse_foreign_bot(self._bot_id)
        return Interest(self._entity.table, visible_owner(self._entity.table, self._context.caller), self._bot_id)

    async def _refuse_foreign_bot(self, bot_id: int) -> None:
        mine = visible(Bot, self._context.caller).where(Bot.bot_id == bot_id)
        if await self._context.database.row(mine) is None:
            raise NotFound(f"You have no bot {bot_id}.")

    def _key(self, change: Change) -> Key | None:
        if change.kind is ChangeKind.DELETED:
            return None
        return opaque_ids.read([change.key.get(column.key) for column in self._entity.key], self._entity.key)
