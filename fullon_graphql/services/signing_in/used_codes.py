"""One-time codes are valid once: used codes are stored until they expire."""

from __future__ import annotations

from datetime import datetime

from redis.asyncio import Redis

from fullon_graphql.auth.totp import STEP_SECONDS, WINDOW, matching_step
from fullon_graphql.cache import keys

_TTL_SECONDS = (2 * WINDOW + 1) * STEP_SECONDS


async def use_code(client: Redis, uid: int, f2a: str, code: str, now: datetime) -> bool:
    """True if `code` is current and was not used before; marks it as used.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, so no code is accepted.
    """
    step = matching_step(f2a, code, now)
    if step is None:
        return False
    unused = await client.set(keys.used_totp(uid, step), 1, nx=True, ex=_TTL_SECONDS)
    return bool(unused)
