"""One-time codes (TOTP, RFC 6238): six digits every 30 seconds, from the seed in `users.f2a`.

The platform's column holds 16 base32 characters, 80 bits, although RFC 4226 requires 128 and libraries refuse less. The
column cannot be changed, and a second factor of 80 bits is better than none, so a seed has exactly 80 bits.
"""

from __future__ import annotations

import base64
import re
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

STEP_SECONDS = 30
WINDOW = 1
"""Steps by which the clock of a device may be ahead or behind."""

_SEED = re.compile(r"[A-Z2-7]{16}")
_CODE = re.compile(r"[0-9]{6}")


NOT_ENROLLED = "---"
"""The platform's value for an account without codes."""


def generate_seed() -> str:
    """A new random seed, 16 base32 characters."""
    return base64.b32encode(secrets.token_bytes(10)).decode()


def is_enrolled(f2a: str | None) -> bool:
    """True if the account requires a code: for any value but `---` and blanks.

    An invalid seed counts as enrolled too: an unreadable value must not disable the protection.
    """
    return (f2a or "").strip() not in {"", NOT_ENROLLED}


def matching_step(f2a: str, code: str, now: datetime) -> int | None:
    """The number of the 30-second step (since 1970) of `code`, or None if it is not in the window.

    The caller stores the step, so that a code is accepted only once.
    """
    seed, digits = f2a.strip().upper(), "".join(code.split())
    if not _SEED.fullmatch(seed) or not _CODE.fullmatch(digits):
        return None
    codes = HOTP(base64.b32decode(seed), 6, SHA1(), enforce_key_length=False)  # noqa: S303  # required by the RFC and by apps
    current = int(now.timestamp()) // STEP_SECONDS
    steps = range(current - WINDOW, current + WINDOW + 1)
    return next((step for step in steps if _is_code_of(codes, digits, step)), None)


def _is_code_of(codes: HOTP, digits: str, step: int) -> bool:
    try:
        codes.verify(digits.encode(), step)
    except InvalidToken:
        return False
    return True
