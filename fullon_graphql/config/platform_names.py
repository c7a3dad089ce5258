"""The platform's names of settings: other names of ours, and names that have no effect here."""

from __future__ import annotations

import re
from typing import Final

ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "host": ("API_HOST", "MASTER_API_HOST"),
    "port": ("API_PORT", "MASTER_API_PORT"),
    "jwt_secret_key": ("JWT_SECRET",),
    "jwt_expiration_minutes": ("JWT_EXPIRY",),
}
"""Other names of a setting, by field. In one source the setting's own name takes precedence."""

PREFIXES: Final = (
    "API_KEY_",
    "CIRCUIT_BREAKER_",
    "CORS_",
    "COST_",
    "DB_",
    "EX_ID_",
    "FULLON_",
    "JWT_",
    "METRICS_",
    "OHLCV_",
    "QUERY_",
    "RATE_LIMIT_",
    "REDIS_",
    "SOCKET_",
    "STREAM_",
    "SUBSCRIPTIONS_",
)
"""Beginnings of names. An unknown variable with one of them is probably a mistake."""

OTHER_VARIABLES: Final[dict[str, str]] = {
    "FULLON_HOME": "folder of the demo's state and of the daemon's PID file and log; default `.fullon` in the working "
    "directory",
    "FULLON_ENV_FILE": "file to read instead of `.env`; set by `--env-file`",
    "FULLON_CONFIG": "file to read instead of `config.yml`",
    "FORWARDED_ALLOW_IPS": "proxies whose `X-Forwarded-For` is trusted; read by uvicorn",
}
"""Variables that are read from the environment only, and are no settings."""

INTERNAL_VARIABLES: Final = frozenset({"FULLON_SERVICES_OWNER", "FULLON_URL", "FULLON_API_KEY"})
"""Variables between processes of this project, and of its examples and clients."""

_NO_PROXY: Final = "there is one server instead of three behind a proxy; put a load balancer in front of several"

WITHOUT_EFFECT: Final[dict[str, str]] = {
    "SERVICE_DISCOVERY": _NO_PROXY,
    "CONSUL_HOST": _NO_PROXY,
    "LOAD_BALANCER_STRATEGY": _NO_PROXY,
    "ORM_API_ENDPOINTS": _NO_PROXY,
    "CACHE_API_ENDPOINTS": _NO_PROXY,
    "OHLCV_API_ENDPOINTS": _NO_PROXY,
    "TRACING_ENABLED": "traces are not exported yet",
    "JAEGER_ENDPOINT": "traces are not exported yet",
}
"""Names of the platform's documents that change nothing here, with the reason."""

_EXCHANGE_KEYS: Final = re.compile(r"EX_ID_\d+_(?:KEY|SECRET|PASSWORD)(?:_FILE)?")


def is_exchange_key(name: str) -> bool:
    """True for a variable with a key of an exchange account, or with the file of one."""
    return bool(_EXCHANGE_KEYS.fullmatch(name))


CONFIG_KEYS: Final[dict[str, str]] = {
    "auth.jwt_secret": "JWT_SECRET",
    "auth.jwt_algorithm": "JWT_ALGORITHM",
    "auth.token_expiry": "JWT_EXPIRY",
    "load_balancer.strategy": "LOAD_BALANCER_STRATEGY",
    "load_balancer.circuit_breaker.failure_threshold": "CIRCUIT_BREAKER_THRESHOLD",
    "load_balancer.circuit_breaker.timeout": "CIRCUIT_BREAKER_TIMEOUT",
    "services.orm_api.instances": "ORM_API_ENDPOINTS",
    "services.cache_api.instances": "CACHE_API_ENDPOINTS",
    "services.ohlcv_api.instances": "OHLCV_API_ENDPOINTS",
}
"""Keys of the platform's config.yml, with the variable that means the same."""
