"""Proofs of identity inside a session: a password or a one-time code again, guessed as rarely as at sign-in."""

from __future__ import annotations

from collections.abc import Awaitable

from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.signing_in.throttle import Throttle
from fullon_graphql.services.writing.executor import UnitOfWork


async def proven(write: UnitOfWork, proof: Awaitable[bool], field: str, sentence: str) -> None:
    """Pass where `proof` holds. Failures count as failed sign-ins of the account, also in a dry run.

    Raises:
        BadUserInput: it does not hold; `sentence` says so.
        RateLimited: it has been wrong too often of late.
        ServiceUnavailable: Redis, which counts, does not answer.
    """
    throttle = Throttle(write.redis, write.settings.login_limit)
    holds = await proof
    await throttle.check(write.principal.mail, None)
    if not holds:
        await throttle.count_failure(write.principal.mail, None)
        raise BadUserInput(sentence, field=field)
