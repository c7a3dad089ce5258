"""Enrolment for one-time codes: request a seed, put it into an app, confirm it with a first code.

The seed is pending in Redis and without effect until the confirmation writes it to `users.f2a`.
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
from fullon_graphql.services.signing_in.reauthentication import reauthenticate
from fullon_graphql.services.signing_in.used_codes import use_code
from fullon_graphql.services.writing.executor import UnitOfWork

PENDING_SECONDS: Final = 600
_WRONG = "This is not a current code, or it was used before."


async def enrol(write: UnitOfWork) -> int:
    """Create a pending seed for the caller, in `write.shown_once`. It takes effect with `confirm`.

    Raises:
        Conflict: the account is enrolled already.
    """
    user = await _own_row(write)
    if is_enrolled(user.f2a):
        raise Conflict("This account requires one-time codes already; disable them first.")
    write.shown_once = generate_seed()
    if not write.dry_run:
        await write.redis.set(keys.pending_totp(user.uid), write.shown_once, ex=PENDING_SECONDS)
    await write.update(User, user, {})
    return write.principal.uid


async def confirm(write: UnitOfWork, code: str) -> int:
    """Require codes of the pending seed for the caller's sign-ins from now on.

    Raises:
        Conflict: no seed is pending, or it has expired.
        BadUserInput: the code is not current, or was used before.
        RateLimited: too many wrong codes.
    """
    user = await _own_row(write)
    seed = await write.redis.get(keys.pending_totp(user.uid))
    seed = seed.decode() if isinstance(seed, bytes) else seed
    if seed is None:
        raise Conflict("No enrolment is pending; start one with enrolTotp.")
    await reauthenticate(write, _use(write, seed, code), "code", _WRONG)
    await write.update(User, user, {"f2a": seed})
    return write.principal.uid


async def disable(write: UnitOfWork, code: str) -> int:
    """No longer require codes for the caller's sign-ins.

    Raises:
        Conflict: the account is not enrolled.
        BadUserInput: the code is not current, or was used before.
        RateLimited: too many wrong codes.
    """
    user = await _own_row(write)
    if not is_enrolled(user.f2a):
        raise Conflict("This account does not require one-time codes.")
    await reauthenticate(write, _use(write, user.f2a, code), "code", _WRONG)
    await write.update(User, user, {"f2a": NOT_ENROLLED})
    return write.principal.uid


def address(seed: str, mail: str) -> str:
    """The `otpauth` address of a seed, which apps read from a QR code."""
    return f"otpauth://totp/{quote(f'Fullon:{mail}')}?{urlencode({'secret': seed, 'issuer': 'Fullon'})}"


async def _own_row(write: UnitOfWork) -> Row[tuple[User]]:
    return await write.find(User, write.principal.uid)


async def _use(write: UnitOfWork, seed: str, code: str) -> bool:
    """True if the code is current and unused. Marks it as used, except in a dry run."""
    now = datetime.now(UTC)
    if write.dry_run:
        return matching_step(seed, code, now) is not None
    return await use_code(write.redis, write.principal.uid, seed, code, now)
