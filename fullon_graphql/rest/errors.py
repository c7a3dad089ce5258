"""Errors as REST clients see them: FastAPI's `detail`, which the platform's clients read, and what programs need."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from fullon_graphql.errors import FullonError, Internal, Unauthenticated, as_fullon_error

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Have every exception of a route rendered here."""
    app.add_exception_handler(Exception, _render)
    app.add_exception_handler(FullonError, _render)


async def _render(request: Request, exception: Exception) -> JSONResponse:
    request_id: str = request.scope["request_id"]
    error = as_fullon_error(exception, request_id)
    if isinstance(error, Internal):
        log.error("request.failed", request_id=request_id, path=request.url.path, exc_info=exception)
    return JSONResponse(_body(error, request_id), error.status, _headers(error))


def _body(error: FullonError, request_id: str) -> dict[str, object]:
    return {
        "detail": error.message,
        "error": {
            "code": error.code,
            "message": error.message,
            "service": getattr(error, "service", None),
            "timestamp": datetime.now(UTC).isoformat(),
            "request_id": request_id,
            "retry_after": getattr(error, "retry_after", None),
        },
    }


def _headers(error: FullonError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    retry_after = getattr(error, "retry_after", None)
    return {} if retry_after is None else {"Retry-After": str(retry_after)}
