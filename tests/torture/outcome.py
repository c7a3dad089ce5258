"""What has come of a torture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.torture.followers import Event


@dataclass
class Outcome:
    """What has happened, and what must not have."""

    blows: int = 0
    transactions: int = 0
    connections: int = 0
    """Made by all clients together, as the rest is."""
    events: int = 0
    states: int = 0
    lost: int = 0
    doubled: int = 0
    unordered: int = 0
    """Clients who heard everything once, in another order."""
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing was lost, doubled or out of order, and nobody complains."""
        return not (self.lost or self.doubled or self.unordered or self.complaints)

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
            f"{self.blows} blows, {self.transactions} transactions, {self.connections} connections, {self.events} events"
            f" and {self.states} states heard; {self.lost} lost, {self.doubled} doubled, {self.unordered} out of order"
        )
        return "\n".join([said, *self.complaints])
