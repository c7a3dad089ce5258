"""Enrolment for one-time codes: a seed is asked for, put into an app, and confirmed with a first code.

Until then it waits in Redis and protects nothing; only the confirmation writes it to `users.f2a`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from sqlalchemy import Row

from fullon_graphql.auth.totp import NOT_ENROLLED, generate_seed, is_enrolled, matching_step
from fullon_graphql.cache import keys
from fullon_graphql.errors import Conflict
from fullon_graphql.models import User
from fullon_graphql.services.signing_in.reauthentication import proven
from fullon_graphql.services.signing_in.used_codes import use_code
from fullon_graphql.services.writing.executor import UnitOfWork

PENDING_SECONDS: Final = 600
_WRONG = "This is not a current code, or it has been used."


async def enrol(write: UnitOfWork) -> int:
    """Give the caller a new seed, as `write.shown_once`; it counts once `confirm` has seen a code of it.

    Raises:
        Conflict: the account asks for codes already.
    """
    user = await _myself(write)
    if is_enrolled(user.f2a):
        raise Conflict("This account asks for one-time codes already; disable them first.")
    write.shown_once = generate_seed()
    if not write.dry_run:
        await write.redis.set(keys.pending_totp(user.uid), write.shown_once, ex=PENDING_SECONDS)
    await write.update(User, user, {})
    return write.principal.uid


async def confirm(write: UnitOfWork, code: str) -> int:
    """From now on the caller signs in with codes of the seed that waits.

    Raises:
        Conflict: no seed waits, or its time is over.
        BadUserInput: the code is none of its current ones.
        RateLimited: too many wrong ones.
    """
    user = await _myself(write)
    seed = await write.redis.get(keys.pending_totp(user.uid))
    seed = seed.decode() if isinstance(seed, bytes) else seed
    if seed is None:
        raise Conflict("No enrolment is waiting; begin again with enrolTotp.")
    await proven(write, _used(write, seed, code), "code", _WRONG)
    await write.update(User, user, {"f2a": seed})
    return write.principal.uid


async def disable(write: UnitOfWork, code: str) -> int:
    """From now on the caller signs in without codes.

    Raises:
        Conflict: the account does not ask for codes.
        BadUserInput: the code is none of the current ones.
        RateLimited: too many wrong ones.
    """
    user = await _myself(write)
    if not is_enrolled(user.f2a):
        raise Conflict("This account does not ask for one-time codes.")
    await proven(write, _used(write, user.f2a, code), "code", _WRONG)
    await write.update(User, user, {"f2a": NOT_ENROLLED})
    return write.principal.uid


def address(seed: str, mail: str) -> str:
    """The `otpauth` address of a seed: what apps read from a QR code."""
    return f"otpauth://totp/{quote(f'Fullon:{mail}')}?{urlencode({'secret': seed, 'issuer': 'Fullon'})}"


async def _myself(write: UnitOfWork) -> Row[tuple[User]]:
    return await write.find(User, write.principal.uid)


async def _used(write: UnitOfWork, seed: str, code: str) -> bool:
    """Whether the code is good; it is used up by that, unless all of this is only tried."""
    now = datetime.now(UTC)
    if write.dry_run:
        return matching_step(seed, code, now) is not None
    return await use_code(write.redis, write.principal.uid, seed, code, now)
