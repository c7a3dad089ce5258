"""Draws cases of a kind, plays them on the server, and finds the smallest one that breaks a law."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from tests.fuzz.observed_server import PAUSED
from tests.fuzz.world import FAULT, SHOWN, World, remaining_complaints

PATIENCE: Final = 60.0
"""Seconds in which one case must be played."""


MOST_LINES: Final = 3
"""Lines of the server's log in a report."""
LONGEST_CASE: Final = 2_000
"""Characters of a case in a report."""


@dataclass(frozen=True)
class Kind:
    """A kind of hostile input."""

    name: str
    cases: Callable[[World], st.SearchStrategy[Any]]
    play: Callable[[World, Any], Awaitable[list[str]]]
    """Plays one case, undoes what it has changed in the stores, and returns the violations of the laws."""
    around: Callable[[World], AbstractAsyncContextManager[Callable[[], list[str]]]] | None = None
    """Runs during all cases of the kind; yields a function that returns the violations since its last call."""


@dataclass
class Findings:
    """The number of cases per kind, and the violations of the laws."""

    played: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    """By kind: the smallest case that breaks a law, and how."""
    pauses: dict[str, str] = field(default_factory=dict)
    """By kind: the log line of the longest pause of the event loop over 100 ms, if the server logs them."""

    def __str__(self) -> str:
        counts = [f"{name}: {count} cases" for name, count in self.played.items()]
        pauses = [f"{name}, longest pause: {line}" for name, line in self.pauses.items()]
        return "\n".join([*counts, *self.faults.values(), *pauses])


async def fuzz(
    world: World,
    kind: Kind,
    examples: int,
    findings: Findings,
    chosen: int | None = None,
) -> None:
    """Play cases of one kind, drawn with the seed `chosen`, or always the same without one."""
    loop = asyncio.get_running_loop()
    around: Any = kind.around(world) if kind.around else nullcontext(list)
    async with around as further:
        failed: list[tuple[Any, list[str]]] = []

        def play(case: Any) -> None:
            findings.played[kind.name] += 1
            played = asyncio.run_coroutine_threadsafe(asyncio.wait_for(kind.play(world, case), PATIENCE), loop)
            if wrong := [*_outcome(played.result), *further()]:
                failed.append((case, wrong))
                raise AssertionError(wrong)

        try:
            await asyncio.to_thread(_search(play, kind.cases(world), examples, chosen))
        except (AssertionError, HypothesisException, BaseExceptionGroup):
            if not failed:
                raise
            case, wrong = failed[-1]  # hypothesis plays the smallest case last
            findings.faults[kind.name] = f"{kind.name}: {repr(case)[:LONGEST_CASE]}\n  " + "\n  ".join(wrong)
        logged = world.new_log()
        if paused := [line for line in logged if PAUSED in line]:
            findings.pauses[kind.name] = max([*paused, findings.pauses.get(kind.name, "")])
        wrong = [f"log: {line[:SHOWN]}" for line in logged if FAULT.search(line)]
        if wrong := wrong[:MOST_LINES] + await remaining_complaints(world):
            findings.faults.setdefault(kind.name, f"{kind.name}, after all cases:\n  " + "\n  ".join(wrong))


def _outcome(result: Callable[[], list[str]]) -> list[str]:
    try:
        return result()
    except Exception as error:  # a connection that the server drops, an answer that does not come
        return [f"{type(error).__name__}: {error}"]


def _search(
    play: Callable[[Any], None], cases: st.SearchStrategy[Any], examples: int, chosen: int | None
) -> Callable[[], None]:
    deterministic = settings(
        max_examples=examples,
        derandomize=chosen is None,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    test = deterministic(given(case=cases)(play))
    return test if chosen is None else seed(chosen)(test)
