"""Changes filtered by the rows: one reading of each changed row per worker, for all filters on its table.

A change is delivered if its row matches. A row that does not match any more is delivered as DELETED, so that a client
drops it from its list. The feed has no former rows. Whether one has matched is known exactly if this worker has read
the version before; `xmin` says which transaction wrote the version that was read. Otherwise the row may have matched,
and a DELETED that is not needed does no harm.

Filters that require a column to have a certain value are found by the value, the others are evaluated one by one.
Equal filters are evaluated once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from sys import getsizeof
from typing import Any, Final
from weakref import WeakKeyDictionary

from fullon_graphql.context import Worker
from fullon_graphql.database import Database
from fullon_graphql.engine.lists.filters import Filter
from fullon_graphql.engine.lists.row_matching import Match, equality, matcher
from fullon_graphql.engine.model.entities import Entity, Key
from fullon_graphql.engine.model.relations import PLACE, WRITER, versions
from fullon_graphql.lru import ENTRY_BYTES, LRUCache
from fullon_graphql.services.change_feed.mailbox import Mailbox
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.change_feed.table import CURSOR, Change, ChangeKind, Interest, Position, stored
from fullon_graphql.streaming.change_keys import key_of_change

KNOWN_BYTES: Final = 8 << 20
"""Bytes of the rows of one table whose last version a worker keeps, only as long as a stream of it has a filter."""
ROWS_PER_READ: Final = 100
"""Rows that are read together, and are in memory at the same time."""
EVALUATIONS_PER_TURN: Final = 2_000
"""Filters that are evaluated before the event loop runs other tasks; they take about 10 ms."""
_XID_BITS: Final = 0xFFFF_FFFF

Row = Mapping[str, Any]


class Screen:
    """The changes that pass a filter: those of matching rows, with `changed` only if one of these columns differs.

    Raises:
        BadUserInput: the filter compares the order of texts.
    """

    def __init__(self, entity: Entity, filter_: Filter | None, changed: frozenset[str] = frozenset()) -> None:
        self.identity = f"{filter_!r} {sorted(changed)}"
        """Equal for equal screens; a text, whose hash is computed once."""
        self.matches: Match = matcher(entity, filter_) if filter_ else lambda _row: True
        self.term = equality(entity, filter_, preferred_columns(entity)) if filter_ else None
        self._changed = changed

    def judge(self, seen: SeenChange) -> ChangeKind | None:
        """The kind of the change for the stream; None if the change is left out."""
        kind, before, after = seen.change.kind, seen.before, seen.after
        if kind is not ChangeKind.DELETED and after is not None and self.matches(after):
            return kind if self._has_changed(seen) else None
        if kind is not ChangeKind.DELETED and after is None:
            return None  # deleted since; its own event follows
        return ChangeKind.DELETED if before is not None and self.matches(before) is not False else None

    def _has_changed(self, seen: SeenChange) -> bool:
        before, after = seen.before, seen.after
        if not self._changed or before is None or after is None or not seen.is_exact:
            return True
        return self.matches(before) is not True or any(
            name not in before or before[name] != after[name] for name in self._changed
        )


@dataclass(frozen=True, slots=True)
class SeenChange:
    """A change with its row."""

    change: Change
    before: Row | None
    """The row before the change; only the columns that no update changes if it is not known; None for a new row."""
    after: Row | None
    """The row as read; None if it is deleted."""
    is_exact: bool
    """True if `after` is the version that the change has made, and `before` the one that it has replaced."""


def preferred_columns(entity: Entity) -> frozenset[str]:
    """The columns that the feed has itself: an update of one of them is a deletion and a creation."""
    return frozenset((*entity.key_names, *({"uid", "bot_id"} & entity.columns.keys())))


class RowReader:
    """Reads the rows of changes, and remembers the exact version after the newest change of each."""

    def __init__(self, database: Database, entity: Entity) -> None:
        self._database = database
        self._entity = entity
        self._fixed = preferred_columns(entity)
        self._known: LRUCache[Key, Row] = LRUCache(KNOWN_BYTES)

    def known(self, key: Key) -> Row | None:
        """The exact version of a row after its newest change; None if it is not known."""
        return self._known.get(key)

    async def read(self, changes: Sequence[Change]) -> list[SeenChange]:
        """The changes, which follow each other, with their rows. One statement reads all of them."""
        keys = [key_of_change(self._entity, change) for change in changes]
        distinct = list(dict.fromkeys(key for key in keys if key is not None))
        rows: dict[Key, tuple[int, Row]] = {}
        if distinct:
            for row in await self._database.rows(versions(self._entity, distinct, self._entity.searchable)):
                values = row._mapping  # a documented attribute of SQLAlchemy
                rows[distinct[values[PLACE] - 1]] = (
                    values[WRITER],
                    {name: values[name] for name in self._entity.searchable},
                )
        return [
            self._seen(change, key, rows.get(key)) for change, key in zip(changes, keys, strict=True) if key is not None
        ]

    def _seen(self, change: Change, key: Key, found: tuple[int, Row] | None) -> SeenChange:
        known = self._known.get(key)
        self._known.remove(key)
        if change.kind is ChangeKind.CREATED:
            before: Row | None = None
        else:
            before = known if known is not None else self._identity(change, key)
        if found is None or change.kind is ChangeKind.DELETED:
            return SeenChange(change, before, None, is_exact=False)
        writer, after = found
        is_exact = writer == change.position.xid & _XID_BITS
        if is_exact:
            self._known.put(key, after, ENTRY_BYTES + sum(map(getsizeof, after.values())))
        return SeenChange(change, before, after, is_exact)

    def _identity(self, change: Change, key: Key) -> Row:
        """The columns of a row that are known from its change alone."""
        values = dict(zip(self._entity.key_names, key, strict=True))
        values |= {"uid": change.uid} if change.uid is not None else {}
        values |= {"bot_id": change.bot_id} if change.bot_id is not None else {}
        return {name: value for name, value in values.items() if name in self._fixed}


@dataclass(eq=False)
class _Group:
    """A shared stream with a filter."""

    interest: Interest
    screen: Screen
    mailbox: Mailbox


@dataclass
class FilterIndex:
    """The groups of one table, by owner, and by the value that their filter requires of a column."""

    _by_value: dict[tuple[int | None, str, Any], set[_Group]] = field(default_factory=lambda: defaultdict(set))
    _by_column: dict[tuple[int | None, str], set[_Group]] = field(default_factory=lambda: defaultdict(set))
    _others: dict[int | None, set[_Group]] = field(default_factory=lambda: defaultdict(set))
    _columns: dict[int | None, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    evaluations: int = 0
    """Filters that have been evaluated, each once per change."""

    def add(self, group: _Group) -> None:
        """Add a group."""
        owner = group.interest.uid
        if group.screen.term is None:
            self._others[owner].add(group)
            return
        name, values = group.screen.term
        self._columns[owner][name] = self._columns[owner].get(name, 0) + 1
        self._by_column[owner, name].add(group)
        for value in values:
            self._by_value[owner, name, value].add(group)

    def remove(self, group: _Group) -> None:
        """Remove a group that has been added."""
        owner = group.interest.uid
        if group.screen.term is None:
            _discard(self._others, owner, group)
            return
        name, values = group.screen.term
        self._columns[owner][name] -= 1
        if not self._columns[owner][name]:
            del self._columns[owner][name]
        if not self._columns[owner]:
            del self._columns[owner]
        _discard(self._by_column, (owner, name), group)
        for value in values:
            _discard(self._by_value, (owner, name, value), group)

    def deliveries(self, seen: SeenChange) -> Iterator[tuple[_Group, Change]]:
        """The groups that receive a change, each with the change as it receives it."""
        change, verdicts = seen.change, dict[Any, ChangeKind | None]()
        for group in self._candidates(seen):
            if not group.interest.covers(change):
                continue
            identity = group.screen.identity
            if identity not in verdicts:
                self.evaluations += 1
                verdicts[identity] = group.screen.judge(seen)
            kind = verdicts[identity]
            if kind is not None:
                yield group, change if kind is change.kind else replace(change, kind=kind)

    def _candidates(self, seen: SeenChange) -> set[_Group]:
        found: set[_Group] = set()
        for owner in {None, seen.change.uid}:
            found |= self._others.get(owner, set())
            for name in self._columns.get(owner, ()):
                for row in (seen.before, seen.after):
                    if row is None:
                        continue
                    if name in row:
                        found |= self._by_value.get((owner, name, row[name]), set())
                    else:
                        found |= self._by_column[owner, name]
        return found


def _discard(groups: dict[Any, set[_Group]], key: Any, group: _Group) -> None:
    groups[key].discard(group)
    if not groups[key]:
        del groups[key]


class FilteredFeed:
    """The filtered changes of one entity's rows in one worker. It reads while there is a group."""

    def __init__(self, feed: ChangeFeed, database: Database, entity: Entity) -> None:
        self._feed = feed
        self._database = database
        self._entity = entity
        self.index = FilterIndex()
        self.reader: RowReader | None = None
        self._groups: set[_Group] = set()
        self._position = Position(0, 0)
        """Up to which all changes have been delivered."""
        self._starting = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def follow(
        self, interest: Interest, screen: Screen, after: Position | None
    ) -> AsyncGenerator[Sequence[Change], None]:
        """The changes that `ChangeFeed.follow` yields for `interest`, as far as they pass the screen."""
        position = after or await self._edge()
        while True:
            async with self._joined(interest, screen) as mailbox:
                async for passed, upto in self._past(interest, screen, position):
                    position = upto
                    if passed:
                        yield passed
                yield ()
                while taken := await mailbox.take():
                    if fresh := [change for change in taken if change.position > position]:
                        yield fresh
                position = max(position, mailbox.upto)

    async def _past(
        self, interest: Interest, screen: Screen, position: Position
    ) -> AsyncGenerator[tuple[Sequence[Change], Position], None]:
        """The stored changes after a position that pass, and the position up to which they have been read."""
        reader = RowReader(self._database, self._entity)
        while found := await stored(self._database, interest, position):
            for part in _parts(found):
                position = part[-1].position
                yield _passed(await reader.read(part), screen), position

    @asynccontextmanager
    async def _joined(self, interest: Interest, screen: Screen) -> AsyncGenerator[Mailbox, None]:
        async with self._starting:
            if self._task is None or self._task.done():
                self._position = await self._edge()
                self._task = asyncio.create_task(self._run(self._position), name="filtered changes")
            group = _Group(interest, screen, Mailbox(interest, self._position))
            self._groups.add(group)
            self.index.add(group)
        try:
            yield group.mailbox
        finally:
            self._groups.discard(group)
            self.index.remove(group)
            async with self._starting:  # another group may be joining
                if not self._groups and self._task:
                    task, self._task = self._task, None
                    task.cancel()
                    await asyncio.wait([task])

    async def _edge(self) -> Position:
        [[cursor]] = await self._database.records(CURSOR)
        return Position.parse(cursor)

    async def _run(self, after: Position) -> None:
        self.reader = reader = RowReader(self._database, self._entity)
        try:
            async with aclosing(self._feed.follow(Interest(self._entity.table), after)) as batches:
                async for batch in batches:
                    for part in _parts(batch):
                        await self._deliver(await reader.read(part), part[-1].position)
        except Exception as error:
            for group in self._groups:
                group.mailbox.fail(error)

    async def _deliver(self, seen: Sequence[SeenChange], upto: Position) -> None:
        """Deliver changes. Other tasks run after `EVALUATIONS_PER_TURN`."""
        wanted: dict[_Group, list[Change]] = defaultdict(list)
        turn = self.index.evaluations + EVALUATIONS_PER_TURN
        for one in seen:
            for group, change in self.index.deliveries(one):
                wanted[group].append(change)
            if self.index.evaluations >= turn:
                self._hand_over(wanted, one.change.position)
                wanted.clear()
                await asyncio.sleep(0)
                turn = self.index.evaluations + EVALUATIONS_PER_TURN
        self._hand_over(wanted, upto)

    def _hand_over(self, wanted: Mapping[_Group, Sequence[Change]], upto: Position) -> None:
        after, self._position = self._position, upto
        for group, changes in wanted.items():
            group.mailbox.deliver(changes, after, upto)


def _parts(changes: Sequence[Change]) -> Iterator[Sequence[Change]]:
    return (changes[start : start + ROWS_PER_READ] for start in range(0, len(changes), ROWS_PER_READ))


def _passed(seen: Sequence[SeenChange], screen: Screen) -> list[Change]:
    kinds = ((one.change, screen.judge(one)) for one in seen)
    return [change if kind is change.kind else replace(change, kind=kind) for change, kind in kinds if kind]


_feeds: WeakKeyDictionary[ChangeFeed, dict[str, FilteredFeed]] = WeakKeyDictionary()


def filtered_feed(worker: Worker, entity: Entity) -> FilteredFeed:
    """The filtered changes of an entity; always the same object for a worker."""
    feeds = _feeds.setdefault(worker.changes, {})
    if entity.name not in feeds:
        feeds[entity.name] = FilteredFeed(worker.changes, worker.database, entity)
    return feeds[entity.name]
