"""HTTP requests byte by byte: methods, targets, headers and bodies."""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.server import bearer
from tests.fuzz.harness import Kind
from tests.fuzz.hostile import mutated, mutated_bytes, scalars, texts, values
from tests.fuzz.reading import PATH_VALUES, documents
from tests.fuzz.world import World, complaints_about

METHODS: Final = ("GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get")
TYPES: Final = (
    "application/json", "application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "multipart/form-data", "text/plain", "application/graphql-response+json", "", "é",
)  # fmt: skip
HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "accept": (
        "*/*",
        "text/event-stream",
        "multipart/mixed",
        "application/graphql-response+json",
        "text/html",
        "x",
        "",
    ),
    "accept-encoding": ("gzip", "br;q=x"),
    "content-encoding": ("gzip", "x"),
    "content-length": ("0", "-1", "99999999999999999999", "x", "5"),
    "transfer-encoding": ("chunked", "gzip, chunked", "x"),
    "expect": ("100-continue",),
    "x-request-id": ("abc", "a" * 200, "\xff"),
    "x-api-key": ("x", "fk_" + "a" * 43, "é", "a" * 9000),
    "authorization": ("Bearer", "Bearer x", "Bearer a.b.c", "Basic x", "é", "Bearer " + "a" * 9000),
    "cookie": ("a=b; a", ";"),
    "origin": ("http://x", "null", "é"),
    "access-control-request-method": ("POST", "x"),
    "host": ("x", "", "a:b:c", "[::1"),
    "forwarded": ("for=x",),
    "x-forwarded-for": ("x", "::1, 1.2.3.4"),
    "upgrade": ("websocket", "h2c"),
    "connection": ("upgrade", "keep-alive"),
    "sec-websocket-key": ("x", "dGhlIHNhbXBsZSBub25jZQ=="),
    "sec-websocket-version": ("13", "1"),
    "if-none-match": ("*", '"x"'),
    "range": ("bytes=0-1,5-", "x"),
    "last-event-id": ("x", "0-0"),
    "idempotency-key": ("x", "\xff", "a" * 300),
}
LEFT_OUT: Final = ("/logout", "/sessions", "/start", "/stop", "/restart", "/auth/login")
"""Parts of paths whose requests end the session, wait for services, or take the time of a password check."""
PARAMETERS: Final = (
    "limit", "offset", "page", "page_size", "from", "to", "start", "end", "start_time", "symbol", "exchange", "timeframe",
    "user_id", "bot_id", "status", "query", "variables", "extensions", "operationName", "last", "fill", "days", "dry_run",
    "sort", "order_by", "active", "since_minutes", "token", "after", "first",
)  # fmt: skip
FIELDS: Final = (
    "name", "value", "price", "side", "volume", "symbol", "base", "quote", "mail", "password", "role", "status", "uid",
    "bot_id", "ex_id", "cat_ex_id", "str_id", "cat_str_id", "order_type", "scopes", "expires_at", "timestamp", "active",
    "take_profit", "size_pct", "ex_trade_id", "ex_order_id", "cost", "fee", "exchange", "username",
)  # fmt: skip
LONGEST: Final = 1_000_000
"""Bytes of an answer that are read."""
WAIT: Final = 0.5
"""Seconds without a byte after which a request counts as answered: a stream, or a server that waits for the rest."""

Case = tuple[int | None, str, str, list[tuple[str, str]], bytes]
"""Caller, method, target, headers and body. The target of a known path has `check_only`, so that nothing is changed."""


def cases(world: World) -> st.SearchStrategy[Case]:
    headers = st.lists(st.sampled_from([(name, value) for name, some in HEADERS.items() for value in some]), max_size=3)
    return st.builds(
        lambda uid, method, path, query, type_, further, body: (
            uid,
            method,
            f"{path}?check_only=true{query}",
            [("content-type", type_), *further],
            body,
        ),
        st.sampled_from((TRADER, TRADER, ADMIN, None)), st.sampled_from(METHODS), _paths(world), _queries(), st.sampled_from(TYPES), headers, _bodies(),
    )  # fmt: skip


def _paths(world: World) -> st.SearchStrategy[str]:
    known = [path for path in world.openapi if not any(part in path for part in LEFT_OUT)]
    filled = st.sampled_from(known).flatmap(_filled)
    other = st.one_of(mutated(filled), texts).map(lambda text: "/" + quote(text, errors="replace")[:5000])
    return st.one_of(filled, filled, filled, other, st.just("/graphql"), st.just("/graphql"))


def _filled(path: str) -> st.SearchStrategy[str]:
    parts = [part.split("}") for part in path.split("{")[1:]]
    some = [st.sampled_from((PATH_VALUES.get(name, "1"),) * 3) | texts for name, _ in parts]
    return st.tuples(*some).map(
        lambda chosen: (
            path.split("{", maxsplit=1)[0]
            + "".join(quote(one)[:5000] + rest for one, (_, rest) in zip(chosen, parts, strict=True))
        )
    )


def _queries() -> st.SearchStrategy[str]:
    raw = st.sampled_from(
        ("%ff", "%00", "%", "%zz", "1", "2", "kraken", "BTC/USD", "1m", "2026-01-01T00:00:00Z", "true")
    )
    value = raw | scalars.map(lambda one: quote(str(one)[:3000], errors="replace"))
    parameter = st.builds(lambda name, value: f"&{name}={value}", st.sampled_from(PARAMETERS), value)
    return st.lists(parameter, max_size=4).map("".join)


def _bodies() -> st.SearchStrategy[bytes]:
    request = st.fixed_dictionaries(
        {"query": st.sampled_from(sorted(documents().values()))},
        optional={"variables": values, "operationName": values, "extensions": values},
    )
    row = st.dictionaries(st.sampled_from(FIELDS), scalars, max_size=6)
    json_texts = st.one_of(request, row, row, values).map(json.dumps)
    forms = st.dictionaries(texts, texts, max_size=3).map(urlencode)
    return st.one_of(
        st.just(b""), json_texts.map(str.encode), json_texts.map(str.encode), mutated_bytes(json_texts),
        forms.map(str.encode), st.binary(max_size=100),
    )  # fmt: skip


async def play(world: World, case: Case) -> list[str]:
    uid, method, target, headers, body = case
    headers = [*bearer(world.tokens[uid] if uid else None).items(), *headers]
    names = {name for name, _ in headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    lines += [] if "host" in names else ["host: fuzz"]
    lines += [] if names & {"content-length", "transfer-encoding"} else [f"content-length: {len(body)}"]
    lines += [] if "connection" in names else ["connection: close"]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.server.port))
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
        answer = await _answer(reader)
    except ConnectionError:  # the server refuses the rest of a malformed request
        return []
    finally:
        writer.close()
    if not answer:
        return []
    status = answer.split(b" ", 2)[1:2]
    if not status or not status[0].isdigit():
        return [f"no HTTP: {answer[:100]!r}"]
    return complaints_about(int(status[0]), answer.decode(errors="replace"))


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The bytes that arrive until the server closes the connection, or sends nothing for a while."""
    answer = b""
    try:
        while block := await asyncio.wait_for(reader.read(1 << 16), WAIT):
            answer += block
            if answer.startswith(b"HTTP/1.1 1") or len(answer) > LONGEST:
                break
    except TimeoutError:
        pass
    return answer


KIND: Final = Kind("http requests", cases, play)
