from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from fullon_graphql.config import Settings
from fullon_graphql.observability.logging import configure_logging
from fullon_graphql.observability.redaction import REDACTED, redact_event


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Restore the logging of the process for other tests."""
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    logging.getLogger("fullon_graphql").setLevel(logging.NOTSET)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


Capsys = pytest.CaptureFixture[str]


def lines(capsys: Capsys) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_event_is_one_json_object_outside_a_terminal(capsys: Capsys) -> None:
    configure_logging(Settings())
    structlog.get_logger("fullon_graphql.test").info("order placed", bot_id=7, note="two\nlines")
    [event] = lines(capsys)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "order placed",
        "bot_id": 7,
        "note": "two\nlines",
        "level": "info",
        "logger": "fullon_graphql.test",
    }


@pytest.mark.parametrize("name", ["uvicorn.error", "uvicorn.access", "alembic", "fullon_graphql.services"])
def test_standard_library_loggers_have_the_same_form(name: str, capsys: Capsys) -> None:
    logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler())
    configure_logging(Settings())
    logging.getLogger(name).warning("took %d ms", 5, extra={"path": "/graphql"})
    [event] = lines(capsys)
    expected = {"event": "took 5 ms", "logger": name, "level": "warning", "path": "/graphql"}
    assert event.items() >= expected.items()


def test_request_id_is_on_the_lines_of_its_request_only(capsys: Capsys) -> None:
    configure_logging(Settings())
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger().info("ours")
        logging.getLogger("sqlalchemy").warning("theirs")
    structlog.get_logger().info("after")
    assert [event.get("request_id") for event in lines(capsys)] == ["r-1", "r-1", None]


def test_nothing_below_the_level_is_written(capsys: Capsys) -> None:
    configure_logging(Settings(log_level="WARNING"))
    structlog.get_logger().info("quiet")
    logging.getLogger("anything").info("quiet")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("log_format", ["pretty", "beautiful"])
def test_pretty_format_is_not_json(log_format: Any, capsys: Capsys) -> None:
    configure_logging(Settings(log_format=log_format))
    structlog.get_logger().info("order placed", bot_id=7)
    written = capsys.readouterr().err
    assert "order placed" in written
    assert "bot_id=7" in written
    assert not written.startswith("{")


@pytest.mark.parametrize("log_format", ["json", "pretty"])
def test_traceback_has_no_local_variables(log_format: Any, capsys: Capsys) -> None:
    configure_logging(Settings(log_format=log_format))
    password = "hunter" + "2"
    try:
        raise ValueError(f"wrong length: {len(password)}")
    except ValueError:
        structlog.get_logger().exception("login failed")
        logging.getLogger("stdlib").exception("login failed")
    written = capsys.readouterr().err
    assert written.count("ValueError: wrong length: 7") == 2
    assert "hunter2" not in written


SECRETS = ("password", "token", "refresh_token", "refreshToken", "JWT_SECRET_KEY", "X-API-Key", "authorization", "f2a")


@pytest.mark.parametrize("name", [*SECRETS, "api_keys", "tokens", "Set-Cookie"])
@pytest.mark.parametrize("nest", [lambda e: e, lambda e: {"input": e}, lambda e: {"calls": [{"variables": e}]}])
def test_value_under_the_name_of_a_secret_is_redacted_at_any_depth(name: str, nest: Any) -> None:
    event = redact_event(None, "info", nest({name: "hunter2"}))
    assert event == nest({name: REDACTED})


@pytest.mark.parametrize("name", ["event", "monkey", "symbol", "keyset_page", "tokenizer", "bot_id"])
def test_other_values_are_kept(name: str) -> None:
    assert redact_event(None, "info", {name: "kept"}) == {name: "kept"}


def test_credentials_in_urls_and_bearer_tokens_are_redacted_in_any_text() -> None:
    event = {"event": "cannot reach postgresql://me:hunter2@db/fullon2", "sent": "Authorization: Bearer abc.def"}
    assert redact_event(None, "info", event) == {
        "event": f"cannot reach postgresql://{REDACTED}@db/fullon2",
        "sent": f"Authorization: Bearer {REDACTED}",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(secret=st.sampled_from(SECRETS), value=st.text(min_size=1), rest=st.dictionaries(st.text(), json_values))
def test_redaction_removes_every_secret_and_never_fails(secret: str, value: str, rest: dict[str, Any]) -> None:
    assert redact_event(None, "info", rest | {secret: value})[secret] == REDACTED


@pytest.mark.parametrize("log_format", ["json", "pretty"])
def test_log_contains_no_secret_of_the_process_and_no_mail(
    log_format: Any, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EX_ID_7_KEY", "exchange-marker")
    address = "postgresql://me:p%40ss-marker@db/fullon2"
    configure_logging(Settings(log_format=log_format, database_url=address, jwt_secret_key=SecretStr("jwt-marker")))
    error = ValueError("p@ss-marker p%40ss-marker exchange-marker jwt-marker fgk_marker-of-a-key marker@example.com")
    try:
        raise error
    except ValueError:
        structlog.get_logger("fullon_graphql.x").exception("failed", error=error, value=b"exchange-marker")
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application: %s", error)
    written = capsys.readouterr().err
    assert written.count("Traceback") == 2
    assert "marker" not in written


def test_debug_level_does_not_apply_to_libraries(capsys: Capsys) -> None:
    """uvicorn and websockets would write every message and header."""
    configure_logging(Settings(log_level="DEBUG"))
    logging.getLogger("uvicorn.error").debug("< TEXT {}")
    structlog.get_logger("fullon_graphql.x").debug("ours")
    assert [event["event"] for event in lines(capsys)] == ["ours"]
