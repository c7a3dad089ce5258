from __future__ import annotations

import gc
import subprocess
import sys
import weakref

from fullon_graphql.server.garbage import OBJECT_BYTES, STEP, FullCollections, resident_bytes


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


def test_full_collection_runs_once_the_worker_has_grown() -> None:
    collections = FullCollections(Numbers(1_000, 1_000 + STEP - 1, 1_000 + STEP, 1_000))
    gone = weakref.ref(Cyclic())
    gc.disable()
    try:
        assert not collections.collect_if_due()
        assert gone() is not None
        assert collections.collect_if_due()
        assert gone() is None
    finally:
        gc.enable()


def test_collections_become_rare_while_objects_stay_and_frequent_again_with_garbage() -> None:
    memory = Numbers(0, STEP, STEP, 3 * STEP - 1, 3 * STEP, 3 * STEP, 4 * STEP, 4 * STEP)
    collections = FullCollections(memory, Numbers(0, STEP // OBJECT_BYTES + 1, 0))
    assert [collections.collect_if_due() for _ in range(4)] == [True, False, True, True]


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
