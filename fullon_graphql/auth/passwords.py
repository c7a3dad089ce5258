"""Passwords: bcrypt, as the platform stores them in `users.password`.

bcrypt reads 72 bytes. A new password is not longer, and is hashed in Unicode's composed form (NFC). Hashes of other
programs may be of a longer password, which old versions of bcrypt cut, or of a decomposed form, so both are tried.

The column is `char(64)`, so PostgreSQL pads the 60 characters of a bcrypt hash with blanks, which are stripped here.
Other values never match. Old documentation of the platform mentions SHA-256 in hex: such a hash is unsalted and fast
to guess, and the platform's own gateway accepts bcrypt only, so those accounts need a new password.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import bcrypt

from fullon_graphql.errors import BadUserInput, RateLimited

ROUNDS = 12
"""The cost of the platform's hashes. `_STAND_IN` has the same cost, so that all checks take the same time."""

MAX_BYTES = 72
"""Bytes of a password that bcrypt reads. A longer new password is refused: the rest would be ignored."""

_MAX_CHARACTERS = 4 * MAX_BYTES
"""More characters of a password are not normalized: up to four may compose one, and normalization can be quadratic."""

# The hashes that bcrypt can read; it raises at once for anything else.
_BCRYPT = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_STAND_IN = "$2b$12$SuA6wnZvVNJpEC2IGiPGe.JT4UYEmq6y6QfbMWmepfo5MlVd74wla"  # the hash of 32 discarded random bytes

_threads = ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="bcrypt")
_slots = threading.BoundedSemaphore(64)  # running and queued: a few seconds of work


def hash_password(password: str) -> str:
    """The bcrypt hash to store for `password`.

    Raises:
        BadUserInput: it is empty, longer than 72 bytes in UTF-8, or contains a NUL character.
    """
    encoded = _encode(unicodedata.normalize("NFC", password[:_MAX_CHARACTERS]))
    if encoded is None or len(encoded) > MAX_BYTES:
        raise BadUserInput(
            f"A password must have 1 to {MAX_BYTES} bytes in UTF-8 and no NUL character.",
            field="password",
        )
    return bcrypt.hashpw(encoded, bcrypt.gensalt(ROUNDS)).decode()


def password_matches(password: str, stored: str | None) -> bool:
    """True if `password` matches `stored`, a column value, or None if there is no such account.

    Only the first 72 bytes of a password are compared. The time depends on `password` alone: one bcrypt check for
    ASCII, one for each Unicode form otherwise.
    """
    stored_hash = (stored or "").rstrip(" ")
    comparable = _BCRYPT.fullmatch(stored_hash) is not None
    compared = (stored_hash if comparable else _STAND_IN).encode()
    forms = _forms(password)
    matches = [bcrypt.checkpw(form, compared) for form in forms or [b""]]
    return comparable and bool(forms) and any(matches)


async def hash_in_thread(password: str) -> str:
    """`hash_password`, off the event loop.

    Raises:
        BadUserInput: see `hash_password`.
        RateLimited: too many checks are queued.
    """
    with _Slot():
        return await asyncio.get_running_loop().run_in_executor(_threads, hash_password, password)


async def matches_in_thread(password: str, stored: str | None) -> bool:
    """`password_matches`, off the event loop.

    Raises:
        RateLimited: too many checks are queued.
    """
    with _Slot():
        return await asyncio.get_running_loop().run_in_executor(_threads, partial(password_matches, password, stored))


class _Slot:
    """A slot in the bounded queue of the threads, as a context manager."""

    def __enter__(self) -> None:
        if not _slots.acquire(blocking=False):
            raise RateLimited("Too many sign-ins at the same time; try again in a few seconds.", retry_after=5)

    def __exit__(self, *_: object) -> None:
        _slots.release()


def _forms(password: str) -> list[bytes]:
    """The password as given, composed and decomposed, as far as bcrypt reads it, without repetitions."""
    texts = [password, *(unicodedata.normalize(form, password[:_MAX_CHARACTERS]) for form in ("NFC", "NFD"))]
    encoded = [form[:MAX_BYTES] for form in map(_encode, texts) if form is not None]
    return list(dict.fromkeys(encoded))


def _encode(password: str) -> bytes | None:
    """The bytes for bcrypt, or None if it cannot read them."""
    try:
        encoded = password.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can represent and UTF-8 cannot
        return None
    # bcrypt repeats the password after a NUL, so "a" and "a\0a" would be equal.
    return encoded if encoded and b"\0" not in encoded else None
