"""The result of a run: counts, and violations of the server's promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.torture.clients import Event, StreamClient
from tests.torture.probe import Window


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
    repeated: int = 0
    """Events that the webhook has received again with the same id, which is allowed."""
    unordered: int = 0
    """Clients that received every event once, in another order."""
    missing_orders: int = 0
    """Orders of committed transactions that are not in the database."""
    windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    """The requests of the probe, by fault and kind."""
    failures: list[str] = field(default_factory=list)
    """Broken promises to clients, also the first request that failed outside of a stated window."""

    @property
    def good(self) -> bool:
        """True if nothing was lost, doubled or out of order, and no client and no request reports a failure."""
        return not (self.lost or self.doubled or self.unordered or self.missing_orders or self.failures)

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
            f" {self.lost} lost, {self.doubled} doubled, {self.unordered} out of order,"
            f" {self.missing_orders} committed orders missing; {self.repeated} repeated to a webhook with the same id"
        )
        transports = [
            f"{name}: {clients} clients, {self.connections[name]} connections, {self.responses[name]} responses"
            for name, clients in self.clients.items()
        ]
        windows = [f"{fault}, {kind}: {window}" for (fault, kind), window in sorted(self.windows.items())]
        if windows:
            outside = sum(window.outside for window in self.windows.values())
            windows.append(f"{outside} requests failed outside of the stated windows")
        return "\n".join([summary, *transports, *windows, *self.failures])
