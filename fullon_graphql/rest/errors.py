"""Error responses of REST: FastAPI's `detail`, which the platform's clients read, and `error` for programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from fullon_graphql.errors import (
    BadUserInput,
    FullonError,
    Internal,
    InvalidRoute,
    NotFound,
    Unauthenticated,
    as_fullon_error,
)
from fullon_graphql.observability.metrics import count_error
from fullon_graphql.server.response_headers import retry_after_header

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Register the handlers for exceptions of routes and for requests that FastAPI rejects."""
    # The server logs a crash for what the handler of `Exception` alone catches; a store that is down is not one.
    for kind in (FullonError, OSError, SQLAlchemyError, RedisError, Exception):
        app.add_exception_handler(kind, render)
    app.add_exception_handler(HTTPException, _render_refusal)  # type: ignore[arg-type]  # Starlette calls it with this class only
    app.add_exception_handler(RequestValidationError, _render_invalid)  # type: ignore[arg-type]  # as above


async def render(request: Request, exception: Exception) -> JSONResponse:
    """The response for an exception. One that is not expected is logged."""
    request_id: str = request.scope["request_id"]
    error = as_fullon_error(exception, request_id)
    if isinstance(error, Internal):
        log.error("request.failed", request_id=request_id, path=request.url.path, exc_info=exception)
    return _response(request, error, error.status, error.message, _headers(error))


async def _render_refusal(request: Request, refusal: HTTPException) -> JSONResponse:
    """Render a rejection by the router: unknown path or method."""
    error = InvalidRoute(refusal.detail) if refusal.status_code == NotFound.status else BadUserInput(refusal.detail)
    return _response(request, error, refusal.status_code, refusal.detail, refusal.headers)


async def _render_invalid(request: Request, invalid: RequestValidationError) -> JSONResponse:
    """Render a malformed request. `detail` is FastAPI's list without the values: one of them may be a password."""
    detail = [{name: problem[name] for name in ("loc", "msg", "type")} for problem in invalid.errors()]
    error = BadUserInput("; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in detail))
    return _response(request, error, error.status, detail, None)


def _response(
    request: Request, error: FullonError, status: int, detail: Any, headers: Mapping[str, str] | None
) -> JSONResponse:
    count_error("rest", error.code)
    body = {
        "detail": detail,
        "error": {
            "code": error.code,
            "platform_code": error.platform_code,
            "message": error.message,
            "service": getattr(error, "service", None),
            "timestamp": datetime.now(UTC).isoformat(),
            "request_id": request.scope["request_id"],
            "retry_after": getattr(error, "retry_after", None),
        },
    }
    return JSONResponse(body, status, headers)


def _headers(error: FullonError) -> dict[str, str]:
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return {name.decode(): value.decode() for name, value in retry_after_header(error)}
