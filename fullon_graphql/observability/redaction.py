"""Removes secrets from logs and from reasons that are shown to administrators."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import SecretStr
from structlog.typing import EventDict, WrappedLogger

from fullon_graphql.config import Settings

REDACTED: Final = "[redacted]"

LONGEST_REASON: Final = 300
"""Characters of a reason."""

_SHORTEST_SECRET: Final = 4
"""A shorter value of a secret setting is not searched for: it would also match parts of ordinary words."""

_SECRET_WORDS: Final = frozenset(
    {"password", "passwd", "secret", "token", "jwt", "key", "authorization", "cookie", "f2a", "totp", "signature"}
)
_SECRET_VARIABLE: Final = re.compile(r"password|passwd|secret|token|_key$", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_CREDENTIALS_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_BEARER: Final = re.compile(r"(?i)\b(?P<scheme>bearer\s+)\S+")
_NAMED_SECRET: Final = re.compile(
    r"(?P<name>[\w-]*(?:password|passwd|secret|token|api[_-]?key|signature)[\w-]*[\"']?\s*[=:]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)",
    re.IGNORECASE,
)


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """`text` without `secrets`, credentials in URLs, bearer tokens, and values assigned to the name of a secret."""
    for secret in sorted(secrets, key=len, reverse=True):  # one secret may be a prefix of another
        text = text.replace(secret, REDACTED)
    text = _CREDENTIALS_IN_URL.sub(REDACTED, text)
    text = _BEARER.sub(rf"\g<scheme>{REDACTED}", text)
    return _NAMED_SECRET.sub(rf"\g<name>{REDACTED}", text)


def redact_event(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: redact every text, and every value under the name of a secret."""
    del logger, method
    return {name: _redact_value(name, value) for name, value in event.items()}


def reason(error: BaseException, secrets: Collection[str] = ()) -> str:
    """The type and message of an error on one line, redacted and cut; of an exception group, the first error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    message = " ".join(redact(str(error), secrets).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def known_secrets(settings: Settings) -> frozenset[str]:
    """The secrets of this process: secret settings, and environment variables named like one."""
    ours = {value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)}
    named = {value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name)}
    return frozenset(secret for secret in ours | named if len(secret) >= _SHORTEST_SECRET)


def _redact_value(name: object, value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case _ if isinstance(name, str) and _is_secret(name):
            return REDACTED
        case str():
            return redact(value)
        case Mapping():
            return {inner: _redact_value(inner, part) for inner, part in value.items()}
        case list() | tuple():
            return [_redact_value(None, part) for part in value]
        case _:
            return value


def _is_secret(name: str) -> bool:
    """Whether a word of `refresh_token`, `refreshToken` or `X-API-Key` names a secret."""
    return any(word.lower().removesuffix("s") in _SECRET_WORDS for word in _WORD.findall(name))
