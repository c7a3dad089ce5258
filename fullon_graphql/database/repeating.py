"""Repetition of transactions that lost against concurrent ones: deadlock, serialization failure, lock timeout."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError

from fullon_graphql.errors import lost_to_concurrency

T = TypeVar("T")

ATTEMPTS: Final = 3
"""Transactions of one change, if the previous ones lost."""
LONGEST_PAUSE: Final = 0.2
"""Seconds before a repetition, at most."""


async def repeated(transaction: Callable[[], Awaitable[T]]) -> T:
    """The result of `transaction`, which is run again, at most three times in all, if it lost against concurrent ones.

    Raises:
        sqlalchemy.exc.DBAPIError, asyncpg.PostgresError: the last attempt lost too, which clients see as
            `SERVICE_UNAVAILABLE` with `retryAfter`; or the transaction failed for another reason.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return await transaction()
        except (DBAPIError, asyncpg.PostgresError) as error:
            if not lost_to_concurrency(error):
                raise
        await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311  # a pause needs no secrecy
    return await transaction()
