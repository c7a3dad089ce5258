"""Removes secrets from logs and from reasons that are shown to administrators."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from structlog.typing import EventDict, WrappedLogger

from fullon_graphql.config import Settings
from fullon_graphql.config.exchange_keys import all_account_secrets

REDACTED: Final = "[redacted]"

LONGEST_REASON: Final = 300
"""Characters of a reason."""

_SHORTEST_SECRET: Final = 4
"""A shorter value of a secret setting is not searched for: it would also match parts of ordinary words."""

_SECRET_WORDS: Final = frozenset(
    {
        "password", "passwd", "secret", "token", "jwt", "key", "authorization", "cookie", "f2a", "totp", "seed",
        "signature",
    }
)  # fmt: skip
_OWN_FIELDS: Final = frozenset({"level", "logger", "timestamp", "request_id", "trace_id"})
"""Fields that the logging itself sets, in which a short secret may occur as a part of a word."""
ADMINISTRATOR: Final = "administrator"
"""The field with the mail of an administrator who controls a service, which the log shows on purpose."""
_SECRET_VARIABLE: Final = re.compile(r"password|passwd|secret|token|_key$", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_CREDENTIALS_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_BEARER: Final = re.compile(r"(?i)\b(?P<scheme>bearer\s+)\S+")
_TOKEN: Final = re.compile(
    r"\beyJ[\w-]{8,300}\.[\w-]{8,4000}\.[\w-]*"  # JWT
    r"|\bfgk_[\w-]{8,}"  # API key
    r"|\bsha256\$[0-9a-f]{64}|\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}"  # stored key and password
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[\w-]{43}"  # refresh token
)
_MAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*")
_NAMED_SECRET: Final = re.compile(
    r"(?P<name>(?:password|passwd|secret|token|api[_-]?key|signature)[\w-]{0,40}[\"']?\s*[=:]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)",
    re.IGNORECASE,
)


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """`text` without `secrets`, credentials in URLs, tokens, keys, values named like a secret, and mail addresses."""
    for secret in sorted(secrets, key=len, reverse=True):  # one secret may be a prefix of another
        text = text.replace(secret, REDACTED)
    text = _CREDENTIALS_IN_URL.sub(REDACTED, text)
    text = _BEARER.sub(rf"\g<scheme>{REDACTED}", text)
    text = _TOKEN.sub(REDACTED, text)
    text = _NAMED_SECRET.sub(rf"\g<name>{REDACTED}", text)
    return _MAIL.sub(REDACTED, text)


def redact_event(logger: WrappedLogger, method: str, event: EventDict, secrets: Collection[str] = ()) -> EventDict:
    """A structlog processor: redact every text, and every value under the name of a secret."""
    del logger, method
    return {
        name: value if name in _OWN_FIELDS else _redact_value(name, value, secrets) for name, value in event.items()
    }


def reason(error: BaseException, secrets: Collection[str] = ()) -> str:
    """The type and message of an error on one line, redacted and cut; of an exception group, the first error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    message = " ".join(redact(str(error), secrets).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def known_secrets(settings: Settings) -> frozenset[str]:
    """The secrets of this process: secret settings, passwords in addresses, variables named like one, exchange keys."""
    ours = {value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)}
    ours |= {part for _, value in settings if isinstance(value, str) for part in _password_of(value)}
    named = {value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name)}
    return frozenset(secret for secret in ours | named | all_account_secrets() if len(secret) >= _SHORTEST_SECRET)


def _password_of(address: str) -> set[str]:
    """The password in an address, as it is and decoded."""
    try:
        password = urlsplit(address).password or ""
    except ValueError:
        return set()
    return {password, unquote(password)}


def _redact_value(name: object, value: Any, secrets: Collection[str]) -> Any:
    match value:
        case None | bool():
            return value
        case _ if isinstance(name, str) and _is_secret(name):
            return REDACTED
        case str() if name == ADMINISTRATOR and _MAIL.fullmatch(value):
            return value
        case int() | float():
            return value
        case Mapping():
            return {inner: _redact_value(inner, part, secrets) for inner, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redact_value(None, part, secrets) for part in value]
        case _:  # also exceptions, bytes and other objects, which are written as text
            return redact(str(value), secrets)


def _is_secret(name: str) -> bool:
    """Whether a word of `refresh_token`, `refreshToken` or `X-API-Key` names a secret."""
    return any(word.lower().removesuffix("s") in _SECRET_WORDS for word in _WORD.findall(name))
