"""Reasons that may be shown."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from fullon_graphql.config import Settings
from fullon_graphql.observability.redaction import known_secrets, mask, reason


def test_a_reason_says_what_kind_of_error_it_was_and_what_it_said() -> None:
    assert reason(ConnectionError("the exchange\n hung up")) == "ConnectionError: the exchange hung up"
    assert reason(TimeoutError()) == "TimeoutError"


def test_of_a_group_the_first_error_is_the_reason() -> None:
    group = ExceptionGroup("all", [ExceptionGroup("some", [ValueError("the cause")]), KeyError("another")])
    assert reason(group) == "ValueError: the cause"


def test_a_reason_is_short() -> None:
    assert len(reason(ValueError("blah " * 1000))) == 300


@pytest.mark.parametrize(
    "text",
    [
        "cannot reach redis://user:hunter22@host:6379/0",
        "cannot reach postgresql://:hunter22@host/db",
        "api_secret=hunter22 refused",
        'the answer was {"apiKey": "hunter22", "code": 7}',
        "password='hunter22' is wrong",
        "header Authorization: Bearer hunter22",
        "signature: hunter22, nonce: 5",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert "hunter22" not in mask(text)
    assert "***" in mask(text)


def test_ordinary_words_stay() -> None:
    assert mask("kraken: no such pair BTC/EUR at 12:30") == "kraken: no such pair BTC/EUR at 12:30"


def test_the_secrets_of_this_process_are_masked_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EX_ID_3_KEY", "exchange-key")
    monkeypatch.setenv("EX_ID_3_SECRET", "exchange-key-and-more")
    secrets = known_secrets(Settings(db_password=SecretStr("opensesame")))
    text = reason(ValueError("tried exchange-key-and-more, exchange-key and opensesame"), secrets)
    assert text == "ValueError: tried ***, *** and ***"
