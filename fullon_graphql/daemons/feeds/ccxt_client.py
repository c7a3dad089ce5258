"""Clients of the library ccxt, constructed by our settings, and what they say about markets.

ccxt is an optional dependency and takes seconds to import, so it is imported when a client is needed. It has no types.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from fullon_graphql.config import Settings
from fullon_graphql.config.exchange_keys import ExchangeKeys
from fullon_graphql.daemons.feeds.market_feed import Market
from fullon_graphql.daemons.feeds.socket_reading import read_all_messages
from fullon_graphql.errors import shortened

_HOST: Final = re.compile(r"^(https?|wss?)://[^/]+")


class ExchangesNotInstalledError(Exception):
    """The optional dependency ccxt is missing."""

    def __init__(self) -> None:
        super().__init__("ccxt is not installed. Run: pip install 'fullon-graphql[exchanges]'")


class UnknownExchangeError(Exception):
    """ccxt has no exchange of this name."""

    def __init__(self, exchange: str) -> None:
        super().__init__(f"ccxt knows no exchange {shortened(exchange)}.")


def require_ccxt() -> None:
    """Check that ccxt is installed, without importing it.

    Raises:
        ExchangesNotInstalledError: it is not.
    """
    if find_spec("ccxt") is None:
        raise ExchangesNotInstalledError


async def open_client(
    settings: Settings, exchange: str, keys: ExchangeKeys | None = None, *, sandbox: bool = False
) -> Any:
    """A client of an exchange, or of its test system; nothing has been sent yet. Close it with its coroutine `close`.

    Raises:
        ExchangesNotInstalledError: ccxt is missing.
        UnknownExchangeError: ccxt has no such exchange.
        ccxt's NotSupported: the exchange has no test system.
    """
    require_ccxt()
    client = (await asyncio.to_thread(_client_class, exchange))(
        {
            "timeout": math.ceil(settings.ccxt_timeout * 1000),
            **({} if keys is None else _as_options(keys)),
        }
    )
    if settings.use_sandbox or sandbox:
        client.set_sandbox_mode(True)
    if urls := settings.exchange_urls.get(exchange):
        client.urls["api"] = _replaced(client.urls["api"], urls.get("rest", ""), urls.get("ws", ""))
    if hasattr(client, "client"):  # it has sockets
        read_all_messages(client)
    return client


def errors() -> Any:
    """The module with ccxt's exceptions."""
    return import_module("ccxt.base.errors")


def market_facts(client: Any, market: Mapping[str, Any]) -> Market:
    """The facts of a market in ccxt's form."""
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    price_step, amount_step = (_step(client, precision.get(kind)) for kind in ("price", "amount"))
    return Market(
        symbol=market["symbol"],
        base=market.get("base") or market["symbol"],
        quote=market.get("quote"),
        decimals=max(_decimals(price_step), _decimals(amount_step)) or 8,
        futures=bool(market.get("contract")),
        price_step=price_step,
        amount_step=amount_step,
        min_notional=finite((limits.get("cost") or {}).get("min")),
    )


def _client_class(exchange: str) -> Any:
    streaming, polling = import_module("ccxt.pro"), import_module("ccxt.async_support")
    for module in (streaming, polling):
        if exchange in module.exchanges:
            return getattr(module, exchange)
    raise UnknownExchangeError(exchange)


def _as_options(keys: ExchangeKeys) -> dict[str, str]:
    return {"apiKey": keys.key, "secret": keys.secret, "password": keys.password}


def _replaced(urls: Any, rest: str, ws: str) -> Any:
    """The addresses of a client, which are nested by kind, with other hosts; an empty one changes nothing."""
    if isinstance(urls, Mapping):
        return {kind: _replaced(url, rest, ws) for kind, url in urls.items()}
    if not isinstance(urls, str) or not (match := _HOST.match(urls)):
        return urls
    host = (ws if match[1].startswith("ws") else rest).rstrip("/")
    return host + urls[match.end() :] if host else urls


def _step(client: Any, precision: Any) -> float | None:
    """A precision as the smallest difference. Exchanges use one of three notations."""
    number = finite(precision)
    if number is None:
        return None
    decimal_places, tick_size = 2, 4  # ccxt.DECIMAL_PLACES and ccxt.TICK_SIZE
    if client.precisionMode == tick_size:
        return number or None
    return float(f"1e{-round(number)}") if client.precisionMode == decimal_places else None


def _decimals(step: float | None) -> int:
    """The number of decimal places of multiples of `step`."""
    if not step:
        return 0
    digits = f"{step:.12f}".rstrip("0")
    return len(digits.partition(".")[2])


def finite(value: Any) -> float | None:
    """The number, or None if it is none or not finite."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
