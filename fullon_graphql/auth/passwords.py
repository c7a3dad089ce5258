"""Passwords: bcrypt, as the platform stores them in `users.password`.

The column is `char(64)`, so PostgreSQL pads the 60 characters of a bcrypt hash with blanks; they are stripped here.
Values that are not bcrypt never match. Old texts of the platform speak of SHA-256 in hex: such a hash is unsalted and
takes no time to guess, and the platform's own gateway accepts bcrypt only, so those accounts need a new password.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import bcrypt

from fullon_graphql.errors import BadUserInput, RateLimited

ROUNDS = 12
"""The cost the platform's hashes have. Checks against the stand-in take equally long only while the two agree."""

MAX_BYTES = 72
"""What bcrypt reads of a password. A longer one is refused: passwords that differ only behind it would be one."""

# Exactly what bcrypt can read; anything else makes it raise instead of taking its time.
_BCRYPT = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_STAND_IN = "$2b$12$SuA6wnZvVNJpEC2IGiPGe.JT4UYEmq6y6QfbMWmepfo5MlVd74wla"  # the hash of 32 random bytes nobody kept

_threads = ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="bcrypt")
_places = threading.BoundedSemaphore(64)  # running and waiting: some seconds of work, beyond it waiting has no point


def hash_password(password: str) -> str:
    """The bcrypt hash to store for `password`.

    Raises:
        BadUserInput: it is empty, longer than 72 bytes in UTF-8, or contains a NUL character.
    """
    readable = _readable(password)
    if readable is None:
        raise BadUserInput(
            f"A password has 1 to {MAX_BYTES} bytes in UTF-8 and no NUL character; choose another one.",
            field="password",
        )
    return bcrypt.hashpw(readable, bcrypt.gensalt(ROUNDS)).decode()


def password_matches(password: str, stored: str | None) -> bool:
    """Whether `password` is the one behind `stored`, a column value, or None where there is no such account.

    Takes the time of one bcrypt check whatever the answer is and whatever the reason for it.
    """
    readable = _readable(password)
    stored_hash = (stored or "").rstrip(" ")
    comparable = readable is not None and _BCRYPT.fullmatch(stored_hash) is not None
    matches = bcrypt.checkpw(readable or b"", (stored_hash if comparable else _STAND_IN).encode())
    return matches and comparable


async def hash_in_thread(password: str) -> str:
    """`hash_password`, off the event loop.

    Raises:
        BadUserInput: see `hash_password`.
        RateLimited: too many passwords are waiting already.
    """
    with _Place():
        return await asyncio.get_running_loop().run_in_executor(_threads, hash_password, password)


async def matches_in_thread(password: str, stored: str | None) -> bool:
    """`password_matches`, off the event loop.

    Raises:
        RateLimited: too many passwords are waiting already.
    """
    with _Place():
        return await asyncio.get_running_loop().run_in_executor(_threads, partial(password_matches, password, stored))


class _Place:
    """One of the places in front of the threads, as a context manager."""

    def __enter__(self) -> None:
        if not _places.acquire(blocking=False):
            raise RateLimited("Too many sign-ins at the same time; try again in a few seconds.", retry_after=5)

    def __exit__(self, *_: object) -> None:
        _places.release()


def _readable(password: str) -> bytes | None:
    """What bcrypt is to read, or None where it would read less, or something else, than was typed."""
    try:
        encoded = password.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can carry it, UTF-8 cannot
        return None
    # bcrypt repeats the password with a NUL behind it, so "a" and "a\0a" would be the same.
    return encoded if 0 < len(encoded) <= MAX_BYTES and b"\0" not in encoded else None
