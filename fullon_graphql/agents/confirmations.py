"""Changes that were previewed and wait for their confirmation, in the memory of this process."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final
from uuid import uuid4

from fullon_graphql.agents.tools import DocumentTool

SECONDS: Final = 300
"""Time in which a change can be confirmed."""
MOST_PENDING: Final = 1_000
"""Changes that wait at once; a further one replaces the oldest."""


@dataclass(frozen=True)
class PendingChange:
    """A previewed change. It can be confirmed with the API key that requested it."""

    tool: DocumentTool
    variables: Mapping[str, Any]
    key_hash: bytes
    end: float
    idempotency_key: str


class PendingChanges:
    """Pending changes by token: 128 random bits, from which a client cannot derive another change."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._changes: dict[str, PendingChange] = {}

    def add(self, tool: DocumentTool, variables: Mapping[str, Any], key: str) -> str:
        """Keep a change for `SECONDS`; returns its token."""
        self._drop_expired()
        if len(self._changes) >= MOST_PENDING:
            del self._changes[next(iter(self._changes))]
        token = secrets.token_urlsafe(16)
        end = self._now() + SECONDS
        self._changes[token] = PendingChange(tool, dict(variables), _hash(key), end, str(uuid4()))
        return token

    def take(self, token: str, key: str) -> PendingChange | None:
        """The change of a token, once; None if it is unknown, expired, or was requested with another API key."""
        self._drop_expired()
        change = self._changes.get(token)
        if change is None or not compare_digest(change.key_hash, _hash(key)):
            return None
        return self._changes.pop(token)

    def put_back(self, token: str, change: PendingChange) -> None:
        """Allow a change whose outcome is unknown to be confirmed again, under the same idempotency key."""
        self._changes[token] = change

    def _drop_expired(self) -> None:
        now = self._now()
        for token in [token for token, change in self._changes.items() if change.end <= now]:
            del self._changes[token]


def _hash(key: str) -> bytes:
    return sha256(key.encode()).digest()
