"""Header fields of every HTTP response: security, and what inner layers add, e.g. the state of the rate limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from starlette.types import Scope

from fullon_graphql.errors import FullonError
from fullon_graphql.observability.request_record import record_of

Header: TypeAlias = tuple[bytes, bytes]

_SECURITY: Final = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}
"""Fields of a response that does not set them itself."""
_SECURITY_FIELDS: Final = list(_SECURITY.items())

HSTS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
"""For one year browsers use TLS only."""


def response_headers(scope: Scope) -> list[Header]:
    """The fields that are added to the response of this request. The caller may append to the list."""
    record = record_of(scope)
    return [] if record is None else record.response_headers


def retry_after_header(error: FullonError) -> tuple[Header, ...]:
    """`Retry-After` of an error that names a time to wait, in seconds."""
    seconds = getattr(error, "retry_after", None)
    return () if seconds is None else ((b"retry-after", b"%d" % seconds),)


def completed(given: Iterable[Header], added: Iterable[Header]) -> list[Header]:
    """All fields of a response: those that the application has given, those that are added, and those for security."""
    fields = [*given, *added]
    names = dict(fields)
    if _SECURITY.keys().isdisjoint(names):
        return fields + _SECURITY_FIELDS
    return fields + [field for field in _SECURITY_FIELDS if field[0] not in names]
