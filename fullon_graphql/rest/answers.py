"""What routes answer with: JSON as it is, written once; and what the documentation says of errors."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import orjson
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field


class Json(JSONResponse):
    """Anything orjson can write. Times carry their offset; a number that JSON cannot say is null.

    A route that answers with this is not validated against its `response_model` a second time: that one is for the
    documentation, and a test holds the two together.
    """

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, default=_plain)


def _plain(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class ErrorDetail(BaseModel):
    """What a program can act on."""

    code: str = Field(description="The same codes as in the graph.", examples=["NOT_FOUND"])
    message: str = Field(description="A sentence for people.")
    service: str | None = Field(description="The store or daemon that does not answer, with SERVICE_UNAVAILABLE.")
    timestamp: str = Field(description="When it happened, UTC.")
    request_id: str = Field(description="What the log calls this request.")
    retry_after: int | None = Field(description="Seconds to wait, with RATE_LIMITED.")


class Error(BaseModel):
    """Every error of every route."""

    detail: Any = Field(description="The sentence once more; a list of what is wrong where the request is malformed.")
    error: ErrorDetail


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Error, "description": "Nobody is signed in, or the credential is no longer good."},
    403: {"model": Error, "description": "The account lacks the role, or the credential the scope."},
    404: {"model": Error, "description": "There is no such thing, or it is somebody else's."},
    422: {"model": Error, "description": "A value cannot be served; the message names it."},
    503: {"model": Error, "description": "A store does not answer at the moment."},
}
"""What any route may answer instead."""
