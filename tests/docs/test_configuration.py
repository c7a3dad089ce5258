"""Settings have a meaning, and the platform's names of settings are explained."""

from __future__ import annotations

import re

import pytest

from fullon_graphql.config import Settings
from fullon_graphql.config.platform_names import ALIASES, WITHOUT_EFFECT, is_exchange_key
from fullon_graphql.config.sources import names
from tests.docs.documents import ROOT

COMPATIBILITY = (ROOT / "docs/compatibility.md").read_text()


PROMISED = [
    "API_HOST",
    "API_PORT",
    "MASTER_API_HOST",
    "MASTER_API_PORT",
    "API_TITLE",
    "API_VERSION",
    "API_PREFIX",
    "JWT_SECRET",
    "JWT_EXPIRY",
    "JWT_EXPIRATION_MINUTES",
    "LOG_LEVEL",
    "CORS_ALLOW_CREDENTIALS",
    "CORS_ALLOW_METHODS",
    "CORS_ALLOW_HEADERS",
    "RATE_LIMIT_REQUESTS",
    "RATE_LIMIT_WINDOW",
    "CIRCUIT_BREAKER_THRESHOLD",
    "CIRCUIT_BREAKER_TIMEOUT",
    "METRICS_ENABLED",
    "TRACING_ENABLED",
    "JAEGER_ENDPOINT",
    "EX_ID_{n}_KEY",
    "EX_ID_{n}_SECRET",
    "USE_SANDBOX",
    "CCXT_TIMEOUT",
    "API_KEY_HEADER_NAME",
    "ENABLE_API_KEY_AUTH",
    "SERVICE_DISCOVERY",
    "CONSUL_HOST",
    "LOAD_BALANCER_STRATEGY",
    "ORM_API_ENDPOINTS",
    "CACHE_API_ENDPOINTS",
    "OHLCV_API_ENDPOINTS",
]
"""Names of settings in the platform's documents."""


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_has_a_meaning(name: str) -> None:
    assert Settings.model_fields[name].description


@pytest.mark.parametrize("name", PROMISED)
def test_name_of_the_platform_is_explained(name: str) -> None:
    assert re.search(rf"^\|[^|]*`{re.escape(name)}`", COMPATIBILITY, re.MULTILINE)


@pytest.mark.parametrize("name", PROMISED)
def test_name_of_the_platform_is_understood(name: str) -> None:
    own = {name for field in Settings.model_fields for name in names(field)}
    assert name in own or name in WITHOUT_EFFECT or is_exchange_key(name.replace("{n}", "1"))


def test_aliases_are_names_of_no_setting() -> None:
    assert {*ALIASES} <= {*Settings.model_fields}
    assert not {alias.lower() for others in ALIASES.values() for alias in others} & {*Settings.model_fields}
