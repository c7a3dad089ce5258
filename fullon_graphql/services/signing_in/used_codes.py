"""One-time codes are good for one sign-in: which ones were used is remembered until their time is over."""

from __future__ import annotations

from datetime import datetime

from redis.asyncio import Redis

from fullon_graphql.auth.totp import STEP_SECONDS, WINDOW, matching_step
from fullon_graphql.cache import keys

_REMEMBERED_SECONDS = (2 * WINDOW + 1) * STEP_SECONDS


async def use_code(client: Redis, uid: int, f2a: str, code: str, now: datetime) -> bool:
    """Whether `code` is one of the account's current ones and was not used before; from now on it is.

    Raises:
        redis.exceptions.RedisError: Redis does not answer; without its memory no code is accepted.
    """
    step = matching_step(f2a, code, now)
    if step is None:
        return False
    first = await client.set(keys.used_totp(uid, step), 1, nx=True, ex=_REMEMBERED_SECONDS)
    return bool(first)
