"""A mapping of bounded size, which evicts the least recently used entry."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, Generic, ParamSpec, TypeVar

K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")

ENTRY_BYTES: Final = 400
"""The estimated bytes of an entry without its key and its value."""


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

    def clear(self) -> None:
        """Remove all entries; they do not count as evicted."""
        self._entries.clear()
        self.size = 0

    def remove(self, key: K) -> None:
        """Remove the entry, if there is one."""
        found = self._entries.pop(key, None)
        if found is not None:
            self.size -= found[1]

    @property
    def entries(self) -> int:
        """The number of entries."""
        return len(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _evict(self) -> None:
        while self.size > self._limit:
            _, (_, size) = self._entries.popitem(last=False)
            self.size -= size
            self.evictions += 1


PROCESS_CACHES: Final[dict[str, LRUCache[Any, Any]]] = {}
"""The caches of functions, by name."""


def remembered(name: str, limit: int, size: Callable[[V], int]) -> Callable[[Callable[P, V]], Callable[P, V]]:
    """A decorator that remembers results of a function of positional arguments, which is never None.

    They take at most `limit` bytes for the whole process; `size` is the bytes of a result and of its arguments. One
    that takes more than a quarter of the limit is not remembered.
    """

    def decorate(function: Callable[P, V]) -> Callable[P, V]:
        cache = PROCESS_CACHES[name] = LRUCache[Any, V](limit)

        @wraps(function)
        def look_up(*args: P.args, **kwargs: P.kwargs) -> V:
            found = cache.get(args)
            if found is None:
                found = function(*args, **kwargs)
                bytes_ = ENTRY_BYTES + size(found)
                if bytes_ * 4 <= limit:
                    cache.put(args, found, bytes_)
            return found

        return look_up

    return decorate
