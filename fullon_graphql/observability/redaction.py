"""Why a daemon failed, in one line that may be shown: useful, short, and without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from pydantic import SecretStr

from fullon_graphql.config import Settings

_LONGEST = 300
_SHORTEST_SECRET = 4
_SECRET_NAME = re.compile(r"password|passwd|secret|token|_key$", re.IGNORECASE)
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_BEARER = re.compile(r"(?<=bearer )\S+", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    r"(?P<name>[\w-]*(?:password|passwd|secret|token|api[_-]?key|signature)[\w-]*[\"']?\s*[=:]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)",
    re.IGNORECASE,
)


def reason(error: BaseException, secrets: Collection[str] = ()) -> str:
    """The kind of an error and what it says, `secrets` masked; of a group of errors, the first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    message = " ".join(mask(str(error), secrets).split())
    sentence = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return sentence if len(sentence) <= _LONGEST else sentence[: _LONGEST - 1] + "…"


def mask(text: str, secrets: Collection[str] = ()) -> str:
    """`text` without `secrets` and without whatever else looks like one."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(secret, "***")
    text = _URL_CREDENTIALS.sub("***", text)
    text = _BEARER.sub("***", text)
    return _NAMED_SECRET.sub(r"\g<name>***", text)


def known_secrets(settings: Settings) -> frozenset[str]:
    """The secrets of this process: those of the settings, and all that its environment calls one."""
    ours = {value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)}
    named = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)}
    return frozenset(secret for secret in ours | named if len(secret) >= _SHORTEST_SECRET)
