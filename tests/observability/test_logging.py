from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.config import Settings
from fullon_graphql.observability.logging import REDACTED, configure_logging, redact


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Logging is the process's; other tests find it as it was."""
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


Capsys = pytest.CaptureFixture[str]


def lines(capsys: Capsys) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_json_object_with_its_fields_where_nobody_watches(capsys: Capsys) -> None:
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
def test_the_loggers_of_the_standard_library_come_out_alike(name: str, capsys: Capsys) -> None:
    logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler())
    configure_logging(Settings())
    logging.getLogger(name).warning("took %d ms", 5, extra={"path": "/graphql"})
    [event] = lines(capsys)
    expected = {"event": "took 5 ms", "logger": name, "level": "warning", "path": "/graphql"}
    assert event.items() >= expected.items()


def test_the_request_id_is_on_every_line_of_its_request_only(capsys: Capsys) -> None:
    configure_logging(Settings())
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger().info("ours")
        logging.getLogger("sqlalchemy").warning("theirs")
    structlog.get_logger().info("after")
    assert [event.get("request_id") for event in lines(capsys)] == ["r-1", "r-1", None]


def test_below_the_level_nothing_is_written(capsys: Capsys) -> None:
    configure_logging(Settings(log_level="WARNING"))
    structlog.get_logger().info("quiet")
    logging.getLogger("anything").info("quiet")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("log_format", ["pretty", "beautiful"])
def test_people_get_lines_to_read(log_format: Any, capsys: Capsys) -> None:
    configure_logging(Settings(log_format=log_format))
    structlog.get_logger().info("order placed", bot_id=7)
    written = capsys.readouterr().err
    assert "order placed" in written
    assert "bot_id=7" in written
    assert not written.startswith("{")


@pytest.mark.parametrize("log_format", ["json", "pretty"])
def test_a_traceback_shows_where_and_no_local_variable(log_format: Any, capsys: Capsys) -> None:
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
def test_a_value_under_the_name_of_a_secret_is_taken_out_however_deep(name: str, nest: Any) -> None:
    event = redact(None, "info", nest({name: "hunter2"}))
    assert event == nest({name: REDACTED})


@pytest.mark.parametrize("name", ["event", "monkey", "symbol", "keyset_page", "tokenizer", "bot_id"])
def test_other_values_stay(name: str) -> None:
    assert redact(None, "info", {name: "kept"}) == {name: "kept"}


def test_passwords_in_addresses_and_bearer_tokens_are_taken_out_of_any_text() -> None:
    event = {"event": "cannot reach postgresql://me:hunter2@db/fullon2", "sent": "Authorization: Bearer abc.def"}
    assert redact(None, "info", event) == {
        "event": f"cannot reach postgresql://me:{REDACTED}@db/fullon2",
        "sent": f"Authorization: Bearer {REDACTED}",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(secret=st.sampled_from(SECRETS), value=st.text(min_size=1), rest=st.dictionaries(st.text(), json_values))
def test_redaction_never_lets_a_secret_through_and_never_fails(secret: str, value: str, rest: dict[str, Any]) -> None:
    assert redact(None, "info", rest | {secret: value})[secret] == REDACTED
