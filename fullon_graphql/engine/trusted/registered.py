"""Registered documents: clients send a document once with its hash, and later the hash alone (Apollo's APQ).

Workers share them in Redis for a day. A request never waits for a registration, and for a look-up at most
`LOOKUP_SECONDS`: without an answer the document is unknown, and the client sends it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from redis.asyncio import Redis

from fullon_graphql.cache import documents
from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.lru import LRUCache
from fullon_graphql.observability.metrics import Metrics

log = structlog.get_logger(__name__)

LONGEST_DOCUMENT: Final = 100_000
"""The most bytes of a document that is remembered."""
LOOKUP_SECONDS: Final = 0.5
_CONCURRENT_LOOKUPS: Final = 8
_MOST_PENDING: Final = 500
"""The documents that wait to be stored in Redis, beyond which a next request has to register further ones."""
_ENTRY_BYTES: Final = 400


class RegisteredDocuments:
    """The registered documents of a worker, at most `limit` bytes, backed by those of all workers in Redis."""

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._documents: LRUCache[str, str] = LRUCache(limit)
        self._pending: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._lookups = asyncio.Semaphore(_CONCURRENT_LOOKUPS)
        self._metrics = metrics
        metrics.watch_cache("registered_documents", self)

    @property
    def entries(self) -> int:
        """The number of documents in memory."""
        return len(self._documents)

    @property
    def size(self) -> int:
        """The estimated bytes of the documents in memory."""
        return self._documents.size

    @property
    def evictions(self) -> int:
        """The number of documents that were evicted."""
        return self._documents.evictions

    async def get(self, hash_: str, redis: Redis) -> str | None:
        """The document with this hash; None if it is unknown or Redis does not answer in time."""
        found = self._documents.get(hash_) or await self._shared(hash_, redis)
        self._metrics.registered_documents.add("hit" if found else "miss")
        return found

    def register(self, hash_: str, text: str, *, shared: bool) -> None:
        """Remember a valid document; if `shared`, for all workers."""
        if self._documents.get(hash_) or len(text.encode()) > LONGEST_DOCUMENT:
            return
        if shared and len(self._pending) >= _MOST_PENDING:
            return
        self._remember(hash_, text)
        if shared:
            self._pending[hash_] = text
            self._wake.set()

    async def store(self, redis: Redis, ready: Callable[[], None]) -> None:
        """Store registered documents in Redis, until cancelled. A background task."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            taken, self._pending = self._pending, {}
            try:
                stored = await documents.register(redis, taken, datetime.now(UTC).date())
            except Exception:
                self._metrics.registered_documents.add("not_stored", len(taken))
                self._pending = taken | self._pending
                self._wake.set()  # the restarted task tries again without waiting for a request
                raise
            self._metrics.registered_documents.add("stored" if stored else "not_stored", len(taken))
            if not stored:
                log.warning("documents.not_shared", why="the bytes of this day are used up", documents=len(taken))
            ready()

    async def _shared(self, hash_: str, redis: Redis) -> str | None:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS), self._lookups:
                text = await documents.registered(redis, hash_)
        except Exception:  # for any reason: the client sends the document, and the circuit breaker reports Redis
            self._metrics.registered_documents.add("not_answered")
            return None
        if text is None or len(text) > LONGEST_DOCUMENT or hash_of(text) != hash_:
            return None
        return self._remember(hash_, text)

    def _remember(self, hash_: str, text: str) -> str:
        return self._documents.put(hash_, text, _ENTRY_BYTES + 2 * len(text))
