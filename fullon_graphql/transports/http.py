"""`/graphql`: GraphQL over HTTP, as its specification says, in a plain ASGI application.

A web framework's route costs more than a small query, so there is none: bytes in, `OperationExecutor`, bytes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.principal import Caller, Principal
from fullon_graphql.context import Context, Worker
from fullon_graphql.engine.operations import OperationExecutor, Request, Response
from fullon_graphql.engine.trace import Trace
from fullon_graphql.engine.trusted.documents import TrustedDocuments
from fullon_graphql.errors import BadUserInput, Internal, as_fullon_error
from fullon_graphql.observability.metrics import count_error
from fullon_graphql.observability.request_record import RequestRecord, begin_record, operation_name, record_of
from fullon_graphql.server.response_headers import retry_after_header
from fullon_graphql.services.signing_in.authenticator import Authenticator
from fullon_graphql.transports.disconnects import CancelOnDisconnect
from fullon_graphql.transports.framing import EVENT_STREAM, EVENTS, Framing, accepts_only_events, framing_for
from fullon_graphql.transports.http_stream import HttpStreams
from fullon_graphql.transports.pages import Pages, wants_page
from fullon_graphql.transports.requests import CLIENT_NAME, InvalidParams, RequestParser, request_from_params

log = structlog.get_logger(__name__)

PATH: Final = "/graphql"
LARGEST_BODY: Final = 1024 * 1024
"""The most bytes of a request's body."""

LEGACY: Final = "application/json"
MODERN: Final = "application/graphql-response+json"
"""With this media type the status is 400 if nothing was executed; with the other one it is 200."""

_JSON: Final = LEGACY.encode()
_CONTENT_TYPES: Final = {name: name.encode() + b"; charset=utf-8" for name in (LEGACY, MODERN, EVENT_STREAM)}
_CLIENT_NAME: Final = CLIENT_NAME.encode()
_ACCEPTABLE: Final = (LEGACY, MODERN, "application/*", "*/*")


@dataclass(frozen=True)
class HttpError(Exception):  # an HTTP response, not one of the errors in `errors.py`
    """The request is answered with this status, because it is not a GraphQL request."""

    status: HTTPStatus
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class GraphQLEndpoint:
    """The graph over HTTP, and GraphiQL for browsers. Subscriptions are answered by `streams`."""

    def __init__(
        self,
        operations: OperationExecutor,
        parser: RequestParser,
        trusted: TrustedDocuments,
        streams: HttpStreams,
        pages: Pages | None,
    ) -> None:
        self._operations = operations
        self._parser = parser
        self._trusted = trusted
        self._streams = streams
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = record_of(scope) or begin_record(scope)
        record.route = PATH
        if self._pages and scope["method"] != "POST" and wants_page(scope):
            await self._pages.graphiql(scope, receive, send)
            return
        accept = _accepted(record.headers.get(b"accept", b""))
        media_type = accept.media_type
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            if not accept.is_acceptable:
                raise HttpError(HTTPStatus.NOT_ACCEPTABLE, _NOT_ACCEPTABLE)
            if _has_body(scope, record.headers):
                request = self._parser.parse(await _read_body(receive))
            else:
                request = _request_in_query(scope["query_string"])
            if request.document_id is not None or self._trusted.is_on:
                request = await self._trusted_request(request, scope)
            if accept.framing and await self._operations.is_subscription(request):
                await self._streams.serve(request, accept.framing, scope, receive, send)
                return
            with CancelOnDisconnect(receive) as disconnect:
                trace, authenticator = Trace(), scope["state"]["worker"].authenticator
                caller = authenticator.known(record.headers) or await _identify(authenticator, record.headers, trace)
                context = _context(request, caller, scope, record)
                explain = request.explain and _may_explain(context)
                response = await self._operations.run(request, context, trace, explain=explain)
            if disconnect.happened:
                return
            status, body = _status(response, media_type), response.body
            extra = ((b"allow", b"POST"),) if response.not_allowed else ()
            if accept.only_events and not response.not_allowed:
                status, media_type = HTTPStatus.OK, EVENT_STREAM
                body = EVENTS.event(body) + EVENTS.ending()
        except InvalidParams as error:
            status, body = HTTPStatus.BAD_REQUEST, _errors(str(error), {"code": BadUserInput.code})
        except HttpError as error:
            status, extra = error.status, error.headers
            body = _errors(error.message, {"code": BadUserInput.code})
        except Exception as exception:
            known = as_fullon_error(exception, scope["request_id"])
            if isinstance(known, Internal):
                log.exception("request.failed")
            status, body = HTTPStatus(known.status), _errors(known.message, known.extensions)
            extra = retry_after_header(known)
        headers = [
            (b"content-type", _CONTENT_TYPES[media_type]),
            (b"content-length", b"%d" % len(body)),
            *extra,
        ]
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _trusted_request(self, request: Request, scope: Scope) -> Request:
        """The request with the document that its id names, or with the error that refuses its document."""
        try:
            return await self._trusted.resolve(request, scope["state"]["worker"].redis)
        except BadUserInput as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from error


async def _identify(authenticator: Authenticator, headers: Mapping[bytes, bytes], trace: Trace) -> Caller:
    caller = await authenticator.identify_request(headers)
    trace.step("identify", "", trace.started)
    return caller


def _context(request: Request, caller: Caller, scope: Scope, record: RequestRecord) -> Context:
    """The context of a request's operation.

    Raises:
        RateLimited: the caller's requests are used up.
    """
    worker: Worker = scope["state"]["worker"]
    record.operation = operation_name(request.operation_name, request.query)
    record.uid = caller.uid if isinstance(caller, Principal) else None
    address = scope["client"][0] if scope.get("client") else None
    worker.rate_limits.spend(caller, address, record.response_headers)
    return Context(
        worker,
        caller=caller,
        request_id=scope["request_id"],
        address=address,
        user_agent=_text(record.headers, b"user-agent"),
        client=_text(record.headers, _CLIENT_NAME),
    )


def _may_explain(context: Context) -> bool:
    caller = context.caller
    return context.worker.settings.demo or (isinstance(caller, Principal) and caller.admin)


class _Accepted(NamedTuple):
    """The response that an `Accept` header asks for."""

    is_acceptable: bool
    """False if the header has none of our media types."""
    media_type: str
    framing: Framing | None
    """Of a stream, if the client accepts one."""
    only_events: bool


@lru_cache(maxsize=100)
def _accepted(header: bytes) -> _Accepted:
    accept = header.decode("latin-1")
    framing = framing_for(accept)
    is_acceptable = not accept or framing is not None or any(known in accept for known in _ACCEPTABLE)
    media_type = MODERN if MODERN in accept else LEGACY
    return _Accepted(is_acceptable, media_type, framing, accepts_only_events(accept))


_NOT_ACCEPTABLE: Final = f"The response is {MODERN}, {LEGACY} or {EVENT_STREAM}; `Accept` has none of them."


def _has_body(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """True if the request is in the body, False if it is in the query of the address.

    Raises:
        HttpError: it has another method or media type.
    """
    match scope["method"]:
        case "POST":
            media_type = headers.get(b"content-type", b"")
            if media_type != _JSON and media_type.split(b";", 1)[0].strip().lower() != _JSON:
                raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the request as {LEGACY}.")
            return True
        case "GET":
            return False
        case method:
            message = f"The method {method} is not supported; use POST or GET."
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, message, _ALLOW)


def _request_in_query(query: bytes) -> Request:
    params: dict[str, Any] = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    for name in ("variables", "extensions"):
        if params.get(name):
            try:
                params[name] = orjson.loads(params[name])
            except orjson.JSONDecodeError as error:
                raise InvalidParams(f"`{name}` is not JSON: {error}.") from error
        else:
            params.pop(name, None)
    return request_from_params(params, read_only=True)


_OK: Final = HTTPStatus.OK  # looking a member up takes longer than reading a name
_ALLOW: Final = ((b"allow", b"GET, POST"),)


async def _read_body(receive: Receive) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(HTTPStatus.BAD_REQUEST, "The request ended before its body was complete.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > LARGEST_BODY:
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body has more than {LARGEST_BODY} bytes, the limit."
            )
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks) if len(chunks) > 1 else chunk


def _status(response: Response, media_type: str) -> HTTPStatus:
    if response.not_allowed:
        return HTTPStatus.METHOD_NOT_ALLOWED
    return _OK if response.executed or media_type == LEGACY else HTTPStatus.BAD_REQUEST


def _errors(message: str, extensions: dict[str, Any]) -> bytes:
    count_error("graph", extensions["code"])
    return orjson.dumps({"errors": [{"message": message, "extensions": extensions}]})


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
