"""All keys and channels in Redis.

The first part is the platform's layout, which we read and write unchanged. The second part is ours: all of its keys
begin with `fullon_graphql:`.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

# ---------------------------------------------------------------- tickers


def tickers(exchange: str) -> str:
    """HASH: symbol → ticker as JSON."""
    return f"tickers:{exchange}"


def ticker_time(exchange: str, symbol: str) -> str:
    """STRING: unix seconds of the newest ticker."""
    return f"ticker_time:{exchange}:{symbol}"


def ticker_updates(exchange: str, symbol: str) -> str:
    """CHANNEL: each new ticker, as the same JSON as in the hash."""
    return f"ticker_updates:{exchange}:{symbol}"


def ticker_updates_pattern(exchange: str) -> str:
    """PATTERN: the update channels of all symbols of one exchange."""
    return f"ticker_updates:{_literal(exchange)}:*"


# ---------------------------------------------------------------- accounts

ACCOUNTS = "accounts"
"""HASH: ex_id → object of currency → {total, free, used}, beside a key `date`."""

POSITIONS = "account_positions"
"""HASH: ex_id → object of symbol → {cost, volume, fee, count, price, timestamp}, beside a key `timestamp`."""

# ---------------------------------------------------------------- orders and trades


def new_orders(local_oid: str) -> str:
    """LIST: exchange order ids that were returned for one local order id."""
    return f"new_orders:{local_oid}"


NEW_ORDERS = new_orders("*")
"""PATTERN: all lists of `new_orders`."""


def local_order_id(new_orders_key: str) -> str:
    """The local order id in a key of `new_orders`."""
    return new_orders_key.removeprefix(new_orders(""))


ORDER_STATUS = "order_status"
TRADES = "trades"
"""Names for `changes`, on which writers announce a change of any of the following keys."""


def order_status(exchange: int | str) -> str:
    """HASH: exchange order id → order as JSON. Writers use either the ex_id or the exchange's name."""
    return f"{ORDER_STATUS}:{exchange}"


def trades(exchange: str, symbol: str) -> str:
    """LIST: public trades as JSON, waiting for the platform's batcher. The symbol loses its slash here."""
    return f"{TRADES}:{exchange}:{symbol.replace('/', '')}"


TRADE_QUEUES = "trades:*"
"""PATTERN: all lists of `trades`."""


def trade_queue_instrument(trades_key: str) -> tuple[str, str]:
    """The exchange, and the symbol without its slash, in a key of `trades`."""
    exchange, _, symbol = trades_key.removeprefix(f"{TRADES}:").partition(":")
    return exchange, symbol


def user_trades(uid: int, exchange: str) -> str:
    """LIST: trades of a user as JSON, waiting for the platform's programs."""
    return f"user_trades:{uid}:{exchange}"


def trades_status(exchange: str) -> str:
    """STRING: ISO time of the last push of a public trade."""
    return f"TRADE:STATUS:{exchange}"


# ---------------------------------------------------------------- bots

BLOCKED_EXCHANGES = "block_exchange"
"""HASH: `{ex_id}:{symbol}` → id of the bot that blocks it, or `NO_BOT`."""

NO_BOT: Final = "0"
"""The id in a block that a halt of trading has set. No bot has it, so the instrument is blocked for every bot."""

OPENING_POSITIONS = "opening_position"
"""HASH: `{ex_id}:{symbol}` → `{bot_id}:{ISO time}`."""

BOT_STATUS = "bot_status"
"""HASH: bot_id → JSON object of feed number → status of the bot in that feed."""


# ---------------------------------------------------------------- candles


def ohlcv(symbol: str, timeframe: str) -> str:
    """LIST: the newest bars as JSON arrays. The key has no exchange, so exchanges collide."""
    return f"ohlcv:{symbol}:{timeframe}"


CACHED_BARS = "ohlcv:*"
"""PATTERN: all lists of `ohlcv`."""


def cached_bars_market(ohlcv_key: str) -> tuple[str, str]:
    """The symbol, which may contain colons, and the timeframe in a key of `ohlcv`."""
    symbol, _, timeframe = ohlcv_key.removeprefix("ohlcv:").rpartition(":")
    return symbol, timeframe


# ---------------------------------------------------------------- processes

PROCESS_COMPONENTS = "process:components"
"""HASH: component → id of the process that was registered last."""


def process_id(process_type: str, component: str, started: float) -> str:
    """The id of a process: its type, component and unix start time. A component may contain colons."""
    return f"{process_type}:{component}:{started}"


def process_component(process_id: str) -> str:
    """The component in a process id. It may contain colons."""
    return process_id.partition(":")[2].rpartition(":")[0]


def process_data(process_id: str) -> str:
    """STRING with a time to live: the report of a process, as JSON."""
    return f"process:data:{process_id}"


def process_active(process_type: str) -> str:
    """HASH: process id → ISO time of its last heartbeat."""
    return f"process:active:{process_type}"


# ---------------------------------------------------------------- the platform's cache of rows
# A writer that changes symbols or exchanges deletes these keys. Otherwise the platform returns the old rows for a day.


def cached_symbol(symbol: str, cat_ex_id: int) -> str:
    return f"symbols:get:{symbol}:{cat_ex_id}"


def cached_symbol_by_id(symbol_id: int) -> str:
    return f"symbols:by_id:{symbol_id}"


def cached_symbols_of_exchange(cat_ex_id: int) -> str:
    return f"symbols:by_ex_id:{cat_ex_id}"


def cached_user_exchanges(uid: int) -> str:
    return f"exchanges:user_exchanges:{uid}"


CACHED_CAT_EXCHANGES = "exchanges:cat_exchanges:*"
"""PATTERN: every page of the catalogue of exchanges."""


def cached_exchange_id(name: str, uid: int) -> str:
    return f"exchanges:id:{name}:{uid}"


FAMILIES = (
    "tickers", "ticker_time", ACCOUNTS, POSITIONS, "new_orders", ORDER_STATUS, TRADES, "user_trades", "TRADE",
    "USER_TRADE", BLOCKED_EXCHANGES, OPENING_POSITIONS, BOT_STATUS, "ohlcv", "process", "symbols", "exchanges",
    "fullon_graphql",
)  # fmt: skip
"""The first parts of all keys of the platform and of ours."""


def family(key: str) -> str:
    """The first part of a key, or `other`."""
    first = key.partition(":")[0]
    return first if first in FAMILIES else "other"


# ---------------------------------------------------------------- ours

PREFIX = "fullon_graphql:"
"""The prefix of all our keys."""


FAILED_LOGINS = f"{PREFIX}logins"
"""Prefix of the counters of failed sign-ins, which are kept by a library."""

RATE_LIMITS = f"{PREFIX}rate_limits"
"""Prefix of the counters of requests, by credential or address and window."""

COST_LIMITS = f"{PREFIX}cost_limits"
"""Prefix of the counters of estimated cost, by account or address and minute."""


def registered_document(hash_: str) -> str:
    """STRING with a time to live: a GraphQL document that a client has registered under its SHA-256 hash."""
    return f"{PREFIX}document:{hash_}"


def registered_bytes(day: date) -> str:
    """STRING with a time to live: bytes of the documents that were registered on this day (UTC)."""
    return f"{PREFIX}document_bytes:{day}"


def document_usage(day: date) -> str:
    """HASH with a time to live: JSON array of document id, operation and client → operations on this day (UTC)."""
    return f"{PREFIX}usage:documents:{day}"


def field_usage(day: date) -> str:
    """HASH with a time to live: JSON array of field (`Type.field`) and client → operations on this day (UTC)."""
    return f"{PREFIX}usage:fields:{day}"


def recorded_token(digest: str) -> str:
    """STRING with a time to live: the first use of an external access token is in the audit log."""
    return f"{PREFIX}oidc:{digest}"


def used_totp(uid: int, step: int) -> str:
    """STRING with a time to live: a one-time code was used; `step` is the number of its 30-second interval."""
    return f"{PREFIX}totp:{uid}:{step}"


def pending_totp(uid: int) -> str:
    """STRING with a time to live: a seed of one-time codes that the account has requested and not confirmed yet."""
    return f"{PREFIX}totp_pending:{uid}"


def own_write(uid: int) -> str:
    """STRING with a time to live: the account has changed something that a replica may not have yet."""
    return f"{PREFIX}own_write:{uid}"


def service_desired(name: str) -> str:
    """HASH: the desired state of a service: `running` (1 or 0) and `generation`, which counts its changes."""
    return f"{PREFIX}service:{name}:desired"


def service_lease(name: str) -> str:
    """STRING with a time to live: `{fencing number}:{holder}` of the process that runs the service."""
    return f"{PREFIX}service:{name}:lease"


def service_fence(name: str) -> str:
    """STRING: the last fencing number that was issued. It only grows."""
    return f"{PREFIX}service:{name}:fence"


def service_report(name: str) -> str:
    """HASH: the holder's report of a service: state, times, error, and the generation it has acted on."""
    return f"{PREFIX}service:{name}:report"


def service_changes(name: str) -> str:
    """CHANNEL: announces a change of the desired state or the report of a service. Subscribers read both again."""
    return f"{PREFIX}service:{name}:changes"


def candle_writes(exchange: str, symbol: str) -> str:
    """CHANNEL: candles were stored. The message is the time until which they are complete (unix ms), or 0."""
    return f"{PREFIX}candles:{exchange}:{symbol}"


CHANGE_FEED = f"{PREFIX}change_feed"
"""STREAM: the newest batches of the change feed, as its elected reader publishes them."""

CHANGE_FEED_LEASE = f"{PREFIX}change_feed:lease"
"""STRING with a time to live: the worker that reads the change feed for all workers."""

HALT_BLOCKS = f"{PREFIX}halt_blocks"
"""STRING with a time to live: a process has compared the blocks of halts, and the others need not do it."""


MARKET_FEEDS = f"{PREFIX}market_feeds"
"""HASH: `market_feed` → state of the feed of an exchange for a service, as JSON; renewed every second."""


def market_feed(service: str, exchange: str) -> str:
    """The field of `MARKET_FEEDS` for a service and an exchange."""
    return f"{service}:{exchange}"


ACCOUNT_STATUS = f"{PREFIX}account_status"
"""HASH: ex_id → state of the account in the account service, as JSON; renewed every few seconds."""


def changes(key: str) -> str:
    """CHANNEL: announces a change of a platform's key that has no channel of its own. Subscribers read it again."""
    return f"{PREFIX}changes:{key}"


def credentials(uid: int) -> str:
    """CHANNEL: a session or API key of this account has ended, or the rights of the account have changed."""
    return f"{PREFIX}credentials:{uid}"


CREDENTIALS = f"{PREFIX}credentials:*"
"""PATTERN: the channel `credentials` of all accounts."""


HEALTH = f"{PREFIX}health"
"""STRING with a time to live: written to find out whether Redis accepts writes."""


HUB = f"{PREFIX}hub"
"""CHANNEL: never published on. It keeps the hub's connection open without subscribers."""


# ---------------------------------------------------------------- in a cluster

_TOGETHER: Final = re.compile(f"^{PREFIX}(service:[^:]+|change_feed)(?=:|$)")
"""Our keys and channels that scripts use together: those of a service, and those of the change feed."""

_SHARDED: Final = f"{PREFIX}candles:"


def in_cluster(key: str) -> str:
    """The name of a key or channel of ours in a cluster: with a hash tag if scripts use it together with others.

    A single server keeps the plain name: during an upgrade, workers with different names would hold different leases.
    """
    return _TOGETHER.sub(rf"{PREFIX}{{\1}}", key)


def is_sharded(channel: str) -> bool:
    """True for a channel that a cluster keeps on one node: in no pattern, in no script, and of our programs only."""
    return channel.startswith(_SHARDED)


def _literal(text: str) -> str:
    """`text` as a literal part of a pattern."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
