"""Reauthentication within a session, by password or one-time code, throttled like sign-in."""

from __future__ import annotations

from collections.abc import Awaitable

from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.signing_in.throttle import Throttle
from fullon_graphql.services.writing.executor import UnitOfWork


async def reauthenticate(write: UnitOfWork, check: Awaitable[bool], field: str, message: str) -> None:
    """Return if `check` succeeds. A failure counts as a failed sign-in of the account, also in a dry run.

    Raises:
        BadUserInput: the check failed, with `message`.
        RateLimited: too many failures of late.
        ServiceUnavailable: Redis, which has the counts, does not answer.
    """
    throttle = Throttle(write.redis, write.settings.login_limit)
    valid = await check
    await throttle.check(write.principal.mail, None)
    if not valid:
        await throttle.count_failure(write.principal.mail, None)
        raise BadUserInput(message, field=field)
