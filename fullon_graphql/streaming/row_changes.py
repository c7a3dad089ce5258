"""Streams of row changes: each committed change once, resumable after any of them."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from enum import Enum
from time import time
from typing import Annotated, Any, Final, Generic, TypeVar

import strawberry

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Context
from fullon_graphql.engine.fields.filter_inputs import columns_of, searching
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.lists.filters import Filter
from fullon_graphql.engine.model.entities import Key, entity_of
from fullon_graphql.errors import NotFound
from fullon_graphql.models import Bot
from fullon_graphql.services.access import visible, visible_owner
from fullon_graphql.services.change_feed.table import Change, ChangeKind, Interest, Position
from fullon_graphql.streaming.change_keys import key_of_change
from fullon_graphql.streaming.filtered_changes import Screen, filtered_feed
from fullon_graphql.streaming.row_snapshots import (
    LARGEST,
    SnapshotCursor,
    current_position,
    order_of,
    position_of,
    visible_keys,
)
from fullon_graphql.streaming.sources import Source, streamed

Event = TypeVar("Event")
"""A GraphQL type with the fields of `RowEvent`."""

EVENTS_PER_EXECUTION: Final = 50
"""The most events executed together: all rows they lead to are in memory at the same time."""

BotKey = Annotated[int | None, strawberry.argument(description="Only events of this bot, which must be yours.")]
AfterEvent = Annotated[
    str | None,
    strawberry.argument(
        description="Resume after this event, or continue from this list: the `cursor` of either. All later events come"
        " first. CURSOR_EXPIRED if they are no longer stored."
    ),
]
WithSnapshot = Annotated[
    bool,
    strawberry.argument(
        description=f"Begin with the rows: each as a SNAPSHOT event, by key, {LARGEST} at most (BAD_USER_INPUT beyond),"
        " then SNAPSHOT_END, then all changes since the start. Ignored with `after`: the cursor of a SNAPSHOT event"
        " continues with the next row, any other one with changes."
    ),
]


def row_stream(
    rows: str, row: type[Any], event: type[Any], *, bots: bool = True, check: Callable[[Caller], object] | None = None
) -> Any:
    """A field of `Subscription` that streams changes of `row` as `event`; `rows` begins its description.

    Without `bots` it has no argument `botId`. `check` raises if the caller may not subscribe.
    """
    arguments = searching(row.__name__)
    annotations: dict[str, Any] = {
        **({"bot_id": BotKey} if bots else {}),
        "after": AfterEvent,
        "snapshot": WithSnapshot,
        "filter_": arguments["filter_"],
        "changed": Annotated[
            columns_of(row.__name__),
            strawberry.argument(
                description="Leave out updates in which none of these columns differs from the row as this server has"
                " read it before. If it has not read the row yet, the update is delivered."
            ),
        ],
    }

    def open_(context: Context, **given: Any) -> Source[Any]:
        if check:
            check(context.caller)
        return RowChanges(context, row, event, **given)

    defaults = {"snapshot": False}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=each, default=defaults.get(name))
        for name, each in annotations.items()
    ]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    open_.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]  # `inspect` reads it
    return streamed(
        f"{rows}: each committed change once. With `after`, all changes since that event come first; with `snapshot`,"
        " the rows themselves.",
        open_,
        cursor=lambda event: event.cursor,
        order=order_of,
        position=lambda event: position_of(event.cursor),
        time=lambda event: event.at,
    )


class RowChanges(Generic[Event]):
    """A source of the changes of one type's rows: of the caller's own, or of all for administrators.

    With `snapshot` they begin with the rows, unless `after` says that these have been received.

    Raises:
        BadUserInput: `after` is not a cursor, or the filter is invalid.
    """

    def __init__(
        self,
        context: Context,
        row: type[Any],
        event: Callable[..., Event],
        after: str | None = None,
        snapshot: bool = False,
        bot_id: int | None = None,
        filter_: Mapping[str, Any] | None = None,
        changed: Sequence[Enum] | None = None,
    ) -> None:
        self._context = context
        self._entity = entity_of(row)
        self._event = event
        self._after = None if after is None else position_of(after)
        self._snapshot = snapshot and after is None
        self._last_row: Key | None = None
        """The last row that the client has of an unfinished snapshot."""
        if after is not None and "." in after:
            self._snapshot, self._last_row = True, SnapshotCursor.parse(after, self._entity).key
        self._bot_id = bot_id
        self._filter = None if filter_ is None else Filter.read(self._entity, filter_)
        columns = frozenset(str(column.value) for column in changed or ())
        self._screen = Screen(self._entity, self._filter, columns) if self._filter or columns else None
        self.caught_up = False

    async def events(self) -> AsyncGenerator[Event, None]:
        """The rows, or all changes since `after`, if they are asked for; then each change as it happens."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def batches(self) -> AsyncGenerator[Sequence[Event], None]:
        """The same in batches of at most `EVENTS_PER_EXECUTION`."""
        interest = await self._interest()
        if self._snapshot:
            async with aclosing(self._rows()) as rows:
                async for events in rows:
                    yield events
        async with aclosing(self._follow(interest)) as batches:
            async for batch in batches:
                self.caught_up = self.caught_up or not batch
                for start in range(0, len(batch), EVENTS_PER_EXECUTION):
                    changes = batch[start : start + EVENTS_PER_EXECUTION]
                    yield [self._to_event(change) for change in changes]

    def _follow(self, interest: Interest) -> AsyncGenerator[Sequence[Change], None]:
        worker = self._context.worker
        if self._screen is None:
            return worker.changes.follow(interest, self._after)
        return filtered_feed(worker, self._entity).follow(interest, self._screen, self._after)

    def snapshot(self) -> Sequence[Event]:
        """Empty: an event is delivered once."""
        return ()

    async def _rows(self) -> AsyncGenerator[Sequence[Event], None]:
        """The rows of the snapshot and its end. Changes are delivered after the position at which it was begun."""
        position = self._after = self._after or await current_position(self._context)
        conditions = [] if self._bot_id is None else [self._entity.table.bot_id == self._bot_id]
        if self._filter:
            conditions.append(self._filter.condition(self._entity))
        keys = await visible_keys(self._context, self._entity, conditions, self._last_row)
        for start in range(0, len(keys), EVENTS_PER_EXECUTION):
            yield [self._row(position, key) for key in keys[start : start + EVENTS_PER_EXECUTION]]
        yield [self._event(cursor=position.cursor, kind=ChangeKind.SNAPSHOT_END, key=None, at=time())]

    def _row(self, position: Position, key: Key) -> Event:
        cursor = SnapshotCursor(position, key).text
        return self._event(cursor=cursor, kind=ChangeKind.SNAPSHOT, row_id=self._row_id(key), key=key, at=time())

    async def _interest(self) -> Interest:
        if self._bot_id is not None:
            await self._check_bot(self._bot_id)
        return Interest(self._entity.table, visible_owner(self._entity.table, self._context.caller), self._bot_id)

    async def _check_bot(self, bot_id: int) -> None:
        query = visible(Bot, self._context.caller).where(Bot.bot_id == bot_id)
        if await self._context.database.row(query) is None:
            raise NotFound(f"You have no bot {bot_id}.")

    def _to_event(self, change: Change) -> Event:
        key = key_of_change(self._entity, change)
        return self._event(
            cursor=change.position.cursor,
            kind=change.kind,
            row_id=None if key is None else self._row_id(key),
            key=None if change.kind is ChangeKind.DELETED else key,
            at=change.at,
        )

    def _row_id(self, key: Key) -> str:
        return opaque_ids.encode(self._entity.name, *key)
