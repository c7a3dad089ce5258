"""Ids of documents: their hash and their form."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.engine.trusted.identifiers import LONGEST_ID, hash_of, is_hash, parse_id
from fullon_graphql.errors import BadUserInput


@pytest.mark.parametrize(
    ("text", "hash_"),
    [
        (
            "query ($id: ID!) {\n  user(id: $id) {\n    name\n  }\n}",
            "7dba4bd717b41f10434822356a93c32b1fb4907b983e854300ad839f84cdcd6e",
        ),
        ("query($id:ID!){user(id:$id){name}}", "71f7dc5758652baac68e4a10c50be732b741c892ade2883a99358f52b555286b"),
    ],
)
def test_hash_is_that_of_the_specification(text: str, hash_: str) -> None:
    assert hash_of(text) == hash_


@given(st.text())
def test_every_document_has_a_hash_that_is_an_id_with_or_without_prefix(text: str) -> None:
    hash_ = hash_of(text)
    assert is_hash(hash_)
    assert parse_id(hash_) == parse_id(f"sha256:{hash_}") == hash_


@given(st.text(max_size=2 * LONGEST_ID))
def test_accepted_id_is_short_and_of_unreserved_characters(given_id: str) -> None:
    with suppress(BadUserInput):
        id_ = parse_id(given_id)
        assert 1 <= len(id_) <= LONGEST_ID
        assert id_.isascii()
        assert all(letter.isalnum() or letter in "-._~:" for letter in id_)


@pytest.mark.parametrize(
    "id_",
    ["", "a b", "é", "a\n", "x" * (LONGEST_ID + 1), "sha256:", "sha256:abc", "sha256:" + "A" * 64, "sha256:" + "a" * 65,
     "sha256:sha256:" + "a" * 64],
)  # fmt: skip
def test_malformed_id_is_refused(id_: str) -> None:
    with pytest.raises(BadUserInput) as caught:
        parse_id(id_)
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("id_", ["1", "x-build:7", "d41d8cd98f00b204e9800998ecf8427e", "Bots_v2.1~rc-1"])
def test_id_of_a_manifest_is_kept(id_: str) -> None:
    assert parse_id(id_) == id_
