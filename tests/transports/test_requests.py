from __future__ import annotations

import orjson
import pytest

from fullon_graphql.transports.requests import LARGEST_REMEMBERED, InvalidParams, RequestParser


def body(query: str = "{ me { uid } }", **variables: object) -> bytes:
    return orjson.dumps({"query": query, "variables": variables})


def test_equal_bodies_are_parsed_once() -> None:
    parser = RequestParser(100_000)
    first = parser.parse(body(id=1))
    assert parser.parse(body(id=1)) is first
    assert parser.parse(body(id=2)).variables == {"id": 2}
    assert first.variables == {"id": 1}


@pytest.mark.parametrize("invalid", [b"", b"{", b"[]", b'{"query": 1}', b'{"query": "{ me }", "variables": []}'])
def test_invalid_body_is_refused_each_time(invalid: bytes) -> None:
    parser = RequestParser(100_000)
    for _ in range(2):
        with pytest.raises(InvalidParams):
            parser.parse(invalid)
    assert parser.cache.entries == 0


def test_large_body_is_not_remembered() -> None:
    parser = RequestParser(2**20)
    large = body(text="x" * LARGEST_REMEMBERED)
    assert parser.parse(large) == parser.parse(large)
    assert parser.cache.entries == 0


@pytest.mark.parametrize(
    "secret",
    [
        {"query": 'mutation ($p: String!) { login(mail: "a", password: $p) { accessToken } }', "variables": {"p": "x"}},
        {"documentId": "sha256:" + "0" * 64, "variables": {"p": "x"}},
    ],
)
def test_body_that_may_have_a_password_is_not_remembered(secret: dict[str, object]) -> None:
    parser = RequestParser(100_000)
    parser.parse(orjson.dumps(secret))
    assert parser.cache.entries == 0
