"""Mailboxes: the unread changes of each subscriber, bounded in number and bytes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from fullon_graphql.services.change_feed.table import Change, Interest, Position

MAX_CHANGES: Final = 2_000
MAX_BYTES: Final = 2_000_000
"""Unread changes of one subscriber that are kept in memory. A slower subscriber reads the rest from the table."""


class Mailbox:
    """The unread changes of one subscriber after the position `upto`."""

    def __init__(self, interest: Interest, start: Position) -> None:
        self.interest = interest
        self.upto = start
        """The position up to which all changes of interest have been delivered."""
        self._unread: list[Change] = []
        self._bytes = 0
        self._is_full = False
        self._failure: Exception | None = None
        self._arrived = asyncio.Event()

    def deliver(self, changes: Sequence[Change], after: Position, upto: Position) -> None:
        """Keep the changes of interest between two positions; none after the first ones that did not fit."""
        self._arrived.set()
        if self._is_full:
            return
        size = sum(change.size for change in changes)
        if len(self._unread) + len(changes) > MAX_CHANGES or self._bytes + size > MAX_BYTES:
            self._is_full = True
            self.upto = after
        else:
            self._unread += changes
            self._bytes += size
            self.upto = upto

    def fail(self, failure: Exception) -> None:
        """End the subscription with an error."""
        self._failure = failure
        self._arrived.set()

    async def take(self) -> list[Change]:
        """Wait for changes and remove them; empty once a full mailbox has been emptied."""
        if not self._is_full:
            await self._arrived.wait()
        if self._failure:
            raise self._failure
        self._arrived.clear()
        taken, self._unread, self._bytes = self._unread, [], 0
        return taken


class Mailboxes:
    """The mailboxes of all subscribers of a worker, by table and owner."""

    def __init__(self) -> None:
        self._by_owner: dict[tuple[str, int | None], set[Mailbox]] = defaultdict(set)

    def __len__(self) -> int:
        return len(set().union(*self._by_owner.values()))

    @contextmanager
    def opened(self, interest: Interest, start: Position) -> Iterator[Mailbox]:
        """A mailbox for all changes of interest after `start`."""
        mailbox, keys = Mailbox(interest, start), [(name, interest.uid) for name in interest.names]
        for key in keys:
            self._by_owner[key].add(mailbox)
        try:
            yield mailbox
        finally:
            for key in keys:
                self._by_owner[key].discard(mailbox)
                if not self._by_owner[key]:
                    del self._by_owner[key]

    def deliver(self, changes: Sequence[Change], after: Position, upto: Position) -> None:
        """Deliver all changes between two positions. The work grows with the deliveries, not with the mailboxes."""
        candidates: dict[Mailbox, list[Change]] = defaultdict(list)
        for change in changes:
            for owner in {None, change.uid}:
                for mailbox in self._by_owner.get((change.entity, owner), ()):
                    candidates[mailbox].append(change)
        for mailbox, found in candidates.items():
            try:
                if wanted := [change for change in found if mailbox.interest.covers(change)]:
                    mailbox.deliver(wanted, after, upto)
            except Exception as error:  # one mailbox must not end the reader, on which all others depend
                mailbox.fail(error)

    def fail(self, failure: Exception) -> None:
        """End all subscriptions with an error."""
        for mailboxes in self._by_owner.values():
            for mailbox in mailboxes:
                mailbox.fail(failure)
