"""The result of a run: counts, and violations of the server's promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.torture.clients import Event, StreamClient


@dataclass
class Outcome:
    """Counts of a run. `clients`, `connections` and `responses` are by transport."""

    faults: int = 0
    transactions: int = 0
    clients: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    responses: Counter[str] = field(default_factory=Counter)
    events: int = 0
    lost: int = 0
    doubled: int = 0
    unordered: int = 0
    """Clients that received every event once, in another order."""
    failures: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True if no event was lost, doubled or out of order, and no client reports a failure."""
        return not (self.lost or self.doubled or self.unordered or self.failures)

    def count(self, client: StreamClient) -> None:
        """Add the counts and failures of a client."""
        self.clients[client.transport] += 1
        self.connections[client.transport] += client.connections
        self.responses[client.transport] += client.responses
        self.failures += client.failures

    def compare(self, name: str, received: Sequence[Event], recorded: Sequence[Event]) -> None:
        """Compare the events that a client received with those recorded in the feed's table."""
        missing, surplus = Counter(recorded) - Counter(received), Counter(received) - Counter(recorded)
        self.events += len(received)
        self.lost += missing.total()
        self.doubled += surplus.total()
        if missing or surplus:
            self.failures.append(f"{name}: missing {list(missing)[:5]}, surplus {list(surplus)[:5]}")
        elif list(received) != list(recorded):
            self.unordered += 1
            self.failures.append(f"{name}: another order")

    def __str__(self) -> str:
        summary = (
            f"{self.faults} faults, {self.transactions} transactions, {self.connections.total()} connections,"
            f" {self.events} events and {self.responses.total() - self.events} states received;"
            f" {self.lost} lost, {self.doubled} doubled, {self.unordered} out of order"
        )
        transports = [
            f"{name}: {clients} clients, {self.connections[name]} connections, {self.responses[name]} responses"
            for name, clients in self.clients.items()
        ]
        return "\n".join([summary, *transports, *self.failures])
