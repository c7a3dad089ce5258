from __future__ import annotations

import pytest

from fullon_graphql.auth.credentials import (
    ApiKeyValue,
    BearerToken,
    Credential,
    credential_in_headers,
    credential_in_payload,
)

TOKEN, KEY = BearerToken("abc"), ApiKeyValue("k-1")


@pytest.mark.parametrize(
    ("authorization", "api_key", "credential"),
    [
        ("Bearer abc", None, TOKEN),
        ("bearer abc", None, TOKEN),
        ("  BEARER   abc ", None, TOKEN),
        (None, " k-1 ", KEY),
        ("Bearer abc", "k-1", TOKEN),
        ("Bearer", "k-1", KEY),
        ("Basic abc", "k-1", KEY),
        ("Basic abc", None, None),
        ("abc", None, None),
        ("", "", None),
        (None, None, None),
    ],
)
def test_credential_is_read_from_headers(
    authorization: str | None, api_key: str | None, credential: Credential
) -> None:
    assert credential_in_headers(authorization, api_key) == credential


@pytest.mark.parametrize(
    ("payload", "credential"),
    [
        ({"authorization": "Bearer abc"}, TOKEN),
        ({"Authorization": "bearer abc"}, TOKEN),
        ({"authorization": "abc"}, TOKEN),
        ({"headers": {"Authorization": "Bearer abc"}}, TOKEN),
        ({"authorization": "Bearer abc", "headers": {"authorization": "Bearer other"}}, TOKEN),
        ({"x-api-key": "k-1"}, KEY),
        ({"X-API-Key": "k-1"}, KEY),
        ({"headers": {"X-Api-Key": "k-1"}}, KEY),
        ({"authorization": "Bearer abc", "x-api-key": "k-1"}, TOKEN),
        ({"authorization": "Basic abc"}, None),
        ({"authorization": None}, None),
        ({"authorization": {"authorization": "Bearer abc"}}, None),
        ({"authorization": 7, "x-api-key": ["k-1"]}, None),
        ({"headers": "Bearer abc"}, None),
        ({}, None),
        (None, None),
        ("Bearer abc", None),
        (["authorization", "Bearer abc"], None),
    ],
    ids=str,
)
def test_credential_is_read_from_connection_init_payloads(payload: object, credential: Credential) -> None:
    assert credential_in_payload(payload) == credential


@pytest.mark.parametrize("credential", [TOKEN, KEY])
def test_repr_of_a_credential_omits_its_secret(credential: BearerToken | ApiKeyValue) -> None:
    assert credential.value not in repr(credential)
