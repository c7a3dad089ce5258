"""Finds out whether an exchange answers, what time it has, and what the keys of accounts may do."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fullon_graphql.config import Settings
from fullon_graphql.config.exchange_keys import ExchangeKeys
from fullon_graphql.daemons.feeds.ccxt_client import errors, open_client
from fullon_graphql.observability.redaction import reason


@dataclass(frozen=True, slots=True)
class ExchangeCheck:
    """The answer of an exchange to public requests."""

    markets: frozenset[str]
    """The symbols that it has."""
    clock_ahead: float | None
    """Seconds by which its clock is ahead of ours; None if it does not publish its time."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """The reading rights of the keys of an account. Only an order would show whether they may trade."""

    balances: bool
    orders: bool
    error: str | None = None


async def check_exchange(settings: Settings, exchange: str) -> ExchangeCheck:
    """Request the markets and the time.

    Raises:
        ExchangesNotInstalledError: ccxt is missing.
    """
    markets: frozenset[str] = frozenset()
    client = await open_client(settings, exchange)
    try:
        markets = frozenset(await client.load_markets())
        if not client.has.get("fetchTime"):
            return ExchangeCheck(markets, None)
        asked = time.time()
        server_time = await client.fetch_time()
        return ExchangeCheck(markets, server_time / 1000 - (asked + time.time()) / 2)
    except (errors().BaseError, OSError) as error:
        return ExchangeCheck(markets, None, reason(error))
    finally:
        await client.close()


async def check_keys(settings: Settings, exchange: str, keys: ExchangeKeys) -> KeyCheck:
    """Request the balances and the open orders of an account."""
    client = await open_client(settings, exchange, keys)
    secrets = [secret for secret in (keys.key, keys.secret, keys.password) if secret]
    try:
        await client.fetch_balance()
        try:
            await client.fetch_open_orders()
        except errors().BaseError as error:
            return KeyCheck(balances=True, orders=False, error=reason(error, secrets))
        return KeyCheck(balances=True, orders=True)
    except (errors().BaseError, OSError) as error:
        return KeyCheck(balances=False, orders=False, error=reason(error, secrets))
    finally:
        await client.close()
