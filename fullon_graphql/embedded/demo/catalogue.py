"""The demo's exchanges, instruments, users, accounts and bots. Data only; live_exchanges.py moves it to real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fullon_graphql.models import Role

PASSWORD: Final = "fullon-demo"  # noqa: S105  # public: the demo prints it
"""The password of every demo user."""

DAYS: Final = 90
"""Length of the history, in days."""

EXCHANGES: Final = {"kraken": 1, "bitmex": 2, "binance": 3}


@dataclass(frozen=True, slots=True)
class Instrument:
    """A symbol on an exchange, and the days of candles that the candle service collects.

    `has_history` is true for the four that start with a generated history of candles.
    """

    symbol_id: int
    exchange: str
    symbol: str
    decimals: int
    futures: bool = False
    only_ticker: bool = False
    has_history: bool = False
    backtest: int = DAYS


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the demo."""

    uid: int
    mail: str
    name: str
    lastname: str
    role: Role = Role.USER


@dataclass(frozen=True, slots=True)
class Account:
    """A user's account on an exchange."""

    ex_id: int
    uid: int
    exchange: str
    name: str
    test: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True)
class Template:
    """A strategy template: its parameters, and the reason in the orders of its bots."""

    cat_str_id: int
    name: str
    params: Mapping[str, str]
    reason: str
    short: bool = False


@dataclass(frozen=True, slots=True)
class DemoBot:
    """A bot, the one instrument it trades, and the number of orders (dry runs: trades) in its history.

    `also` is a further account it may use. `retired` bots traded in the first month of the history only.
    """

    bot_id: int
    name: str
    account: Account
    instrument: Instrument
    template: Template
    orders: int
    dry_run: bool = False
    retired: bool = False
    leverage: float = 1.0
    also: Account | None = None

    @property
    def accounts(self) -> list[Account]:
        """All accounts the bot may use."""
        return [self.account, self.also] if self.also else [self.account]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The exchanges with their numbers, and what users have on them."""

    exchanges: Mapping[str, int]
    instruments: Sequence[Instrument]
    accounts: Sequence[Account]
    bots: Sequence[DemoBot]


BTC_USD: Final = Instrument(1, "kraken", "BTC/USD", 2, has_history=True)
ETH_USD: Final = Instrument(2, "kraken", "ETH/USD", 2, has_history=True)
XRP_USD: Final = Instrument(3, "kraken", "XRP/USD", 5)
BTC_PERPETUAL: Final = Instrument(4, "bitmex", "BTC/USD:BTC", 2, futures=True, has_history=True)
ETH_PERPETUAL: Final = Instrument(5, "bitmex", "ETH/USD:BTC", 2, futures=True)
GOLD: Final = Instrument(6, "bitmex", "GOLD", 2, only_ticker=True)
BTC_USDT: Final = Instrument(7, "binance", "BTC/USDT", 2, has_history=True)
ETH_USDT: Final = Instrument(8, "binance", "ETH/USDT", 2)
SOL_USDT: Final = Instrument(9, "binance", "SOL/USDT", 3)
XRP_ETH: Final = Instrument(10, "binance", "XRP/ETH", 8, only_ticker=True)  # its candles come from recordings

INSTRUMENTS: Final = (
    BTC_USD,
    ETH_USD,
    XRP_USD,
    BTC_PERPETUAL,
    ETH_PERPETUAL,
    GOLD,
    BTC_USDT,
    ETH_USDT,
    SOL_USDT,
    XRP_ETH,
)

ADMIN: Final = Person(1, "admin@fullon", "Ada", "Admin", Role.ADMIN)
TRADER: Final = Person(2, "trader@fullon", "Tomas", "Trader")
OTHER: Final = Person(3, "other@fullon", "Olga", "Other")

PEOPLE: Final = (ADMIN, TRADER, OTHER)

ADMIN_KRAKEN: Final = Account(1, ADMIN.uid, "kraken", "kraken1")
ADMIN_BITMEX: Final = Account(2, ADMIN.uid, "bitmex", "bitmex1")
ADMIN_BINANCE: Final = Account(3, ADMIN.uid, "binance", "binance1")
TRADER_KRAKEN: Final = Account(4, TRADER.uid, "kraken", "kraken main")
TRADER_BITMEX: Final = Account(5, TRADER.uid, "bitmex", "bitmex perpetuals")
TRADER_BINANCE: Final = Account(6, TRADER.uid, "binance", "binance main")
TRADER_SANDBOX: Final = Account(7, TRADER.uid, "binance", "binance sandbox", test=True)
TRADER_CLOSED: Final = Account(8, TRADER.uid, "kraken", "kraken old", active=False)
OTHER_KRAKEN: Final = Account(9, OTHER.uid, "kraken", "kraken1")
OTHER_BINANCE: Final = Account(10, OTHER.uid, "binance", "binance1")

ACCOUNTS: Final = (
    ADMIN_KRAKEN,
    ADMIN_BITMEX,
    ADMIN_BINANCE,
    TRADER_KRAKEN,
    TRADER_BITMEX,
    TRADER_BINANCE,
    TRADER_SANDBOX,
    TRADER_CLOSED,
    OTHER_KRAKEN,
    OTHER_BINANCE,
)

LONG: Final = Template(
    1, "rsi_hayden_long", {"rsi_period": "14", "rsi_entry": "60", "rsi_exit": "40"}, "rsi crossed its bound"
)
SHORT: Final = Template(
    2,
    "rsi_hayden_short",
    {"rsi_period": "14", "rsi_entry": "40", "rsi_exit": "60"},
    "rsi crossed its bound",
    short=True,
)
TREND: Final = Template(3, "trend_follower", {"fast": "12", "slow": "26", "signal": "9"}, "averages crossed")

TEMPLATES: Final = (LONG, SHORT, TREND)

BOTS: Final = (
    DemoBot(1, "bitcoin hayden", TRADER_KRAKEN, BTC_USD, LONG, orders=450),
    DemoBot(2, "ether trend", TRADER_KRAKEN, ETH_USD, TREND, orders=400),
    DemoBot(3, "perpetual short", TRADER_BITMEX, BTC_PERPETUAL, SHORT, orders=400, leverage=3.0),
    DemoBot(4, "tether swing", TRADER_BINANCE, BTC_USDT, TREND, orders=450, also=TRADER_KRAKEN),
    DemoBot(5, "ether hayden", TRADER_BINANCE, ETH_USDT, LONG, orders=350),
    DemoBot(6, "ripple rehearsal", TRADER_KRAKEN, XRP_USD, TREND, orders=250, dry_run=True),
    DemoBot(7, "first steps", TRADER_CLOSED, BTC_USD, LONG, orders=150, retired=True),
    DemoBot(8, "bitcoin hayden", OTHER_KRAKEN, BTC_USD, LONG, orders=300),
    DemoBot(9, "tether trend", OTHER_BINANCE, BTC_USDT, TREND, orders=300),
    DemoBot(10, "solana trend", OTHER_BINANCE, SOL_USDT, TREND, orders=200),
    DemoBot(11, "ether rehearsal", OTHER_KRAKEN, ETH_USD, LONG, orders=250, dry_run=True),
    DemoBot(12, "short rehearsal", OTHER_BINANCE, ETH_USDT, SHORT, orders=100, dry_run=True, retired=True),
)

SIMULATED: Final = Catalogue(EXCHANGES, INSTRUMENTS, ACCOUNTS, BOTS)
"""The catalogue of the simulated market."""
