"""What one execution did, step by step: for `explain`, and for metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any


@dataclass
class Trace:
    """The steps of one operation, in order. `reason` tells why the reference execution answered, if it did."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    reason: str | None = None
    failure: Exception | None = None
    """What ended a plan that should have succeeded."""

    def step(self, kind: str, name: str, started: float, **facts: Any) -> None:
        """Note something that began at `started` (of `perf_counter`) and has ended now."""
        milliseconds = round((perf_counter() - started) * 1000, 3)
        self.steps.append({"kind": kind, "name": name, "milliseconds": milliseconds, **facts})

    def report(self) -> dict[str, Any]:
        """The same as JSON values, fit for the client that asked for it."""
        return {"execution": "reference" if self.reason else "plan", "reason": self.reason, "steps": self.steps}
