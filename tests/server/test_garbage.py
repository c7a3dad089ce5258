from __future__ import annotations

import gc
import subprocess
import sys
import weakref

from fullon_graphql.server.garbage import GROWTH, FullCollections


class Cyclic:
    """An object that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


def test_full_collection_runs_once_the_worker_has_grown() -> None:
    blocks = 1_000
    collections = FullCollections(lambda: blocks)
    gone = weakref.ref(Cyclic())
    gc.disable()
    try:
        blocks = GROWTH * 1_000 - 1
        assert not collections.collect_if_due()
        assert gone() is not None
        blocks = GROWTH * 1_000
        assert collections.collect_if_due()
        assert gone() is None
        assert not collections.collect_if_due()
    finally:
        gc.enable()


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
