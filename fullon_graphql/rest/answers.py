"""Response bodies of routes: JSON serialized once by orjson, and the documented form of an error."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import orjson
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from fullon_graphql.database.json import Unreadable


class Json(JSONResponse):
    """A body serialized by orjson. Times carry their UTC offset; NaN, infinity and unreadable stored JSON are null.

    FastAPI does not validate it against `response_model`, which only documents the route; a test compares the two.
    """

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, default=_plain)


def _plain(value: object) -> float | None:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Unreadable):
        return None
    raise TypeError(f"{type(value).__name__} has no JSON form")


class ErrorDetail(BaseModel):
    """The part of an error that a program acts on."""

    code: str = Field(description="Error code, the same as in GraphQL.", examples=["NOT_FOUND"])
    platform_code: str | None = Field(
        description="The platform's word for it: AUTH_FAILED, RATE_LIMIT_EXCEEDED, CIRCUIT_BREAKER_OPEN, PROXY_TIMEOUT"
        " or INVALID_ROUTE."
    )
    message: str = Field(description="Message for people.")
    service: str | None = Field(description="Store or daemon that does not answer, for SERVICE_UNAVAILABLE.")
    timestamp: str = Field(description="Time of the error, UTC.")
    request_id: str = Field(description="Id of the request, as in the log and in the header `x-request-id`.")
    retry_after: int | None = Field(
        description="Seconds to wait before the next attempt, for RATE_LIMITED and SERVICE_UNAVAILABLE."
    )


class Error(BaseModel):
    """The body of every error response."""

    detail: Any = Field(description="The message, or FastAPI's list of problems if the request is malformed.")
    error: ErrorDetail


def _described(description: str) -> dict[str, Any]:
    """The description of an error response. It refers to `Error`, which `ERROR_MODEL` adds to the document once."""
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    401: _described("The credential is missing, invalid, expired or revoked."),
    403: _described("The account lacks the role, or the credential lacks the scope."),
    404: _described("The row does not exist or belongs to another user."),
    422: _described("A value is invalid; the message names it."),
    429: _described("The rate limit is exceeded; the header `Retry-After` has the seconds to wait."),
    503: _described("A store does not answer."),
}
"""Error responses that every route may give."""

ERROR_MODEL: Final[dict[int | str, dict[str, Any]]] = {503: {"model": Error, "description": ERRORS[503]["description"]}}
"""For one route of the document. A model at every response of every route would take a second of each start."""
