"""The demo's initial data, deterministic from a seed: users, bots, 90 days of candles, orders and trades."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from operator import mul
from random import Random
from typing import Final

from sqlalchemy import Table, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.auth.api_keys import HASH_MARK
from fullon_graphql.auth.passwords import hash_in_thread
from fullon_graphql.database import Database
from fullon_graphql.embedded.demo.candles import Moments, load_candles
from fullon_graphql.embedded.demo.catalogue import (
    DAYS,
    PASSWORD,
    PEOPLE,
    SIMULATED,
    TEMPLATES,
    Account,
    Catalogue,
    DemoBot,
    Instrument,
    Template,
)
from fullon_graphql.embedded.demo.market import Prices, currencies
from fullon_graphql.embedded.demo.orders import Row, make_history
from fullon_graphql.models import (
    ApiKey,
    Base,
    Bot,
    BotExchange,
    BotLog,
    CatExchange,
    CatStrategy,
    CatStrategyParam,
    DryTrade,
    Exchange,
    ExchangeHistory,
    Feed,
    Order,
    Simulation,
    Strategy,
    StrategyParam,
    Symbol,
    Trade,
    User,
)

Rows = dict[type[Base], list[Row]]
"""Rows per table, in the order of their foreign keys."""

_FEEDS: Final = (("Ticks", 1), ("Minutes", 60))
"""Period and compression of the feeds of every strategy."""
_RISK: Final = {"take_profit": 4.0, "stop_loss": 2.0, "trailing_stop": 1.5, "timeout": 86_400.0, "feeds": len(_FEEDS)}
"""Common values of templates and strategies; the first three in percent."""


async def load(
    database: Database,
    ohlcv_database: Database,
    *,
    seed: int,
    now: datetime,
    catalogue: Catalogue = SIMULATED,
    prices: Prices | None = None,
) -> bool:
    """Fill an empty platform with the demo's data, whose history ends at `now` (aware). False if it is not empty.

    Without `prices` they are those of the simulated market.

    A platform with a user or an exchange is not changed. Equal arguments give equal rows, except for the salt of the
    passwords. All rows are written in one transaction after the candles, so an interrupted load is repeated.
    """
    if not await _is_empty(database):
        return False
    utc = now.astimezone(UTC)
    moments = await load_candles(ohlcv_database, prices or Prices(seed), seed, utc, catalogue.instruments)
    password = await hash_in_thread(PASSWORD)
    rows = await asyncio.to_thread(_rows, catalogue, moments, password, seed, utc)
    async with database.transaction() as connection:
        for model, values in rows.items():
            await connection.execute(insert(model), values)
        await _continue_sequences(connection, rows)
    return True


async def _is_empty(database: Database) -> bool:
    row = await database.row(select(or_(exists(select(User.uid)), exists(select(CatExchange.cat_ex_id)))))
    return row is not None and not row[0]


async def _continue_sequences(connection: AsyncConnection, models: Iterable[type[Base]]) -> None:
    """Set the sequences after the keys of our rows."""
    for model in models:
        table = model.__table__
        if isinstance(table, Table) and (key := table.autoincrement_column) is not None:
            sequence = func.pg_get_serial_sequence(table.fullname, key.name)
            await connection.execute(select(func.setval(sequence, func.max(key))))


def _rows(catalogue: Catalogue, moments: Moments, password: str, seed: int, now: datetime) -> Rows:
    rng = Random(seed)  # noqa: S311  # not for secrets
    began = now - timedelta(days=DAYS + 1)
    history = make_history(catalogue, moments, rng, now)
    secrets = {"password": password, "f2a": "---", "phone": "", "id_num": ""}  # the platform's values for "none"
    return {
        User: [asdict(person) | secrets | {"timestamp": began} for person in PEOPLE],
        CatExchange: [
            {"cat_ex_id": number, "name": name, "ohlcv_view": ""} for name, number in catalogue.exchanges.items()
        ],
        Exchange: [_account(catalogue, account) | {"timestamp": began} for account in catalogue.accounts],
        Symbol: [_symbol(catalogue, instrument) for instrument in catalogue.instruments],
        Bot: [_bot(bot) | {"timestamp": began} for bot in catalogue.bots],
        BotExchange: [
            {"bot_id": bot.bot_id, "ex_id": account.ex_id} for bot in catalogue.bots for account in bot.accounts
        ],
        CatStrategy: [{"cat_str_id": template.cat_str_id, "name": template.name} | _RISK for template in TEMPLATES],
        CatStrategyParam: [row for each in TEMPLATES for row in _params(each, "cat_str_id", each.cat_str_id)],
        Strategy: [_strategy(bot) for bot in catalogue.bots],
        StrategyParam: [row for bot in catalogue.bots for row in _params(bot.template, "str_id", bot.bot_id)],
        Feed: [row for bot in catalogue.bots for row in _feeds(bot)],
        Order: history.orders,
        Trade: history.trades,
        DryTrade: history.dry_trades,
        BotLog: history.logs,
        Simulation: [_simulation(bot, rng) for bot in catalogue.bots if bot.dry_run],
        ExchangeHistory: [
            row for account in catalogue.accounts if account.active for row in _balances(account, rng, now)
        ],
        ApiKey: [row for person in PEOPLE for row in _api_keys(person.uid, rng, began)],
    }


def _account(catalogue: Catalogue, account: Account) -> Row:
    return {
        "ex_id": account.ex_id,
        "uid": account.uid,
        "cat_ex_id": catalogue.exchanges[account.exchange],
        "name": account.name,
        "test": account.test,
        "active": account.active,
    }


def _symbol(catalogue: Catalogue, instrument: Instrument) -> Row:
    base, quote = currencies(instrument.symbol)
    return {
        "symbol_id": instrument.symbol_id,
        "symbol": instrument.symbol,
        "cat_ex_id": catalogue.exchanges[instrument.exchange],
        "backtest": instrument.backtest,
        "decimals": instrument.decimals,
        "base": base,
        "quote": quote,
        "futures": instrument.futures,
        "only_ticker": instrument.only_ticker,
    }


def _bot(bot: DemoBot) -> Row:
    return {
        "bot_id": bot.bot_id,
        "uid": bot.account.uid,
        "name": bot.name,
        "dry_run": bot.dry_run,
        "active": not bot.retired,
    }


def _strategy(bot: DemoBot) -> Row:
    """The bot's only strategy. Its key is that of the bot."""
    return {
        "str_id": bot.bot_id,
        "bot_id": bot.bot_id,
        "cat_str_id": bot.template.cat_str_id,
        "leverage": bot.leverage,
        "size_pct": 10.0,
        "size_currency": currencies(bot.instrument.symbol)[1],
    } | _RISK


def _params(template: Template, key: str, number: int) -> list[Row]:
    return [{key: number, "name": name, "value": value} for name, value in template.params.items()]


def _feeds(bot: DemoBot) -> list[Row]:
    feed = {"str_id": bot.bot_id, "symbol_id": bot.instrument.symbol_id}
    return [
        feed | {"period": period, "compression": compression, "order": number}
        for number, (period, compression) in enumerate(_FEEDS)
    ]


def _simulation(bot: DemoBot, rng: Random) -> Row:
    trades = rng.randrange(40, 200)
    result = {
        "days": 30,
        "trades": trades,
        "won": round(trades * rng.uniform(0.4, 0.65)),
        "roi_pct": round(rng.uniform(-8, 20), 2),
        "max_drawdown_pct": round(rng.uniform(3, 15), 2),
    }
    return {"bot_id": bot.bot_id, "name": f"{bot.template.name} 30 days", "json": result}


def _balances(account: Account, rng: Random, now: datetime) -> list[Row]:
    """The balance of the account at the end of each week."""
    weeks = range(DAYS // 7, 0, -1)
    growth = accumulate((rng.gauss(1.005, 0.03) for _ in weeks), mul)
    comments = ["deposit", *["weekly balance"] * (len(weeks) - 1)]
    return [
        {
            "ex_id": account.ex_id,
            "user_id": account.uid,
            "currency": "USD",
            "balance": round(10_000 * factor, 2),
            "comment": comment,
            "timestamp": now - timedelta(weeks=week),
        }
        for week, factor, comment in zip(weeks, growth, comments, strict=True)
    ]


def _api_keys(uid: int, rng: Random, began: datetime) -> list[Row]:
    """An active and an inactive key. Both hashes are random, so no key matches them."""
    names = {"dashboard": ("read", True), "old script": ("read,write", False)}
    return [
        {
            "uid": uid,
            "key": HASH_MARK + rng.randbytes(32).hex(),
            "name": name,
            "description": f"The demo's {name}",
            "scopes": scopes,
            "is_active": active,
            "created_at": began,
        }
        for name, (scopes, active) in names.items()
    ]
