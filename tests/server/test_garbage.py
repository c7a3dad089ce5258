from __future__ import annotations

import gc
import subprocess
import sys
import weakref

from fullon_graphql.server.garbage import STEP, FullCollections


class Cyclic:
    """An object that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


class Blocks:
    """Numbers of allocated blocks, in the order in which they are asked for."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def __call__(self) -> int:
        return self.numbers.pop(0)


def test_full_collection_runs_once_the_worker_has_grown() -> None:
    collections = FullCollections(Blocks(1_000, 1_000 + STEP - 1, 1_000 + STEP, 1_000))
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
    first, second, third = STEP, 3 * STEP, 7 * STEP
    numbers = (0, first, first, second - 1, second, second, third, second, second + STEP - 1, second + STEP, second)
    collections = FullCollections(Blocks(*numbers))
    assert [collections.collect_if_due() for _ in range(6)] == [True, False, True, True, False, True]


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
