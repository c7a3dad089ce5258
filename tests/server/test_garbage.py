from __future__ import annotations

import gc
import weakref

from fullon_graphql.server.garbage import GROWTH, FullCollections


class Cyclic:
    """An object that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


def test_full_collection_runs_once_the_worker_has_grown() -> None:
    collections = FullCollections()
    gone = weakref.ref(Cyclic())
    gc.disable()
    try:
        assert not collections.collect_if_due()
        assert gone() is not None
        grown = [str(number) for number in range(GROWTH)]
        assert collections.collect_if_due()
        assert gone() is None
        assert not collections.collect_if_due()
        assert len(grown) == GROWTH
    finally:
        gc.enable()
