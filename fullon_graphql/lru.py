"""A mapping of bounded size, which evicts the least recently used entry."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LRUCache(Generic[K, V]):
    """Keeps the entries that were used last: at most `limit` in the sum of their sizes, one each unless given."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.size = 0
        """The sum of the sizes of all entries."""
        self.evictions = 0

    def get(self, key: K) -> V | None:
        """The value of `key`, or None."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, size: int = 1) -> V:
        """Store `value` and return it. Entries used least recently are evicted beyond the limit."""
        self.remove(key)
        self._entries[key] = value, size
        self.size += size
        self._evict()
        return value

    def grow(self, key: K, value: V, size: int) -> None:
        """Add `size` to the entry, if `value` is still stored under `key`."""
        found = self._entries.get(key)
        if found is not None and found[0] is value:
            self._entries[key] = value, found[1] + size
            self.size += size
            self._evict()

    def remove(self, key: K) -> None:
        """Remove the entry, if there is one."""
        found = self._entries.pop(key, None)
        if found is not None:
            self.size -= found[1]

    def __len__(self) -> int:
        return len(self._entries)

    def _evict(self) -> None:
        while self.size > self._limit:
            _, (_, size) = self._entries.popitem(last=False)
            self.size -= size
            self.evictions += 1
