"""One-time codes (TOTP, RFC 6238): six digits every 30 seconds, from the seed in `users.f2a`.

The platform's column holds 16 base32 characters, 80 bits, where RFC 4226 asks for 128 and libraries refuse less. Its
shape is not ours to change, and a second factor of 80 bits is better than none: hence exactly 80, no seed below.
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
"""Steps a phone's clock may be ahead or behind."""

_SEED = re.compile(r"[A-Z2-7]{16}")
_CODE = re.compile(r"[0-9]{6}")


NOT_ENROLLED = "---"
"""What the platform stores for an account without codes."""


def generate_seed() -> str:
    """A new random seed, 16 base32 characters."""
    return base64.b32encode(secrets.token_bytes(10)).decode()


def is_enrolled(f2a: str | None) -> bool:
    """Whether the account asks for a code: `---` and blanks say no.

    Anything else says yes, even where it is no seed at all: what cannot be read must not switch protection off.
    """
    return (f2a or "").strip() not in {"", NOT_ENROLLED}


def matching_step(f2a: str, code: str, now: datetime) -> int | None:
    """The number of the 30-second step (since 1970) whose code `code` is, or None where it is none of the window's.

    The caller remembers the step, so that one code opens one session only.
    """
    seed, digits = f2a.strip().upper(), "".join(code.split())
    if not _SEED.fullmatch(seed) or not _CODE.fullmatch(digits):
        return None
    codes = HOTP(base64.b32decode(seed), 6, SHA1(), enforce_key_length=False)  # noqa: S303  # the RFC's, and a phone's
    current = int(now.timestamp()) // STEP_SECONDS
    steps = range(current - WINDOW, current + WINDOW + 1)
    return next((step for step in steps if _is_code_of(codes, digits, step)), None)


def _is_code_of(codes: HOTP, digits: str, step: int) -> bool:
    try:
        codes.verify(digits.encode(), step)
    except InvalidToken:
        return False
    return True
