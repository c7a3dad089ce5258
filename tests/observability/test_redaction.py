"""Redaction of texts, and reasons of errors."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from fullon_graphql.config import Settings
from fullon_graphql.observability.redaction import REDACTED, known_secrets, reason, redact, redact_event


def test_reason_has_type_and_message() -> None:
    assert reason(ConnectionError("the exchange\n hung up")) == "ConnectionError: the exchange hung up"
    assert reason(TimeoutError()) == "TimeoutError"


def test_reason_of_a_group_is_its_first_error() -> None:
    group = ExceptionGroup("all", [ExceptionGroup("some", [ValueError("the cause")]), KeyError("another")])
    assert reason(group) == "ValueError: the cause"


def test_long_reason_is_cut() -> None:
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
def test_secret_is_redacted(text: str) -> None:
    assert "hunter22" not in redact(text)
    assert REDACTED in redact(text)


def test_ordinary_text_is_kept() -> None:
    assert redact("kraken: no such pair BTC/EUR at 12:30") == "kraken: no such pair BTC/EUR at 12:30"


def test_secrets_of_the_process_are_redacted_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EX_ID_3_KEY", "exchange-key")
    monkeypatch.setenv("EX_ID_3_SECRET", "exchange-key-and-more")
    secrets = known_secrets(Settings(db_password=SecretStr("opensesame")))
    text = reason(ValueError("tried exchange-key-and-more, exchange-key and opensesame"), secrets)
    assert text == f"ValueError: tried {REDACTED}, {REDACTED} and {REDACTED}"


def test_mail_of_an_administrator_is_shown_in_its_field_only() -> None:
    event = redact_event(None, "info", {"administrator": "a@fullon.io", "other": "a@fullon.io"})
    assert event == {"administrator": "a@fullon.io", "other": REDACTED}
    assert redact_event(None, "info", {"administrator": "a@fullon.io token=abc"})["administrator"] != "a@fullon.io"
    assert "abc" not in str(redact_event(None, "info", {"administrator": "a@fullon.io token=abc"}))
