"""Logs as events with fields: one JSON object per line in production, coloured lines in a terminal.

Records of the standard library's loggers (uvicorn, alembic) have the same form. The id of a request is on every line
until it ends, and so are values bound with `structlog.contextvars.bind_contextvars`. Secrets are redacted.
"""

from __future__ import annotations

import json
import logging
import sys
from functools import partial
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from fullon_graphql.config import Settings
from fullon_graphql.observability.redaction import known_secrets, redact_event
from fullon_graphql.observability.tracing import current_span

_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")


def configure_logging(settings: Settings) -> None:
    """Send all logs of this process to standard error, with the level and format of the settings.

    `auto` is `pretty` in a terminal and `json` elsewhere; `beautiful`, the platform's name, is `pretty`. A further call
    replaces the configuration.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace_id,
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
    handler = _PrettyHandler(sys.stderr) if _is_pretty(settings) else _JsonHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
        )
    )
    logging.root.handlers = [handler]
    # The debug output of libraries contains messages and headers, hence credentials.
    logging.root.setLevel(max(logging.INFO, logging.getLevelNamesMapping()[settings.log_level]))
    logging.getLogger("fullon_graphql").setLevel(settings.log_level)
    for name in _UVICORN:  # its loggers have handlers of their own
        logger = logging.getLogger(name)
        logger.propagate = logger.propagate or bool(logger.handlers)  # without both it was disabled, and stays disabled
        logger.handlers = []


def _add_trace_id(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: the trace of the request, if it has one."""
    del logger, method
    if span := current_span():
        event.setdefault("trace_id", f"{span.trace_id:032x}")
    return event


def json_stream() -> TextIO | None:
    """The stream of this process's logs if they are JSON lines and `configure_logging` has set them up."""
    return next((handler.stream for handler in logging.root.handlers if isinstance(handler, _JsonHandler)), None)


class _JsonHandler(logging.StreamHandler[TextIO]):
    """Writes one JSON object per line."""


class _PrettyHandler(logging.StreamHandler[TextIO]):
    """Writes lines for people."""


def _is_pretty(settings: Settings) -> bool:
    return settings.log_format in {"pretty", "beautiful"} or (settings.log_format == "auto" and sys.stderr.isatty())


def _rendering(settings: Settings) -> list[Processor]:
    # Tracebacks are texts, without local variables, before they are redacted.
    redacted: list[Processor] = [
        structlog.processors.format_exc_info,
        partial(redact_event, secrets=known_secrets(settings)),
    ]
    if _is_pretty(settings):
        plain = structlog.dev.plain_traceback
        return [*redacted, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [*redacted, structlog.processors.JSONRenderer(serializer=_json)]


def _json(event: EventDict, **options: Any) -> str:
    del options
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # e.g. a lone surrogate, which only escaped JSON can contain
        return json.dumps(event, default=str)
