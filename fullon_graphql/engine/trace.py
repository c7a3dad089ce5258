"""Traces: the steps of one execution, for `explain` and for metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, NamedTuple

from fullon_graphql.engine.planned.fallback import Kind

Stage = Literal[
    "identify", "parse", "validate", "plan", "compile", "statement", "batch", "resolve", "write", "reference"
]
"""The kinds of steps. Identify, parse, validate, plan and compile occur only if the result was not remembered."""

Fallback = Kind | Literal["error", "failure"]
"""The kind of a `Fallback`, an expected error, or a failure of the planner."""


class Step(NamedTuple):
    """One step; `seconds` excludes the steps inside it. `started` and `ended` are seconds of `perf_counter`."""

    stage: Stage
    name: str
    started: float
    ended: float
    seconds: float
    facts: dict[str, Any]

    def report(self) -> dict[str, Any]:
        """The step as JSON values."""
        return {"kind": self.stage, "name": self.name, "milliseconds": _milliseconds(self.seconds), **self.facts}


@dataclass(slots=True)
class Trace:
    """The steps of one operation, in the order in which they ended."""

    started: float = field(default_factory=perf_counter)
    steps: list[Step] = field(default_factory=list)
    stages: set[Stage] = field(default_factory=set)
    """The stages with at least one step."""
    reason: str | None = None
    """Why the reference executed the operation; None if a plan did."""
    fallback: Fallback | None = None
    """The kind of that reason."""
    failure: Exception | None = None
    """The unexpected exception that ended a plan."""
    redis: list[str] | None = None
    """Redis commands since the last step, if they are recorded."""
    sql: list[str] | None = None
    """SQL since the last step apart from the plan's own, if it is recorded."""

    def step(self, stage: Stage, name: str, started: float, **facts: Any) -> None:
        """Add a step that began at `started` (seconds of `perf_counter`) and ends now."""
        inside = 0.0
        for earlier in reversed(self.steps):  # steps inside this one ended last
            if earlier.started < started:
                break
            inside += earlier.seconds
        if self.redis:
            facts["redis"], self.redis[:] = self.redis.copy(), []
        if self.sql:
            facts["statements"], self.sql[:] = self.sql.copy(), []
        self.stages.add(stage)
        ended = perf_counter()
        self.steps.append(Step(stage, name, started, ended, ended - started - inside, facts))

    def fall_back(self, fallback: Fallback, reason: str) -> None:
        """Record why the reference has to execute the operation."""
        self.fallback, self.reason = fallback, reason

    def executed(self, *stages: Stage) -> bool:
        """True if one of these stages was executed instead of being remembered."""
        return not self.stages.isdisjoint(stages)

    def report(self) -> dict[str, Any]:
        """The trace as JSON values for the client."""
        return {
            "execution": "reference" if self.fallback else "plan",
            "reason": self.reason,
            "milliseconds": _milliseconds(perf_counter() - self.started),
            "remembered": {"document": not self.executed("parse"), "plan": not self.executed("plan", "compile")},
            "steps": [step.report() for step in self.steps],
        }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
