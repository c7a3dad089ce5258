"""Logs as events with fields: one JSON object per line in production, coloured lines in a terminal.

The standard library's loggers (uvicorn, alembic, our own) come out in the same form. What is bound with
`structlog.contextvars.bind_contextvars(request_id=…)` is on every line until the request ends. Secrets are taken out
on the way, whoever logs them.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from fullon_graphql.config import Settings

REDACTED = "[redacted]"

_SECRET_WORDS = {"password", "passwd", "secret", "token", "jwt", "key", "authorization", "cookie", "f2a", "totp"}
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^:/@\s]*):[^@/\s]+@")
_BEARER = re.compile(r"(?i)\b(bearer\s+)\S+")

_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")


def configure_logging(settings: Settings) -> None:
    """Send every log of this process to standard error, as `settings.log_level` and `log_format` say.

    `auto` is `pretty` in a terminal and `json` elsewhere; `beautiful`, the platform's word, is `pretty`. May be called
    again; the last call counts.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(settings.log_level)
    for name in _UVICORN:  # it brings handlers of its own
        logger = logging.getLogger(name)
        logger.propagate = logger.propagate or bool(logger.handlers)  # without either it was switched off, and stays so
        logger.handlers = []


def _rendering(settings: Settings) -> list[Processor]:
    pretty = settings.log_format in {"pretty", "beautiful"} or (settings.log_format == "auto" and sys.stderr.isatty())
    # Tracebacks without local variables: those hold the very secrets that are redacted elsewhere.
    if pretty:
        plain = structlog.dev.plain_traceback
        return [redact, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(serializer=_json)]


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Take out what must not be in a log: values under a secret's name, passwords in addresses, bearer tokens."""
    del logger, method
    return {name: _clean(name, value) for name, value in event.items()}


def _clean(name: object, value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case _ if isinstance(name, str) and _is_secret(name):
            return REDACTED
        case str():
            return _BEARER.sub(rf"\1{REDACTED}", _PASSWORD_IN_URL.sub(rf"\1:{REDACTED}@", value))
        case Mapping():
            return {inner: _clean(inner, part) for inner, part in value.items()}
        case list() | tuple():
            return [_clean(None, part) for part in value]
        case _:
            return value


def _is_secret(name: str) -> bool:
    """Whether a word of `refresh_token`, `refreshToken` or `X-API-Key` names a secret."""
    return any(word.lower().removesuffix("s") in _SECRET_WORDS for word in _WORD.findall(name))


def _json(event: EventDict, **options: Any) -> str:
    del options
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
