"""What has come of a torture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.torture.followers import Event, Follower


@dataclass
class Outcome:
    """What has happened, and what must not have."""

    blows: int = 0
    transactions: int = 0
    clients: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    heard: Counter[str] = field(default_factory=Counter)
    """By transport: how many there were, what they made and what came, by all of them together as the rest is."""
    events: int = 0
    lost: int = 0
    doubled: int = 0
    unordered: int = 0
    """Clients who heard everything once, in another order."""
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing was lost, doubled or out of order, and nobody complains."""
        return not (self.lost or self.doubled or self.unordered or self.complaints)

    def count(self, follower: Follower) -> None:
        """Add what one client has met with."""
        self.clients[follower.transport] += 1
        self.connections[follower.transport] += follower.connections
        self.heard[follower.transport] += follower.heard
        self.complaints += follower.complaints

    def compare(self, name: str, heard: Sequence[Event], happened: Sequence[Event]) -> None:
        """Hold what one client has heard against what has happened."""
        missing, surplus = Counter(happened) - Counter(heard), Counter(heard) - Counter(happened)
        self.events += len(heard)
        self.lost += missing.total()
        self.doubled += surplus.total()
        if missing or surplus:
            self.complaints.append(f"{name}: lacks {list(missing)[:5]}, has too much {list(surplus)[:5]}")
        elif list(heard) != list(happened):
            self.unordered += 1
            self.complaints.append(f"{name}: another order")

    def __str__(self) -> str:
        said = (
            f"{self.blows} blows, {self.transactions} transactions, {self.connections.total()} connections,"
            f" {self.events} events and {self.heard.total() - self.events} states heard;"
            f" {self.lost} lost, {self.doubled} doubled, {self.unordered} out of order"
        )
        transports = [
            f"{name}: {clients} clients, {self.connections[name]} connections, {self.heard[name]} heard"
            for name, clients in self.clients.items()
        ]
        return "\n".join([said, *transports, *self.complaints])
