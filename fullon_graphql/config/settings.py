"""Every setting, with the platform's name and default if the platform has it.

`docs/configuration.md` and `.env.example` are written from this page: run `make settings` after a change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fullon_graphql.config.cluster_url import is_cluster_url, parse_cluster_url
from fullon_graphql.config.sentinel_url import is_sentinel_url, parse_sentinel_url
from fullon_graphql.config.sources import Found, environment, resolve, sources
from fullon_graphql.errors import SettingsError

INSECURE_SECRET: Final = "insecure-development-secret-do-not-use"  # noqa: S105  # public, and rejected outside the demo
"""Default of JWT_SECRET_KEY. Only the demo accepts it."""

DEFAULT_TICKER_MAX_AHEAD: Final = 60.0

LONGEST_EXPIRATION: Final = 30 * 24 * 60
"""Most minutes of JWT_EXPIRATION_MINUTES."""

WARNED_EXPIRATION: Final = 60
"""Minutes of JWT_EXPIRATION_MINUTES above which the start warns."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])", re.IGNORECASE)
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _in_seconds(value: Any) -> Any:
    """Seconds of a text like `90s` or `24h`; any other value unchanged."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return float(match[1]) * _UNIT_SECONDS[match[2].lower()]
    return value


def _in_minutes(value: Any) -> Any:
    """Minutes of a text like `90m` or `24h`; any other value unchanged."""
    seconds = _in_seconds(value)
    return value if seconds is value else seconds / 60


def _parse_list(value: Any) -> Any:
    """The elements of a JSON list, or of a text with commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def _parse_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _in_capitals(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


InSeconds = BeforeValidator(_in_seconds)
InMinutes = BeforeValidator(_in_minutes)
TextList = Annotated[list[str], BeforeValidator(_parse_list)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_in_capitals)]


class Subgraph(StrEnum):
    """A third of the graph, by the store of its values."""

    ORM = "orm"
    OHLCV = "ohlcv"
    CACHE = "cache"


class Section(BaseSettings):
    """A part of the settings, with its heading in the documentation."""

    title: ClassVar[str]
    introduction: ClassVar[str] = ""


class ServerSettings(Section):
    title: ClassVar[str] = "The server"

    host: str = Field(default="127.0.0.1", description="address to listen on; `--host` takes precedence")
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="port to listen on, 0 for any free one; `--port` takes precedence",
    )
    api_prefix: str = Field(
        default="/api/v1",
        pattern=r"^(/[A-Za-z0-9._~-]+)+$",
        description="path of REST and of the platform's sockets, aliases included; without a slash at the end",
    )
    cors_origins: TextList = Field(
        default=[],
        description="list of origins whose pages may send requests and open sockets, e.g. "
        '`["https://app.example.com"]`; lists are JSON, or values with commas between them',
    )
    cors_allow_credentials: bool = Field(
        default=False,
        description="let those pages send cookies and HTTP authentication; requires named origins, not `*`",
    )
    cors_allow_methods: TextList = Field(default=["*"], description="methods that those pages may use")
    cors_allow_headers: TextList = Field(default=["*"], description="request headers that those pages may send")
    subgraph: Subgraph | None = Field(
        default=None,
        description="third of the graph that `/graphql` serves to a federated gateway: `orm`, `ohlcv` or `cache`; "
        "`--subgraph` takes precedence; by default the whole graph: [federation](federation.md)",
    )
    api_title: str = Field(default="Fullon GraphQL", description="title of the OpenAPI description")
    api_version: str = Field(
        default="",
        description="version in the OpenAPI description; by default that of the package, which `/health` shows anyway",
    )
    demo: bool = Field(default=False, description="set by the demo only: it accepts the insecure secret")
    log_level: LogLevel = Field(
        default="INFO",
        description="`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`, in any letter case; libraries write no "
        "`DEBUG`, because it would contain messages and headers",
    )
    log_format: Literal["auto", "json", "pretty", "beautiful"] = Field(
        default="auto",
        description="`json`, `pretty` (or `beautiful`, the platform's word); `auto` is pretty in a terminal "
        "and JSON elsewhere",
    )
    request_log: bool = Field(
        default=True, description="a line at `INFO` for each request and socket: [the log](operations.md#the-log)"
    )


class PostgreSQLSettings(Section):
    title: ClassVar[str] = "PostgreSQL"

    database_url: str = Field(
        default="",
        description="URL of the database of users, bots and orders, e.g. "
        "`postgresql://user:password@host:5432/fullon2`; by default built from the `DB_*` below",
    )
    ohlcv_database_url: str = Field(default="", description="URL of the candle store; likewise")
    db_pooler: Literal["none", "session", "transaction"] = Field(
        default="none",
        description="`none` if PostgreSQL itself is at these addresses, else the mode of PgBouncer there: "
        "[scaling](scaling.md#pgbouncer)",
    )
    database_direct_url: str = Field(
        default="",
        description="URL of the same database as `DATABASE_URL` without the pooler, for notifications, the change feed "
        "and the commands `db`; required with `DB_POOLER=transaction`",
    )
    database_replica_urls: TextList = Field(
        default=[],
        description="URLs of read replicas of `DATABASE_URL`, to which queries go: [scaling](scaling.md#read-replicas)",
    )
    ohlcv_database_replica_urls: TextList = Field(
        default=[],
        description="the same of `OHLCV_DATABASE_URL`, for candles; by default the servers of `DATABASE_REPLICA_URLS` "
        "if both databases are on one server",
    )
    max_replica_lag: Annotated[float, InSeconds] = Field(
        default=1.0,
        gt=0,
        description="seconds that a replica may be behind; one that is further behind, or may be, is not read from",
    )
    db_host: str = Field(default="localhost", description="host")
    db_port: int = Field(default=5432, description="port")
    db_user: str = Field(default="postgres", description="role")
    db_password: SecretStr = Field(default=SecretStr(""), description="password")
    db_name: str = Field(default="fullon2", description="database of users, bots and orders")
    db_ohlcv_name: str = Field(default="fullon_ohlcv2", description="database of the candle store")
    db_pool_size: int = Field(default=20, ge=1, description="connections kept open per worker and database")
    db_pool_max_overflow: int = Field(default=10, ge=0, description="additional connections under load")
    db_timeout: float = Field(
        default=15.0,
        gt=0,
        description="seconds one statement, or the wait for a connection, may take",
    )


class RedisSettings(Section):
    title: ClassVar[str] = "Redis"

    redis_url: str = Field(
        default="",
        description="`redis://`, `rediss://`, `unix://`, `redis+sentinel://host1:port,host2:port/service/db` with "
        "[Sentinel](scaling.md#redis-sentinel), or `redis+cluster://host1:port,host2:port` for a "
        "[cluster](scaling.md#redis-cluster); by default built from the `REDIS_*` below",
    )
    redis_host: str = Field(default="localhost", description="host")
    redis_port: int = Field(default=6379, description="port")
    redis_db: int = Field(default=0, ge=0, description="number of the database")
    redis_password: SecretStr = Field(default=SecretStr(""), description="password")
    redis_max_connections: int = Field(
        default=50,
        ge=4,
        description="connections per worker, at least 4; a command waits if all are busy",
    )
    redis_timeout: float = Field(
        default=5.0,
        gt=0,
        description="seconds one command, or the wait for a connection, may take",
    )


class EventsSettings(Section):
    title: ClassVar[str] = "Events for other programs"
    introduction: ClassVar[str] = "[Events for other programs](events.md) describes them."

    nats_url: SecretStr = Field(
        default=SecretStr(""),
        description="URL of NATS with JetStream, e.g. `nats://user:password@host:4222` or `tls://…`; each committed "
        "change of a row then becomes a message. Needs the extra `nats`",
    )
    nats_stream: str = Field(
        default="fullon_changes", pattern=r"^[A-Za-z0-9_-]+$", description="name of the stream, created if absent"
    )
    nats_subject: str = Field(
        default="fullon.changes",
        pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        description="subject of the messages, without the last part, which is the type",
    )


class WebhooksSettings(Section):
    title: ClassVar[str] = "Alerts and webhooks"
    introduction: ClassVar[str] = "[Alerts and webhooks](alerts.md) describes them."

    alert_rules_per_user: int = Field(default=100, ge=0, description="rules of alerts of one account")
    alert_retention_days: int = Field(default=90, ge=1, description="days for which raised alerts are kept")
    webhooks_per_user: int = Field(default=20, ge=0, description="webhooks of one account")
    webhook_timeout: Annotated[float, InSeconds] = Field(
        default=10.0, gt=0, description="seconds that an endpoint has to answer a request"
    )
    webhook_requests_per_host: int = Field(
        default=4, ge=1, description="requests to one host at the same time, over all webhooks"
    )
    webhook_log_entries: int = Field(
        default=1_000, ge=1, description="newest entries of the log of deliveries that are kept of each webhook"
    )
    webhook_private_networks: bool = Field(
        default=False,
        description="allow webhooks to hosts in private networks, and `http`; any user could then send requests to "
        "programs that only your network reaches. The demo allows it",
    )


class CircuitBreakersSettings(Section):
    title: ClassVar[str] = "Circuit breakers"
    introduction: ClassVar[str] = (
        "One per store: PostgreSQL, the candle store, Redis. [Running "
        "it](operations.md#circuit-breakers) says what counts as a failure."
    )

    circuit_breaker_threshold: int = Field(
        default=5,
        ge=1,
        description="consecutive failures after which requests that need the store are refused at once",
    )
    circuit_breaker_timeout: Annotated[float, InSeconds] = Field(
        default=30.0,
        gt=0,
        description="seconds until one request tries the store again; `30s` and `2m` work too",
    )


class StreamsSettings(Section):
    title: ClassVar[str] = "Streams"

    ticker_max_ahead: float = Field(
        default=DEFAULT_TICKER_MAX_AHEAD,
        ge=0,
        description="seconds a ticker may be ahead of the clock; one that is further ahead is left out everywhere",
    )
    stream_poll_interval: float = Field(
        default=2.0,
        gt=0,
        description="seconds between polls for candles, positions, balances and bot states that another "
        "program has written without a message; only while there are subscribers",
    )


class IdentitySettings(Section):
    title: ClassVar[str] = "Identity"

    jwt_secret_key: SecretStr = Field(
        default=SecretStr(INSECURE_SECRET),
        description="signs access tokens. The default is public and rejected outside the demo, and so is a "
        "secret shorter than the algorithm's hash (32, 48 or 64 bytes). Digests in the audit log are keyed with it, so "
        "it is required with each algorithm",
    )
    jwt_algorithm: Literal["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"] = Field(
        default="HS256",
        description="`HS256`, `HS384`, `HS512` with the secret, or `RS256`, `ES256`, `EdDSA` with a private key; "
        "tokens of another algorithm are rejected",
    )
    jwt_private_key_file: str = Field(
        default="", description="PEM file with the private key that signs access tokens (`RS256`, `ES256`, `EdDSA`)"
    )
    jwt_public_keys: str = Field(
        default="",
        description="folder with further public keys (`*.pem`) whose tokens are accepted: the previous and the next "
        "key of a [rotation](authentication.md#keys)",
    )
    jwt_issuer: str = Field(default="fullon", description="`iss` of the tokens")
    jwt_audience: str = Field(default="fullon-graphql", description="`aud` of the tokens")
    jwt_expiration_minutes: Annotated[int, InMinutes] = Field(
        default=60,
        ge=1,
        le=LONGEST_EXPIRATION,
        description="lifetime of an access token in minutes, up to 30 days; `90m` and `24h` work too. Above 60 the "
        "start warns: a stolen token works until it expires, unless its session is ended",
    )
    api_key_header_name: str = Field(
        default="X-API-Key",
        pattern=r"^[A-Za-z0-9-]+$",
        description="header that carries an API key; in `connection_init` the key is always `x-api-key`",
    )
    enable_api_key_auth: bool = Field(
        default=True, description="accept API keys; if false, requests with one are answered as for an invalid key"
    )
    refresh_token_days: int = Field(default=30, ge=1, description="lifetime of a session after its last renewal")
    admin_mail: str = Field(default="admin@fullon", description="this account is an administrator with any role")
    login_limit: str = Field(
        default="5 per minute",
        description="failed sign-ins per account, and ten times as many per address, before further attempts "
        "are rejected",
    )
    oidc_issuer: str = Field(
        default="", description="`iss` of an [external issuer](authentication.md#an-external-issuer); none by default"
    )
    oidc_jwks_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="address of the issuer's public keys"
    )
    oidc_audience: str = Field(default="", description="`aud` of the issuer's access tokens for this server")
    oidc_mail_claim: str = Field(
        default="email", min_length=1, description="claim of the issuer's tokens that holds the mail of the account"
    )
    audit_retention_days: int = Field(
        default=0,
        ge=0,
        description="days for which rows of the [audit log](changes.md#the-audit-log) are kept; 0 keeps all",
    )


class PublicPartsSettings(Section):
    title: ClassVar[str] = "Public parts"

    docs_enabled: bool = Field(default=True, description="serve `/docs`, `/redoc` and `/openapi.json`")
    graphiql_enabled: bool = Field(default=True, description="serve GraphiQL at `/graphql` to browsers")
    introspection: bool = Field(
        default=True,
        description="answer `__schema`, `__type` and `_service`, and suggest names in errors; a federated "
        "gateway needs it, or the output of `fullon-graphql schema`",
    )
    metrics_enabled: bool = Field(default=True, description="serve `/metrics`; if false, it answers 404")
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="token that `/metrics` requires as `Authorization: Bearer <token>`",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="port on which `serve` answers `/metrics`, and nothing else; the other port answers 404 to it then",
    )
    metrics_folder: str = Field(
        default="",
        description="folder in which the processes of one server leave their counts, so that each answers `/metrics` "
        "for all; `serve` uses a temporary one by default. Name it for workers and services that are started apart",
    )


class LimitsSettings(Section):
    title: ClassVar[str] = "Limits"
    introduction: ClassVar[str] = "[Limits](limits.md) lists every limit with its error and metric."

    operation_timeout: float = Field(default=30.0, gt=0, description="seconds that one query or mutation may take")
    cost_limit: int = Field(default=1_000_000, ge=1, description="highest estimated cost of an operation")
    cost_limit_per_minute: int = Field(
        default=20_000_000,
        ge=0,
        description="estimated cost of all operations of one account per minute, for anonymous callers per "
        "address; at least `COST_LIMIT`, 0 switches the limit off",
    )
    rate_limit_requests: int = Field(
        default=1_000,
        ge=0,
        description="requests and socket operations per credential and window, for anonymous callers per "
        "address; 0 switches the limit off",
    )
    rate_limit_window: Annotated[int, InSeconds] = Field(
        default=60, ge=1, description="seconds of the window; `60s` and `2m` work too"
    )
    query_token_limit: int = Field(default=5_000, ge=1, description="tokens of one document")
    query_selection_limit: int = Field(
        default=10_000,
        ge=1,
        description="selections of one document, with fragments multiplied out",
    )
    query_repetition_limit: int = Field(
        default=200,
        ge=1,
        description="selections of one field, or of one response key, in one selection set; fragments included",
    )
    query_directive_limit: int = Field(default=500, ge=1, description="directives of one document")
    query_variable_limit: int = Field(default=10_000, ge=1, description="values in the variables of one request")
    cache_bytes: int = Field(
        default=32 * 2**20,
        ge=2**20,
        description="bytes of the caches of one worker: three quarters for documents and their plans, a sixteenth each "
        "for registered documents and for credentials; [others](limits.md#caches) have fixed bounds",
    )


class DocumentsSettings(Section):
    title: ClassVar[str] = "Documents"

    trusted_documents: Literal["off", "log", "only"] = Field(
        default="off",
        description="`off` executes any document; `log` too, and counts the usage and logs unknown ones; "
        "`only` executes [trusted documents](trusted-documents.md) alone",
    )
    trusted_documents_path: str = Field(
        default="",
        description="manifest file, or folder of `*.graphql` files; `only` needs it",
    )


class ChangesSettings(Section):
    title: ClassVar[str] = "Changes"

    idempotency_hours: int = Field(default=24, ge=1, description="hours for which an idempotency key is remembered")


class SocketsAndStreamsSettings(Section):
    title: ClassVar[str] = "Sockets and streams"
    introduction: ClassVar[str] = "[Subscriptions](subscriptions.md#promises) describes the effect of each limit."

    socket_limit: int = Field(default=10_000, ge=1, description="sockets and HTTP streams per worker")
    sockets_per_user: int = Field(default=50, ge=1, description="open connections of one account, per worker")
    subscriptions_per_socket: int = Field(default=100, ge=1, description="running operations on one socket")
    subscriptions_per_user: int = Field(
        default=1_000,
        ge=1,
        description="subscriptions of one account per worker, over all transports",
    )
    halt_switches_per_user: int = Field(
        default=20, ge=1, description="armed switches of `haltOnDisconnect` of one account, over all workers"
    )
    subscription_cost_per_socket: int = Field(
        default=200_000,
        ge=0,
        description="estimated cost per second of the subscriptions on one socket; 0 switches the limit off",
    )
    subscription_cost_per_user: int = Field(
        default=1_000_000,
        ge=0,
        description="the same of one account per worker, over all transports",
    )
    socket_message_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        description="maximum bytes of one message of a client",
    )
    socket_messages_per_second: int = Field(
        default=200,
        ge=1,
        description="messages that one socket may send per second",
    )
    socket_init_timeout: float = Field(
        default=10.0,
        gt=0,
        description="seconds within which a socket must authenticate",
    )
    socket_ping_interval: float = Field(
        default=20.0,
        gt=0,
        description="seconds between pings; a client that does not answer within as many seconds is disconnected",
    )
    socket_recheck_interval: float = Field(
        default=30.0,
        gt=0,
        description="seconds between checks of the credentials of open connections; our own revocations take "
        "effect at once",
    )
    token_warning: float = Field(
        default=60.0,
        ge=0,
        description="seconds before the expiry of a token at which its connection is warned",
    )
    stream_heartbeat: float = Field(
        default=10.0,
        gt=0,
        description="seconds of silence after which an HTTP stream sends a heartbeat",
    )
    stream_backlog: int = Field(
        default=1_000,
        ge=1,
        description="events that may wait for one client before it gets `LAGGED`",
    )
    stream_backlog_bytes: int = Field(
        default=4 * 1024 * 1024,
        ge=1024,
        description="bytes of events that may wait for one client before it gets `LAGGED`; a single larger "
        "event is still delivered",
    )
    stream_memory_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        description="bytes of events that may wait for all clients of a worker; an event that several clients "
        "wait for is counted once",
    )
    stream_execution_timeout: float = Field(
        default=15.0,
        gt=0,
        description="seconds that the execution of an event may take before its stream ends with `TIMEOUT`",
    )
    change_retention_hours: int = Field(
        default=72,
        ge=1,
        description="hours for which a stream of events can be resumed by its cursor",
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        description="seconds over which sockets and streams are closed after SIGTERM, in random order, while requests "
        "are still answered; 0 closes all at once. The demo has 1. "
        "[How a server ends](operations.md#how-a-server-ends)",
    )
    shutdown_timeout: int = Field(
        default=5,
        ge=1,
        description="seconds that requests and sockets have to end at shutdown, after the drain",
    )


class ServicesSettings(Section):
    title: ClassVar[str] = "Services"

    services_to_auto_start: TextList = Field(
        default=[],
        description="list of `ticker`, `ohlcv`, `account`: services to start at the first start, unless "
        "an administrator has decided otherwise",
    )
    ticker_daemon: str = Field(
        default="fullon_graphql.daemons.ticker.TickerDaemon",
        description="class of the ticker service",
    )
    ohlcv_daemon: str = Field(
        default="fullon_graphql.daemons.ohlcv.OhlcvDaemon",
        description="class of the candle service",
    )
    account_daemon: str = Field(
        default="fullon_graphql.daemons.account.AccountDaemon",
        description="class of the account service",
    )
    market_feed: str = Field(
        default="fullon_graphql.daemons.feeds.ccxt_feed.CcxtFeed",
        description="dotted path of the market feed class of the three services; the default knows "
        "[real exchanges](exchanges.md) and needs the extra `exchanges`",
    )
    exchange_urls: Annotated[dict[str, dict[Literal["rest", "ws"], str]], BeforeValidator(_parse_json)] = Field(
        default={},
        description="JSON of other hosts of exchanges, for a proxy or a test: exchange → `rest` and `ws`, e.g. "
        '`{"kraken": {"rest": "http://127.0.0.1:9000", "ws": "ws://127.0.0.1:9000"}}`',
    )
    ccxt_timeout: float = Field(
        default=10.0,
        gt=0,
        description="seconds that an exchange has to answer a request; the platform's 2 are too few for lists of "
        "thousands of symbols",
    )
    use_sandbox: bool = Field(default=False, description="use the test systems of the exchanges that have one")
    sync_orders: bool = Field(
        default=False,
        description="the account service keeps stored orders up to date and stores fills as trades; off because the "
        "platform's own programs may do it",
    )
    candle_history_days: int | None = Field(
        default=None,
        ge=0,
        description="days of candles that the candle service collects before it is live; by default the days of each "
        "instrument (`backtest`)",
    )
    store_trades: TextList = Field(
        default=[],
        description="list of `exchange:symbol` or `exchange:*`: instruments of which the candle service also stores "
        "the public trades, beside those that have a table of trades",
    )
    market_seed: int = Field(
        default=7,
        description="seed of the demo's data and market; equal seeds give equal markets",
    )


class _Environment(PydanticBaseSettingsSource):
    """The environment under all names of the settings, for `Settings()`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        found = resolve([field_name], [environment()]).get(field_name)
        return (found.value if found else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        return {name: found.value for name, found in resolve(self.settings_cls.model_fields, [environment()]).items()}


class Settings(
    ServerSettings,
    PostgreSQLSettings,
    RedisSettings,
    EventsSettings,
    WebhooksSettings,
    CircuitBreakersSettings,
    StreamsSettings,
    IdentitySettings,
    PublicPartsSettings,
    LimitsSettings,
    DocumentsSettings,
    ChangesSettings,
    SocketsAndStreamsSettings,
    ServicesSettings,
):
    """Every setting. `Settings()` reads the environment; keywords take precedence."""

    model_config = SettingsConfigDict(extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keywords, and the environment with the platform's other names."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _Environment(settings_cls)

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
    def _check_redis_url(self) -> Settings:
        if is_sentinel_url(self.redis_url):
            parse_sentinel_url(self.redis_url)
        elif is_cluster_url(self.redis_url):
            parse_cluster_url(self.redis_url)
        return self

    @model_validator(mode="after")
    def _check_cost_limits(self) -> Settings:
        """An operation within COST_LIMIT must fit in a minute."""
        if 0 < self.cost_limit_per_minute < self.cost_limit:
            raise ValueError("COST_LIMIT_PER_MINUTE must be 0, or at least COST_LIMIT.")
        return self

    @model_validator(mode="after")
    def _require_direct_url(self) -> Settings:
        """A notification reaches no client through a pooler in transaction mode."""
        if self.db_pooler == "transaction" and not self.database_direct_url:
            raise ValueError("DB_POOLER=transaction needs DATABASE_DIRECT_URL.")
        return self

    @model_validator(mode="after")
    def _require_trusted_documents(self) -> Settings:
        if self.trusted_documents == "only" and not self.trusted_documents_path:
            raise ValueError("TRUSTED_DOCUMENTS=only needs TRUSTED_DOCUMENTS_PATH")
        return self

    @model_validator(mode="after")
    def _check_cors(self) -> Settings:
        """With credentials, `*` would let every page act as its visitor."""
        if self.cors_allow_credentials and "*" in self.cors_origins:
            raise ValueError("CORS_ALLOW_CREDENTIALS requires origins by name: CORS_ORIGINS has *.")
        return self

    @property
    def administration_url(self) -> str:
        """The URL of the database for commands that create and upgrade it: without a pooler, if one is known."""
        return self.database_direct_url or self.database_url

    @property
    def candle_replica_urls(self) -> list[str]:
        """The URLs of replicas of the candle store."""
        users, candles = urlsplit(self.database_url), urlsplit(self.ohlcv_database_url)
        if self.ohlcv_database_replica_urls or (users.netloc, users.query) != (candles.netloc, candles.query):
            return self.ohlcv_database_replica_urls
        return [urlsplit(url)._replace(path=candles.path).geturl() for url in self.database_replica_urls]

    @property
    def secret_is_insecure(self) -> bool:
        """True if JWT_SECRET_KEY is not set."""
        return self.jwt_secret_key.get_secret_value() == INSECURE_SECRET


SECTIONS: Final[tuple[type[Section], ...]] = Settings.__bases__
"""The sections in the order of the documentation."""


def load_settings(**values: Any) -> Settings:
    """Read all sources; `values` take precedence over them.

    Raises:
        SettingsError: a setting has an invalid value, or a file cannot be read.
    """
    found = resolve(Settings.model_fields, sources())
    try:
        return Settings(**{name: one.value for name, one in found.items()} | values)
    except ValidationError as error:
        raise SettingsError("\n".join(_explained(problem, found) for problem in error.errors())) from None


def _explained(problem: ErrorDetails, found: Mapping[str, Found]) -> str:
    """One line about an invalid setting, without its value, which may be secret."""
    message = problem["msg"].removeprefix("Value error, ")
    field = str(problem["loc"][0]) if problem["loc"] else ""
    if field not in found:
        return message
    return f"{found[field].name} in {found[field].source} is invalid. {message}."


def _password_part(password: SecretStr) -> str:
    value = password.get_secret_value()
    return f":{quote(value, safe='')}" if value else ""
