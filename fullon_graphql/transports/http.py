"""`/graphql`: GraphQL over HTTP by the letter of its specification, as one plain ASGI application.

A framework's route costs more than a whole small query, so there is none here: bytes in, `Operations`, bytes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from types import NoneType
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.credentials import credential_in_headers
from fullon_graphql.auth.principal import Principal
from fullon_graphql.context import Context, Worker
from fullon_graphql.engine.operations import OperationExecutor, Request, Response
from fullon_graphql.engine.trace import Trace
from fullon_graphql.errors import Internal, as_fullon_error
from fullon_graphql.transports.framing import EVENT_STREAM, EVENTS, for_streams, takes_only_events
from fullon_graphql.transports.http_stream import HttpStreams
from fullon_graphql.transports.pages import Pages, wants_page

log = structlog.get_logger(__name__)

LARGEST_BODY: Final = 1024 * 1024
"""Bytes a request may have."""

LEGACY: Final = "application/json"
MODERN: Final = "application/graphql-response+json"
"""The media type under which the status tells whether anything was executed; with the other one it is mostly 200."""

_ACCEPTABLE: Final = (LEGACY, MODERN, "application/*", "*/*")


@dataclass(frozen=True)
class Refused(Exception):  # no error of ours: an HTTP answer
    """The request cannot be understood, and is answered with this status."""

    status: HTTPStatus
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class GraphQLEndpoint:
    """The graph over HTTP, and GraphiQL for browsers; `streams` has the subscriptions."""

    def __init__(self, operations: OperationExecutor, streams: HttpStreams, pages: Pages) -> None:
        self._operations = operations
        self._streams = streams
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if wants_page(scope):
            await self._pages.graphiql(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        accept = headers.get(b"accept", b"").decode("latin-1")
        media_type = MODERN if MODERN in accept else LEGACY
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            _check_acceptable(accept)
            request = await _read(scope, headers, receive)
            wording = for_streams(accept)
            if wording and self._operations.is_subscription(request):
                await self._streams.serve(request, wording, scope, receive, send)
                return
            response = await self._run(request, scope, headers)
            status, body = _status(response, media_type), response.body
            extra = ((b"allow", b"POST"),) if response.not_allowed else ()
            if takes_only_events(accept) and not response.not_allowed:
                status, media_type = HTTPStatus.OK, EVENT_STREAM
                body = EVENTS.event(body) + EVENTS.ending()
        except Refused as refused:
            status, extra = refused.status, refused.headers
            body = _errors(refused.message, {"code": "BAD_USER_INPUT"})
        except Exception as exception:
            error = as_fullon_error(exception, scope["request_id"])
            if isinstance(error, Internal):
                log.exception("request.failed")
            status, body = HTTPStatus(error.status), _errors(error.message, error.extensions)
        await _send(send, status, media_type, body, extra)

    async def _run(self, request: Request, scope: Scope, headers: dict[bytes, bytes]) -> Response:
        worker: Worker = scope["state"]["worker"]
        credential = credential_in_headers(_text(headers, b"authorization"), _text(headers, b"x-api-key"))
        trace = Trace()
        caller = await worker.authenticator.identify(credential)
        trace.step("identify", "", trace.started)
        context = Context(
            worker,
            caller=caller,
            request_id=scope["request_id"],
            address=scope["client"][0] if scope.get("client") else None,
            user_agent=_text(headers, b"user-agent"),
        )
        return await self._operations.run(request, context, trace, explain=request.explain and _may_explain(context))


def _may_explain(context: Context) -> bool:
    caller = context.caller
    return context.worker.settings.demo or (isinstance(caller, Principal) and caller.admin)


def _check_acceptable(accept: str) -> None:
    if accept and not for_streams(accept) and not any(known in accept for known in _ACCEPTABLE):
        raise Refused(
            HTTPStatus.NOT_ACCEPTABLE, f"This answers {MODERN}, {LEGACY} and {EVENT_STREAM}; none is accepted."
        )


async def _read(scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Request:
    match scope["method"]:
        case "POST":
            media_type = headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
            if media_type != LEGACY.encode():
                raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the request as {LEGACY}.")
            return _request(_json(await _body(receive), "The body"), read_only=False)
        case "GET":
            given: dict[str, Any] = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            for name in ("variables", "extensions"):
                if given.get(name):
                    given[name] = _json(given[name], f"`{name}`")
                else:
                    given.pop(name, None)
            return _request(given, read_only=True)
        case method:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not served; use POST or GET.", _ALLOW)


_ALLOW: Final = ((b"allow", b"GET, POST"),)


async def _body(receive: Receive) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(HTTPStatus.BAD_REQUEST, "The request ended before its body was complete.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > LARGEST_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request has at most {LARGEST_BODY} bytes.")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _json(text: bytes | str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{what} is not JSON: {error}.") from error


_OBJECT: Final = (dict, NoneType)  # written as unions, these would be made anew with every request
_TEXT: Final = (str, NoneType)


def _request(given: Any, *, read_only: bool) -> Request:
    if not isinstance(given, dict):
        raise Refused(
            HTTPStatus.BAD_REQUEST, "The body must be one JSON object; several requests at once are not served."
        )
    query, variables = given.get("query"), given.get("variables")
    name, extensions = given.get("operationName"), given.get("extensions")
    if not isinstance(query, str):
        raise Refused(HTTPStatus.BAD_REQUEST, "`query` must be a text with a GraphQL document.")
    if not isinstance(variables, _OBJECT) or not isinstance(extensions, _OBJECT):
        raise Refused(HTTPStatus.BAD_REQUEST, "`variables` and `extensions` must be JSON objects.")
    if not isinstance(name, _TEXT):
        raise Refused(HTTPStatus.BAD_REQUEST, "`operationName` must be a text.")
    explain = (extensions or {}).get("explain") is True
    return Request(query, name or None, variables or {}, read_only=read_only, explain=explain)


def _status(response: Response, media_type: str) -> HTTPStatus:
    if response.not_allowed:
        return HTTPStatus.METHOD_NOT_ALLOWED
    return HTTPStatus.OK if response.executed or media_type == LEGACY else HTTPStatus.BAD_REQUEST


def _errors(message: str, extensions: dict[str, Any]) -> bytes:
    return orjson.dumps({"errors": [{"message": message, "extensions": extensions}]})


async def _send(
    send: Send, status: HTTPStatus, media_type: str, body: bytes, extra: tuple[tuple[bytes, bytes], ...]
) -> None:
    headers = [
        (b"content-type", media_type.encode() + b"; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        *extra,
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
