"""Usage: how often documents and fields are used, by day and client.

An operation costs one increment. What it selects was noted when its document was validated, and is counted when the
counts are added to those in Redis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final

from graphql import GraphQLSchema
from redis.asyncio import Redis

from fullon_graphql.cache import documents
from fullon_graphql.cache.documents import Names
from fullon_graphql.engine.documents import Document, Operation
from fullon_graphql.engine.trusted.coordinates import deprecated_fields
from fullon_graphql.observability.metrics import Metrics

OTHER: Final = "(other)"
"""The name of all documents, or clients, beyond the limits."""

MOST_DOCUMENTS: Final = 2_000
"""Documents that a worker counts one by one in a day."""
MOST_CLIENTS: Final = 20
"""Clients that a worker counts one by one in a day."""
LONGEST_NAME: Final = 80
"""The most characters of the name of an operation or a client."""

Key = tuple[Document, Operation, str]


class Usage:
    """The uses that Redis does not know yet."""

    def __init__(self, schema: GraphQLSchema, metrics: Metrics) -> None:
        self._deprecated = frozenset(deprecated_fields(schema))
        self._metrics = metrics
        self._counts: dict[Key, int] = {}
        self._day = _today()
        self._documents: set[Names] = set()
        self._clients: set[str] = set()

    def count(self, document: Document, operation: Operation, client: str | None) -> bool:
        """Count one operation. True if it is the first of its document, operation and client since the last flush."""
        key = document, operation, client or ""
        found = self._counts.get(key, 0)
        if found or len(self._counts) < MOST_DOCUMENTS:
            self._counts[key] = found + 1
        return not found

    async def flush(self, redis: Redis) -> None:
        """Add the counts to those of the day in Redis. They are kept if this fails."""
        if not self._counts:
            return
        taken, self._counts = self._counts, {}
        try:
            await self._add(taken, redis)
        except BaseException:
            for key, count in taken.items():
                self._counts[key] = self._counts.get(key, 0) + count
            raise

    async def _add(self, counts: Mapping[Key, int], redis: Redis) -> None:
        if (today := _today()) != self._day:
            self._day = today
            self._documents.clear()
            self._clients.clear()
        uses: Counter[Names] = Counter()
        fields: Counter[Names] = Counter()
        for (document, operation, given), count in counts.items():
            client = self._client(given)
            uses[self._document(document, operation, client)] += count
            for field in operation.fields:
                fields[field, client] += count
        await documents.add_usage(redis, today, uses, fields)
        for (field, _), count in fields.items():
            if field in self._deprecated:
                self._metrics.deprecated_fields.add(field, count)

    def _client(self, given: str) -> str:
        client = given[:LONGEST_NAME]
        if client in self._clients or len(self._clients) < MOST_CLIENTS:
            self._clients.add(client)
            return client
        return OTHER

    def _document(self, document: Document, operation: Operation, client: str) -> Names:
        names = document.hash, (operation.name or "")[:LONGEST_NAME], client
        if names in self._documents or len(self._documents) < MOST_DOCUMENTS:
            self._documents.add(names)
            return names
        return OTHER, "", client


def _today() -> date:
    return datetime.now(UTC).date()
