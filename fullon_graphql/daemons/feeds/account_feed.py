"""Accounts on exchanges: the news that a market feed delivers about them, and the requests for more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from fullon_graphql.cache.accounts import Balance, Position


@dataclass(frozen=True, slots=True)
class Account:
    """An active account on an exchange. `test` is true for the exchange's sandbox."""

    ex_id: int
    name: str
    exchange: str
    uid: int = 0
    cat_ex_id: int = 0
    test: bool = False


@dataclass(frozen=True, slots=True)
class OrderReport:
    """An order as its exchange reports it. Facts that it does not report are None.

    `status` is one of the platform's statuses. `volume` and `filled` are in base currency. `price` is the limit price,
    and `average` the average price of the fills, in quote currency.
    """

    ex_order_id: str
    symbol: str
    status: str
    side: str | None = None
    order_type: str | None = None
    volume: float | None = None
    filled: float | None = None
    price: float | None = None
    average: float | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of an account. `time` is unix seconds, `volume` is in base currency, the rest in quote currency.

    `fee` is None if the exchange took it in a currency that is neither base nor quote, and negative for a rebate.
    """

    ex_trade_id: str
    ex_order_id: str
    symbol: str
    side: str
    volume: float
    price: float
    cost: float
    fee: float | None
    time: float
    order_type: str | None = None


@dataclass(frozen=True, slots=True)
class AccountUpdate:
    """News of an account. Parts without news are None."""

    balances: Sequence[Balance] | None = None
    """All balances."""
    positions: Sequence[Position] | None = None
    """All open positions."""
    open_orders: Sequence[OrderReport] | None = None
    """All open orders."""
    ended_orders: Sequence[OrderReport] = ()
    """Orders that are not open any more."""
    fills: Sequence[Fill] = ()
    """Fills in order of time. They may have been delivered before."""
    streamed: bool = False
    """True while the exchange announces changes over a stream; false while the account is polled."""
    error: str | None = None
    """Why a part of the account is not read, or why the stream is interrupted."""


@dataclass(frozen=True, slots=True)
class ReadingRequest:
    """Facts to read of an account beside balances, positions and open orders."""

    orders: Mapping[str, str] = field(default_factory=dict)
    """Orders that are not known to be final: the exchange's id → symbol."""
    fills_since: float | None = None
    """Unix seconds; None if no fills are wanted."""


NextReading: TypeAlias = Callable[[], Awaitable[ReadingRequest]]


@runtime_checkable
class AccountFeed(Protocol):
    """A market feed that follows accounts by itself."""

    def account(
        self, account: Account, symbols: Sequence[str], next_reading: NextReading
    ) -> AsyncGenerator[AccountUpdate]:
        """The state of an account, then each change. It never ends by itself, but raises if the account is unreadable.

        `symbols` are those in the catalogue. `next_reading` is called before each reading. Errors may contain secrets.
        """


@runtime_checkable
class PolledAccountFeed(Protocol):
    """A market feed whose accounts are polled."""

    async def balances(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Balance]:
        """The current balances of the account `ex_id`. `symbols` are those known on its exchange."""

    async def positions(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Position]:
        """The open positions of the account `ex_id`."""
