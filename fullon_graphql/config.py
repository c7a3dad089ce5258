"""Settings, read once from the environment and passed down by the composition root.

Names are the platform's if it has one (`DB_*`, `REDIS_*`, `JWT_*`, `ADMIN_MAIL`). A running demo writes its addresses
to `$FULLON_HOME/demo.env`, which commands started beside it read; the environment takes precedence.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

INSECURE_SECRET = "insecure-development-secret-do-not-use"  # noqa: S105  # public, and rejected outside the demo
"""Default of JWT_SECRET_KEY. Only the demo accepts it."""


DEFAULT_TICKER_MAX_AHEAD = 60.0


class Settings(BaseSettings):
    """Every setting, with the platform's defaults."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, populate_by_name=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    api_prefix: str = Field(default="/api/v1", pattern=r"^(/[A-Za-z0-9._~-]+)+$", description="Path of REST.")
    demo: bool = Field(default=False, validation_alias="FULLON_DEMO")

    # PostgreSQL: users, bots, orders; and the candle store
    database_url: str = ""
    ohlcv_database_url: str = ""
    db_host: str = "localhost"
    db_port: int = 5432
    db_user: str = "postgres"
    db_password: SecretStr = SecretStr("")
    db_name: str = "fullon2"
    db_ohlcv_name: str = "fullon_ohlcv2"
    db_pool_size: int = Field(default=20, ge=1)
    db_pool_max_overflow: int = Field(default=10, ge=0)
    db_timeout: float = Field(default=15.0, gt=0, description="Seconds one statement may take.")

    # Redis: live state
    redis_url: str = ""
    redis_host: str = "localhost"
    redis_port: int = 6379
    redis_db: int = Field(default=0, ge=0)
    redis_password: SecretStr = SecretStr("")
    redis_max_connections: int = Field(default=50, ge=4)
    redis_timeout: float = Field(default=5.0, gt=0, description="Seconds one Redis command may take.")

    # Circuit breakers, one per store
    circuit_breaker_threshold: int = Field(
        default=5, ge=1, description="Consecutive failures after which a store is not tried."
    )
    circuit_breaker_timeout: float = Field(
        default=30.0, gt=0, description="Seconds until a store that has not answered is tried again."
    )

    stream_poll_interval: float = Field(
        default=2.0,
        gt=0,
        description="Seconds between polls for changes that other programs have written without a message.",
    )

    ticker_max_ahead: float = Field(
        default=DEFAULT_TICKER_MAX_AHEAD, ge=0, description="Seconds a ticker may be ahead of the clock."
    )

    # Identity
    jwt_secret_key: SecretStr = SecretStr(INSECURE_SECRET)
    jwt_algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    jwt_issuer: str = "fullon"
    jwt_audience: str = "fullon-graphql"
    jwt_expiration_minutes: int = Field(default=60, ge=1, le=60)
    refresh_token_days: int = Field(default=30, ge=1)
    admin_mail: str = "admin@fullon"
    login_limit: str = Field(
        default="5 per minute", description="Failed sign-ins per account; ten times as many per address."
    )
    cors_origins: list[str] = []

    # Public parts
    docs_enabled: bool = True
    graphiql_enabled: bool = True
    introspection: bool = True
    metrics_token: SecretStr = SecretStr("")
    metrics_port: int | None = Field(default=None, ge=1, le=65535, description="Port of /metrics alone.")

    # Limits
    rate_limit_requests: int = Field(default=1_000, ge=0, description="Requests per credential and window; 0 is none.")
    rate_limit_window: int = Field(default=60, ge=1, description="Seconds of the window.")
    query_token_limit: int = Field(default=5_000, ge=1, description="Tokens of one document.")
    query_selection_limit: int = Field(
        default=10_000, ge=1, description="Selections of one document, with fragments multiplied out."
    )
    query_repetition_limit: int = Field(
        default=200, ge=1, description="Selections of one field, or of one response key, in one selection set."
    )
    query_directive_limit: int = Field(default=500, ge=1, description="Directives of one document.")
    query_variable_limit: int = Field(default=10_000, ge=1, description="Values in the variables of one request.")
    cache_bytes: int = Field(
        default=32 * 2**20, ge=2**20, description="Bytes of the caches of one worker: documents and plans, tokens."
    )

    # Limits of operations
    operation_timeout: float = Field(default=30.0, gt=0, description="Seconds one operation may take.")
    cost_limit: int = Field(default=1_000_000, ge=1, description="Highest estimated cost of an operation.")
    cost_limit_per_minute: int = Field(
        default=20_000_000, ge=0, description="Estimated cost per account and minute; 0 is none."
    )

    # Documents
    trusted_documents: Literal["off", "log", "only"] = "off"
    trusted_documents_path: str = Field(default="", description="Manifest file, or folder of *.graphql files.")

    # Changes
    idempotency_hours: int = Field(default=24, ge=1, description="Hours for which an idempotency key is remembered.")

    # Sockets and streams
    socket_limit: int = Field(default=10_000, ge=1, description="Sockets and HTTP streams per worker.")
    sockets_per_user: int = Field(default=50, ge=1)
    subscriptions_per_socket: int = Field(default=100, ge=1)
    subscriptions_per_user: int = Field(default=1_000, ge=1)
    subscription_cost_per_socket: int = Field(
        default=200_000, ge=0, description="Estimated cost per second of the subscriptions on one socket; 0 is none."
    )
    subscription_cost_per_user: int = Field(
        default=1_000_000, ge=0, description="Estimated cost per second of the subscriptions of one account; 0 is none."
    )
    socket_message_bytes: int = Field(default=1024 * 1024, ge=1024)
    socket_messages_per_second: int = Field(default=200, ge=1)
    socket_init_timeout: float = Field(
        default=10.0, gt=0, description="Seconds within which a socket must authenticate."
    )
    socket_ping_interval: float = Field(
        default=20.0, gt=0, description="Seconds between pings, and for the answer to one."
    )
    socket_recheck_interval: float = Field(
        default=30.0, gt=0, description="Seconds between checks of the credentials of open connections."
    )
    token_warning: float = Field(
        default=60.0, ge=0, description="Seconds before a token's expiry at which its connection is warned."
    )
    stream_heartbeat: float = Field(
        default=10.0, gt=0, description="Seconds of silence after which an HTTP stream sends a heartbeat."
    )
    stream_backlog: int = Field(default=1_000, ge=1, description="Events that may wait for one slow client.")
    stream_backlog_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Bytes of events that may wait for one slow client."
    )
    stream_memory_bytes: int = Field(
        default=256 * 1024 * 1024, ge=1024, description="Bytes of events that may wait in a worker, shared ones once."
    )
    stream_execution_timeout: float = Field(
        default=15.0, gt=0, description="Seconds that the execution of an event may take."
    )
    change_retention_hours: int = Field(default=72, ge=1, description="Hours for which an event's cursor is valid.")
    shutdown_timeout: int = Field(
        default=5, ge=1, description="Seconds that requests and sockets have to end at shutdown."
    )

    # Background services
    services_to_auto_start: list[str] = Field(
        default=[], description="Services to start at the first start, unless an administrator has decided."
    )
    ticker_daemon: str = "fullon_graphql.daemons.ticker.TickerDaemon"
    ohlcv_daemon: str = "fullon_graphql.daemons.ohlcv.OhlcvDaemon"
    account_daemon: str = "fullon_graphql.daemons.account.AccountDaemon"
    market_feed: str = Field(default="", description="Dotted path of the market feed class of the daemons.")
    market_seed: int = 7

    # Logs
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "pretty", "beautiful"] = "auto"

    @model_validator(mode="after")
    def _fill_addresses(self) -> Settings:
        """Build missing URLs from the platform's separate variables."""
        credentials = quote(self.db_user) + _password_part(self.db_password)
        server = f"postgresql://{credentials}@{self.db_host}:{self.db_port}"
        self.database_url = self.database_url or f"{server}/{self.db_name}"
        self.ohlcv_database_url = self.ohlcv_database_url or f"{server}/{self.db_ohlcv_name}"
        redis_credentials = _password_part(self.redis_password) + "@" if self.redis_password.get_secret_value() else ""
        self.redis_url = self.redis_url or (
            f"redis://{redis_credentials}{self.redis_host}:{self.redis_port}/{self.redis_db}"
        )
        return self

    @model_validator(mode="after")
    def _check_cost_limits(self) -> Settings:
        """An operation within COST_LIMIT must fit in a minute."""
        if 0 < self.cost_limit_per_minute < self.cost_limit:
            raise ValueError("COST_LIMIT_PER_MINUTE must be 0, or at least COST_LIMIT.")
        return self

    @model_validator(mode="after")
    def _require_trusted_documents(self) -> Settings:
        if self.trusted_documents == "only" and not self.trusted_documents_path:
            raise ValueError("TRUSTED_DOCUMENTS=only needs TRUSTED_DOCUMENTS_PATH")
        return self

    @property
    def secret_is_insecure(self) -> bool:
        """True if JWT_SECRET_KEY is not set."""
        return self.jwt_secret_key.get_secret_value() == INSECURE_SECRET


def home() -> Path:
    """The folder of a demo's state: `FULLON_HOME`, else `.fullon` in the working directory."""
    return Path(os.environ.get("FULLON_HOME", ".fullon")).expanduser().absolute()


def demo_env_file() -> Path:
    """The file with a running demo's settings; absent while none runs."""
    return home() / "demo.env"


def load_settings() -> Settings:
    """Read the environment, and below it the file of a running demo.

    Raises:
        pydantic.ValidationError: a variable has an invalid value; the message names it.
    """
    return Settings(_env_file=demo_env_file())  # type: ignore[call-arg]  # a keyword of pydantic-settings


def _password_part(password: SecretStr) -> str:
    value = password.get_secret_value()
    return f":{quote(value, safe='')}" if value else ""
