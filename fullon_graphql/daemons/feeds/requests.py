"""Requests to exchanges, repeated after failures that may pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from fullon_graphql.daemons.control.state import Backoff, backoff
from fullon_graphql.daemons.feeds.ccxt_client import errors

T = TypeVar("T")

ATTEMPTS: Final = 5


class RequestTiming(Backoff, Protocol):
    """The pauses between the attempts of a request."""

    @property
    def request(self) -> float:
        """Seconds for a request with all its repetitions."""


async def repeated_request(call: Callable[[], Awaitable[T]], timing: RequestTiming) -> T:
    """Call; after a failure of the network, or too many requests, again after a pause, up to five times.

    Raises:
        ccxt's errors, and TimeoutError.
    """
    async with asyncio.timeout(timing.request):
        for attempt in range(1, ATTEMPTS):
            try:
                return await call()
            except errors().NetworkError:
                await asyncio.sleep(jittered(backoff(attempt, timing)))
        return await call()


def jittered(pause: float) -> float:
    """A random part of a pause, so that many clients do not return at the same time."""
    return pause * random.uniform(0.5, 1.0)  # noqa: S311  # not for secrets
