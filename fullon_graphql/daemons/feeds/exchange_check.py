"""Finds out whether an exchange answers, what time it has, and what the keys of accounts may do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from fullon_graphql.config import Settings
from fullon_graphql.config.exchange_keys import ExchangeKeys
from fullon_graphql.daemons.feeds.account_feed import Account
from fullon_graphql.daemons.feeds.ccxt_client import errors, open_client
from fullon_graphql.observability.redaction import reason

LONGEST: Final = 60.0
"""Seconds for a request, together with the wait for the limit of requests."""


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
    """The parts of an account that its keys read. Only an order would show whether they may trade."""

    readable: Sequence[str]
    """Among balances, orders, fills and positions, those that the exchange has returned."""
    refused: Mapping[str, str]
    """The others, each with the reason."""
    has_stream: bool
    """True if the exchange announces changes of the account."""
    stream_error: str | None = None


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


async def check_keys(settings: Settings, account: Account, keys: ExchangeKeys) -> KeyCheck:
    """Send the requests of the account service, and open its stream. Changes nothing on the exchange.

    Raises:
        ExchangesNotInstalledError, UnknownExchangeError: there is no client for the exchange.
    """
    client = await open_client(settings, account.exchange, keys, sandbox=account.test)
    client.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
    requests: dict[str, Callable[[], Awaitable[Any]]] = {
        "balances": client.fetch_balance,
        "orders": client.fetch_open_orders,
        "fills": client.fetch_my_trades,
    }
    if client.has.get("fetchPositions"):
        requests["positions"] = client.fetch_positions
    readable, refused = [], {}
    try:
        for what, request in requests.items():
            error = await _error_of(request)
            if error is None or isinstance(error, errors().ArgumentsRequired):  # it is requested by symbol
                readable.append(what)
            else:
                refused[what] = reason(error, keys.secrets)
            if "balances" in refused:  # the others would be refused for the same reason
                break
        if "balances" not in readable:
            return KeyCheck(readable, refused, has_stream=False)
        if not client.has.get("watchBalance"):
            return KeyCheck(readable, refused, has_stream=False, stream_error="ccxt knows none for this exchange.")
        error = await _error_of(client.watch_balance, settings.ccxt_timeout)
        return KeyCheck(readable, refused, error is None, reason(error, keys.secrets) if error else None)
    finally:
        await client.close()


async def _error_of(request: Callable[[], Awaitable[Any]], seconds: float = LONGEST) -> Exception | None:
    try:
        async with asyncio.timeout(seconds):
            await request()
    except (errors().BaseError, OSError) as error:
        return cast("Exception", error)
    return None
