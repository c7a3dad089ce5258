from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator

import pytest

from fullon_graphql.errors import ServiceUnavailable
from fullon_graphql.server import garbage
from fullon_graphql.server.garbage import (
    OBJECT_BYTES,
    OBJECTS,
    STEP,
    THOROUGH,
    FullCollections,
    Idleness,
    oldest_objects,
    resident_bytes,
    scheduled_collection,
)


class Cyclic:
    """An object that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


class Numbers:
    """Numbers in the order in which they are asked for."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def __call__(self) -> int:
        return self.numbers.pop(0)


class Growth:
    """Resident memory that a test sets."""

    bytes = 0

    def __call__(self) -> int:
        return self.bytes


@pytest.fixture
def without_automatic_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("without_automatic_collections")
@pytest.mark.parametrize(
    ("resident", "objects"),
    [
        (Numbers(1_000, 1_000 + STEP - 1, 1_000 + STEP, 1_000), lambda: OBJECTS - 1),
        (lambda: 0, Numbers(OBJECTS - 1, OBJECTS)),
    ],
    ids=["memory", "objects"],
)
def test_collection_runs_once_there_is_more(resident: Callable[[], int], objects: Callable[[], int]) -> None:
    collections = FullCollections(resident, objects=objects)
    gone = weakref.ref(Cyclic())
    assert not collections.collect_if_due()
    assert gone() is not None
    assert collections.collect_if_due()
    assert gone() is None


@pytest.mark.usefixtures("without_automatic_collections")
def test_objects_that_survived_collections_of_young_ones_are_counted() -> None:
    gc.collect()
    gc.freeze()
    kept = [Cyclic() for _ in range(1_000)]
    young = oldest_objects()
    gc.collect(1)
    assert oldest_objects() - young >= len(kept)


async def test_collections_run_between_tasks_of_the_planner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "INTERVAL", 0.0)
    is_busy, collected = True, asyncio.Event()

    async def run(work: Callable[[], bool]) -> bool:
        nonlocal is_busy
        if is_busy:
            is_busy = False
            raise ServiceUnavailable("planner", "Too many tasks are waiting.")
        assert work.__name__ == "collect_if_due"
        collected.set()
        return False

    async with scheduled_collection(run):
        await asyncio.wait_for(collected.wait(), 10)


@pytest.mark.usefixtures("without_automatic_collections")
def test_objects_that_a_collection_has_left_are_visited_by_a_thorough_one_only() -> None:
    grown = THOROUGH + STEP
    collections = FullCollections(
        Numbers(0, STEP, STEP, 2 * STEP, 2 * STEP, grown, grown), objects=lambda: 0, is_idle=lambda: True
    )
    kept = Cyclic()
    seen = weakref.ref(kept)
    assert collections.collect_if_due()
    del kept
    assert collections.collect_if_due()
    assert seen() is not None
    assert collections.collect_if_due()
    assert seen() is None


@pytest.mark.parametrize(("freed", "thorough"), [(0, [1, 3]), (THOROUGH // OBJECT_BYTES, [1, 2, 3, 4, 5, 6])])
@pytest.mark.usefixtures("without_automatic_collections")
def test_thorough_collections_become_rare_while_objects_stay(
    monkeypatch: pytest.MonkeyPatch, freed: int, thorough: list[float]
) -> None:
    grown, seen = Growth(), list[float]()
    monkeypatch.setattr(gc, "unfreeze", lambda: seen.append(grown.bytes / THOROUGH))
    collections = FullCollections(grown, lambda: freed, lambda: 0, lambda: True)
    for grown.bytes in range(THOROUGH // 2, 13 * THOROUGH // 2, THOROUGH // 2):
        assert collections.collect_if_due()
    assert seen == thorough


@pytest.mark.usefixtures("without_automatic_collections")
def test_thorough_collection_waits_for_an_idle_process_until_the_memory_has_grown_twice_as_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grown, seen, idle = Growth(), list[int](), False
    monkeypatch.setattr(gc, "unfreeze", lambda: seen.append(grown.bytes // THOROUGH))
    collections = FullCollections(grown, lambda: THOROUGH, lambda: 0, lambda: idle)
    for grown.bytes in (THOROUGH, 2 * THOROUGH, 3 * THOROUGH):
        assert collections.collect_if_due()
    assert seen == [2]
    idle = True
    assert collections.collect_if_due()
    assert seen == [2, 3]
    assert not collections.collect_if_due()


def test_process_is_idle_unless_it_uses_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "monotonic", Numbers(0, 100, 200))
    monkeypatch.setattr(garbage, "process_time", Numbers(0, 4, 9))
    is_idle = Idleness()
    assert is_idle()
    assert not is_idle()


def test_resident_memory_grows_with_what_is_kept() -> None:
    before = resident_bytes()
    kept = bytes(range(256)) * (128 * 1024)
    assert before > 1_000_000
    assert resident_bytes() - before > len(kept) / 2


def test_process_ends_without_a_collection() -> None:
    left = (
        "from fullon_graphql.server.garbage import leave_memory_to_the_system\n"
        "class Cyclic:\n"
        "    def __init__(self): self.itself = self\n"
        "    def __del__(self): print('collected')\n"
        "Cyclic()\n"
    )
    for end, printed in (("", "collected\n"), ("leave_memory_to_the_system()", "")):
        process = subprocess.run([sys.executable, "-c", left + end], capture_output=True, text=True, check=True)
        assert process.stdout == printed
