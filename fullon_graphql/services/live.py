"""Fetchers of live state in Redis: tickers, and what belongs to accounts and bots.

Access follows from the keys: they come out of rows that the caller may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from fullon_graphql.cache import account_status, accounts, bots, orders
from fullon_graphql.cache.account_status import AccountStatus
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.bots import Claim, FeedStatus
from fullon_graphql.cache.orders import LiveOrder
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.services import tickers
from fullon_graphql.services.sources import Sources


class HeldPosition(NamedTuple):
    """A position, and the name of the exchange it is held on."""

    position: Position
    exchange: str


class OwnedOrder(NamedTuple):
    """A reported order, and the key of the account's owner."""

    order: LiveOrder
    uid: int


async def tickers_of_instruments(sources: Sources, keys: Sequence[tuple[str | None, str]]) -> list[Ticker | None]:
    """The ticker of each (exchange, symbol), in one round trip; None for an exchange that is None."""
    named = [(exchange or "", symbol) for exchange, symbol in keys]  # no ticker is stored under an empty name
    return await sources.tickers.of_instruments(sources.caller, named)


async def tickers_of_exchanges(sources: Sources, keys: Sequence[tuple[str]]) -> list[list[Ticker]]:
    """All tickers of each exchange, by symbol, in one round trip."""
    return await tickers.of_exchanges(sources.redis, sources.caller, [exchange for (exchange,) in keys])


async def balances_of_accounts(sources: Sources, keys: Sequence[tuple[int]]) -> list[Sequence[Balance]]:
    """The balances of each account."""
    ex_ids = [ex_id for (ex_id,) in keys]
    found = await accounts.read_balances(sources.redis, ex_ids)
    return [found[ex_id] for ex_id in ex_ids]


async def positions_of_accounts(sources: Sources, keys: Sequence[tuple[int, str]]) -> list[list[HeldPosition]]:
    """The positions of each account, given as its key and the name of its exchange."""
    found = await accounts.read_positions(sources.redis, [ex_id for ex_id, _ in keys])
    return [[HeldPosition(position, exchange) for position in found[ex_id]] for ex_id, exchange in keys]


async def statuses_of_accounts(sources: Sources, keys: Sequence[tuple[int]]) -> list[AccountStatus | None]:
    """The state of each account in the account service; None for one that it does not read."""
    return await account_status.read(sources.redis, [ex_id for (ex_id,) in keys])


async def market_prices(sources: Sources, keys: Sequence[tuple[str, str]]) -> list[float | None]:
    """The live price of each (exchange, symbol), in quote currency."""
    found = await sources.tickers.of_instruments(sources.caller, keys)
    return [ticker.price if ticker else None for ticker in found]


async def unrealized(sources: Sources, keys: Sequence[tuple[str, str, float, float]]) -> list[float | None]:
    """The unrealized result of each position (exchange, symbol, price, volume), in quote currency, without fees."""
    prices = await market_prices(sources, [(exchange, symbol) for exchange, symbol, _, _ in keys])
    return [
        None if market is None else (market - price) * volume
        for market, (_, _, price, volume) in zip(prices, keys, strict=True)
    ]


async def orders_of_accounts(sources: Sources, keys: Sequence[tuple[int, str, int]]) -> list[list[OwnedOrder]]:
    """The reported orders of each account, given as its key, the name of its exchange and its owner."""
    found = await orders.read(sources.redis, [(ex_id, exchange) for ex_id, exchange, _ in keys])
    return [[OwnedOrder(order, uid) for order in each] for each, (_, _, uid) in zip(found, keys, strict=True)]


async def statuses_of_bots(sources: Sources, keys: Sequence[tuple[int]]) -> list[list[FeedStatus]]:
    """The status of each feed of each bot, by feed number."""
    return await bots.read_statuses(sources.redis, [bot_id for (bot_id,) in keys])


async def blocks_of_accounts(sources: Sources, keys: Sequence[tuple[int]]) -> list[list[Claim]]:
    """The instruments of each account that a bot has blocked for others."""
    return await _claims(sources, keys, "blocks", "ex_id")


async def openings_of_accounts(sources: Sources, keys: Sequence[tuple[int]]) -> list[list[Claim]]:
    """The instruments of each account in which a position is being opened."""
    return await _claims(sources, keys, "openings", "ex_id")


async def blocks_of_bots(sources: Sources, keys: Sequence[tuple[int]]) -> list[list[Claim]]:
    """The instruments that each bot has blocked for others."""
    return await _claims(sources, keys, "blocks", "bot_id")


async def openings_of_bots(sources: Sources, keys: Sequence[tuple[int]]) -> list[list[Claim]]:
    """The instruments in which each bot is opening a position."""
    return await _claims(sources, keys, "openings", "bot_id")


async def _claims(
    sources: Sources,
    keys: Sequence[tuple[int]],
    kind: Literal["blocks", "openings"],
    column: Literal["ex_id", "bot_id"],
) -> list[list[Claim]]:
    claims: Sequence[Claim] = getattr(await bots.read_claims(sources.redis), kind)
    return [[claim for claim in claims if getattr(claim, column) == key] for (key,) in keys]
