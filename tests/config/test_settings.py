"""Values of settings under all names and in all forms that are understood."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from fullon_graphql.config import Settings, load_settings
from fullon_graphql.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("API_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("MASTER_API_HOST", "::1", "host", "::1"),
        ("API_PORT", "9000", "port", 9000),
        ("MASTER_API_PORT", "9001", "port", 9001),
        ("api_port", "9002", "port", 9002),
        ("API_TITLE", "Mine", "api_title", "Mine"),
        ("API_VERSION", "1.0.0", "api_version", "1.0.0"),
        ("JWT_EXPIRATION_MINUTES", "1440", "jwt_expiration_minutes", 1440),
        ("JWT_EXPIRY", "24h", "jwt_expiration_minutes", 1440),
        ("JWT_EXPIRY", "90m", "jwt_expiration_minutes", 90),
        ("JWT_EXPIRY", "1D", "jwt_expiration_minutes", 1440),
        ("LOG_LEVEL", "critical", "log_level", "CRITICAL"),
        ("LOG_LEVEL", "Debug", "log_level", "DEBUG"),
        ("CORS_ORIGINS", '["https://a", "https://b"]', "cors_origins", ["https://a", "https://b"]),
        ("CORS_ORIGINS", "https://a, https://b", "cors_origins", ["https://a", "https://b"]),
        ("CORS_ALLOW_CREDENTIALS", "true", "cors_allow_credentials", True),
        ("CORS_ALLOW_METHODS", '["GET"]', "cors_allow_methods", ["GET"]),
        ("CORS_ALLOW_HEADERS", "x-a,x-b", "cors_allow_headers", ["x-a", "x-b"]),
        ("RATE_LIMIT_REQUESTS", "10", "rate_limit_requests", 10),
        ("RATE_LIMIT_WINDOW", "60s", "rate_limit_window", 60),
        ("RATE_LIMIT_WINDOW", "30", "rate_limit_window", 30),
        ("CIRCUIT_BREAKER_THRESHOLD", "7", "circuit_breaker_threshold", 7),
        ("CIRCUIT_BREAKER_TIMEOUT", "30s", "circuit_breaker_timeout", 30.0),
        ("METRICS_ENABLED", "false", "metrics_enabled", False),
        ("API_KEY_HEADER_NAME", "X-My-Key", "api_key_header_name", "X-My-Key"),
        ("ENABLE_API_KEY_AUTH", "0", "enable_api_key_auth", False),
        ("FULLON_DEMO", "true", "demo", True),
        ("METRICS_PORT", "", "metrics_port", None),
    ],
)
def test_environment_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, field: str, value: Any) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(Settings(), field) == value
    assert getattr(load_settings(), field) == value


def test_secret_is_read_under_its_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "something")
    assert Settings().jwt_secret_key.get_secret_value() == "something"
    monkeypatch.setenv("JWT_SECRET_KEY", "own")
    assert Settings().jwt_secret_key.get_secret_value() == "own"


def test_keywords_take_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "9000")
    assert Settings(port=1).port == 1
    assert load_settings(port=1).port == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("DB_POOL_SIZE", "many", r"DB_POOL_SIZE in environment is invalid\. Input should be a valid integer"),
        ("API_PORT", "70000", r"API_PORT in environment is invalid\. Input should be less than or equal to 65535"),
        ("JWT_EXPIRY", "24", r"JWT_EXPIRY is '24' in environment; it needs a unit, for example 24h or 90m\."),
        ("JWT_EXPIRY", "90d", r"JWT_EXPIRY in environment is invalid\. .* less than or equal to 43200"),
        ("RATE_LIMIT_WINDOW", "1 week", r"RATE_LIMIT_WINDOW in environment is invalid"),
        ("LOG_LEVEL", "loud", r"LOG_LEVEL in environment is invalid"),
        ("CORS_ORIGINS", '["https://a"', r"CORS_ORIGINS in environment is invalid"),
        ("COST_LIMIT_PER_MINUTE", "5", r"COST_LIMIT_PER_MINUTE must be 0, or at least COST_LIMIT\."),
        ("API_KEY_HEADER_NAME", "X Key", r"API_KEY_HEADER_NAME in environment is invalid"),
    ],
)
def test_invalid_setting_is_named_with_its_source(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, message: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_credentials_of_every_origin_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="CORS_ALLOW_CREDENTIALS requires origins by name"):
        Settings(cors_origins=["*"], cors_allow_credentials=True)
    assert Settings(cors_origins=["https://a"], cors_allow_credentials=True).cors_allow_credentials


def test_unknown_keyword_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="databse_url"):
        Settings(databse_url="postgresql://x")  # type: ignore[call-arg]  # the mistake under test
