"""What one execution did, step by step: for `explain`, and for metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, NamedTuple

from fullon_graphql.engine.planned.fallback import Kind

Stage = Literal[
    "identify", "parse", "validate", "plan", "compile", "statement", "batch", "resolve", "write", "reference"
]
"""What a step can be. Parsing, validating, planning and compiling are there only where nothing was remembered."""

Fallback = Kind | Literal["error", "failure"]
"""What `Unplanned` names, an expected error, or a bug."""


class Step(NamedTuple):
    """Something that was done; `seconds` without those of the steps inside it."""

    stage: Stage
    name: str
    started: float
    seconds: float
    facts: dict[str, Any]

    def report(self) -> dict[str, Any]:
        """The step as JSON values."""
        return {"kind": self.stage, "name": self.name, "milliseconds": _milliseconds(self.seconds), **self.facts}


@dataclass
class Trace:
    """The steps of one operation, in the order of their ends."""

    started: float = field(default_factory=perf_counter)
    steps: list[Step] = field(default_factory=list)
    stages: set[Stage] = field(default_factory=set)
    """What has been done at least once."""
    reason: str | None = None
    """Why the reference execution answered, if it did."""
    fallback: Fallback | None = None
    """The same in one of few words."""
    failure: Exception | None = None
    """What ended a plan that should have succeeded."""
    redis: list[str] = field(default_factory=list)
    """Redis commands since the last step, where somebody listens to them."""
    sql: list[str] = field(default_factory=list)
    """SQL that is not a plan's own since the last step, where somebody listens to it."""

    def step(self, stage: Stage, name: str, started: float, **facts: Any) -> None:
        """Note something that began at `started` (of `perf_counter`) and has ended now."""
        inside = 0.0
        for earlier in reversed(self.steps):  # in the order of their ends: those inside come last
            if earlier.started < started:
                break
            inside += earlier.seconds
        for kind, heard in (("redis", self.redis), ("statements", self.sql)):
            if heard:
                facts[kind] = heard.copy()
                heard.clear()
        self.stages.add(stage)
        self.steps.append(Step(stage, name, started, perf_counter() - started - inside, facts))

    def fall_back(self, fallback: Fallback, reason: str) -> None:
        """Note why the reference execution has to answer."""
        self.fallback, self.reason = fallback, reason

    def made(self, *stages: Stage) -> bool:
        """True where one of these was done: nothing that is remembered could take its place."""
        return not self.stages.isdisjoint(stages)

    def report(self) -> dict[str, Any]:
        """The same as JSON values, fit for the client that asked for it."""
        return {
            "execution": "reference" if self.fallback else "plan",
            "reason": self.reason,
            "milliseconds": _milliseconds(perf_counter() - self.started),
            "remembered": {"document": not self.made("parse"), "plan": not self.made("plan", "compile")},
            "steps": [step.report() for step in self.steps],
        }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
