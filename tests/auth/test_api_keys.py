from __future__ import annotations

import hashlib

import pytest

from fullon_graphql.auth.api_keys import generate_key, is_presentable, parse_scopes, stored_form
from fullon_graphql.auth.principal import Scope

READ, WRITE, ADMIN = Scope.READ, Scope.WRITE, Scope.ADMIN


def test_new_key_is_random_and_presentable() -> None:
    key = generate_key()
    assert key.startswith("fgk_")
    assert len(key) == 47
    assert key != generate_key()
    assert is_presentable(key)


def test_stored_form_is_a_hash() -> None:
    assert stored_form("fgk_abc") == "sha256$" + hashlib.sha256(b"fgk_abc").hexdigest()


def test_stored_hash_is_not_presentable() -> None:
    assert not is_presentable(stored_form(generate_key()))
    assert not is_presentable(stored_form(generate_key()).upper())


@pytest.mark.parametrize(
    "key", ["", "ninechars", "x" * 129, "with a nul \0", "with a tab\t", "ümlaut-ümlaut", "\ud800" * 9]
)
def test_malformed_key_is_not_presentable(key: str) -> None:
    assert not is_presentable(key)


@pytest.mark.parametrize(
    ("column", "scopes"),
    [
        ("read", {READ}),
        ("read,write", {READ, WRITE}),
        (" READ , Write,admin ", {READ, WRITE, ADMIN}),
        ("write", {WRITE}),
        ("trade,read", {READ}),
        ("trade", set()),
        ("", {READ}),
        (" , ", {READ}),
        (None, {READ}),
    ],
)
def test_scopes_are_parsed_from_the_column(column: str | None, scopes: set[Scope]) -> None:
    assert parse_scopes(column) == scopes
