"""Every key and channel in Redis. Nothing else in the package spells one.

The first part is the platform's layout, which we read and write exactly as it stands. The second part is ours: all of
it lies under `fullon_graphql:`.
"""

from __future__ import annotations

import re

# ---------------------------------------------------------------- tickers


def tickers(exchange: str) -> str:
    """HASH: symbol as it is spelled → ticker as JSON."""
    return f"tickers:{exchange}"


def ticker_time(exchange: str, symbol: str) -> str:
    """STRING: unix seconds of the newest ticker."""
    return f"ticker_time:{exchange}:{symbol}"


def ticker_updates(exchange: str, symbol: str) -> str:
    """CHANNEL: each new ticker, as the same JSON the hash holds."""
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
    """LIST: exchange order ids that answer one local order id."""
    return f"new_orders:{local_oid}"


NEW_ORDERS = new_orders("*")
"""PATTERN: all of these lists."""


def ordered(new_orders_key: str) -> str:
    """The local order id that such a list answers."""
    return new_orders_key.removeprefix(new_orders(""))


ORDER_STATUS = "order_status"
TRADES = "trades"
"""The names under which writers may say that they have changed any of the following."""


def order_status(exchange: int | str) -> str:
    """HASH: exchange order id → order as JSON. Writers use either the ex_id or the exchange's name."""
    return f"{ORDER_STATUS}:{exchange}"


def trades(exchange: str, symbol: str) -> str:
    """LIST: public trades as JSON, waiting for the platform's batcher. The symbol loses its slash here."""
    return f"{TRADES}:{exchange}:{symbol.replace('/', '')}"


def trades_status(exchange: str) -> str:
    """STRING: ISO time of the last push of a public trade."""
    return f"TRADE:STATUS:{exchange}"


def user_trades(uid: int, exchange: str) -> str:
    """LIST: one person's own trades as JSON."""
    return f"user_trades:{uid}:{exchange}"


def user_trades_status(key: str) -> str:
    """STRING: ISO time of the last push of an own trade."""
    return f"USER_TRADE:STATUS:{key}"


# ---------------------------------------------------------------- bots

BLOCKED_EXCHANGES = "block_exchange"
"""HASH: `{ex_id}:{symbol}` → id of the bot that blocks it."""

OPENING_POSITIONS = "opening_position"
"""HASH: `{ex_id}:{symbol}` → `{bot_id}:{ISO time}`."""

BOT_STATUS = "bot_status"
"""HASH: bot_id → JSON object of feed number → what the bot says about it."""


def account_symbol(ex_id: int, symbol: str) -> str:
    """The field of `BLOCKED_EXCHANGES` and `OPENING_POSITIONS`."""
    return f"{ex_id}:{symbol}"


# ---------------------------------------------------------------- candles


def ohlcv(symbol: str, timeframe: str) -> str:
    """LIST: the newest bars as JSON arrays. The platform has no exchange in this key, so exchanges collide."""
    return f"ohlcv:{symbol}:{timeframe}"


# ---------------------------------------------------------------- processes

PROCESS_COMPONENTS = "process:components"
"""HASH: component → id of the process that registered it last."""


def process_id(process_type: str, component: str, started: float) -> str:
    """The id of a process: its type, component and unix start time. A component may contain colons."""
    return f"{process_type}:{component}:{started}"


def process_component(process_id: str) -> str:
    """The component in a process id, whatever colons it contains."""
    return process_id.partition(":")[2].rpartition(":")[0]


def process_data(process_id: str) -> str:
    """STRING with a time to live: what a process says about itself, as JSON."""
    return f"process:data:{process_id}"


def process_active(process_type: str) -> str:
    """HASH: process id → ISO time of its last sign of life."""
    return f"process:active:{process_type}"


def process_broadcast(process_type: str) -> str:
    """CHANNEL: messages to all processes of one type."""
    return f"process:broadcast:{process_type}"


# ---------------------------------------------------------------- the platform's cache of rows
# A writer that changes symbols or exchanges deletes these, or the platform serves the old rows for a day.


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


def cached_cat_exchanges(exchange: str, page: int, page_size: int, everything: bool) -> str:
    return f"exchanges:cat_exchanges:{exchange}:{page}:{page_size}:{everything}"


def cached_exchange_id(name: str, uid: int) -> str:
    return f"exchanges:id:{name}:{uid}"


# ---------------------------------------------------------------- ours

PREFIX = "fullon_graphql:"
"""What every key of ours begins with."""


FAILED_LOGINS = f"{PREFIX}logins"
"""Prefix of the counts of failed sign-ins, which a library keeps."""


def used_totp(uid: int, step: int) -> str:
    """STRING with a time to live: a one-time code was used; `step` numbers its half minute."""
    return f"{PREFIX}totp:{uid}:{step}"


def pending_totp(uid: int) -> str:
    """STRING with a time to live: the seed of one-time codes that somebody has asked for and not confirmed yet."""
    return f"{PREFIX}totp_pending:{uid}"


def service_order(name: str) -> str:
    """HASH: what was last ordered of a service: `running` (1 or 0) and `number`, which counts the orders."""
    return f"{PREFIX}service:{name}:order"


def service_lease(name: str) -> str:
    """STRING with a time to live: `{fencing number}:{holder}` of the worker that runs the service."""
    return f"{PREFIX}service:{name}:lease"


def service_fence(name: str) -> str:
    """STRING: the last fencing number given out. Only ever grows."""
    return f"{PREFIX}service:{name}:fence"


def service_report(name: str) -> str:
    """HASH: what the holder reports of a service: state, times, error, and the order it has carried out."""
    return f"{PREFIX}service:{name}:report"


def service_changes(name: str) -> str:
    """CHANNEL: a nudge whenever the order or the report of a service changes; who hears it reads again."""
    return f"{PREFIX}service:{name}:changes"


def candle_writes(exchange: str, symbol: str) -> str:
    """CHANNEL: candles have been stored. The message is until when they are complete (unix milliseconds), or 0."""
    return f"{PREFIX}candles:{exchange}:{symbol}"


def changes(key: str) -> str:
    """CHANNEL: a nudge when one of the platform's keys without a channel of its own has been written; read again."""
    return f"{PREFIX}changes:{key}"


def credentials(uid: int) -> str:
    """CHANNEL: a nudge when a session or API key of this account has ended, or what the account may do has changed."""
    return f"{PREFIX}credentials:{uid}"


CREDENTIALS = f"{PREFIX}credentials:*"
"""PATTERN: the same of all accounts."""


HUB = f"{PREFIX}hub"
"""CHANNEL: nobody speaks on it; the hub keeps its connection open with it while nobody listens."""


def _literal(text: str) -> str:
    """`text` inside a pattern, meaning only itself."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
