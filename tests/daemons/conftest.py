"""Managers and the instruments they work on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from sqlalchemy import insert

from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.control.state import Timing
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.database import Database
from fullon_graphql.models import CatExchange, Exchange, Symbol, User
from tests.daemons.specimens import PATH, Clinger, Fragile, Script, Witness

FAST = Timing(
    interval=0.1, lease=1.5, margin=0.5, start=0.5, stop=0.5, command=10, first_backoff=0.05, longest_backoff=0.4
)

MakeManager = Callable[..., ServiceManager]


@pytest.fixture
async def resources(settings: Settings, database: Database, ohlcv_database: Database) -> AsyncIterator[Resources]:
    async with connect(settings.redis_url, settings, "worker") as client:
        yield Resources(settings, database, ohlcv_database, client)


@pytest.fixture
async def make_manager(settings: Settings, resources: Resources) -> AsyncIterator[MakeManager]:
    """A manager with a client of its own, as every worker has: `make_manager("worker", ticker="Calm")`."""
    clients = []

    def make(worker: str, timing: Timing = FAST, **daemons: str) -> ServiceManager:
        paths = {f"{name}_daemon": PATH + daemon for name, daemon in daemons.items()}
        its_settings = settings.model_copy(update=paths)
        client = connect(settings.redis_url, settings, "worker")
        clients.append(client)
        its_resources = Resources(its_settings, resources.database, resources.ohlcv_database, client)
        return ServiceManager(its_settings, its_resources, worker, timing)

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture(autouse=True)
def _fresh_specimens() -> Iterator[None]:
    Witness.stops, Fragile.breaks_left, Fragile.message = [], 0, "the exchange hung up"
    Clinger.let_go = False
    Script.ticks, Script.deals, Script.ends = [], [], False
    Script.finished = set()
    yield
    Clinger.let_go = True


@pytest.fixture
async def market(database: Database, settings: Settings) -> None:
    """Two exchanges, three symbols (one for tickers only), two active accounts and a closed one, on a scripted feed."""
    settings.market_feed = f"{PATH}Script"
    async with database.transaction() as connection:
        await connection.execute(
            insert(CatExchange),
            [
                {"cat_ex_id": 1, "name": "kraken", "ohlcv_view": ""},
                {"cat_ex_id": 2, "name": "bitmex", "ohlcv_view": ""},
            ],
        )
        await connection.execute(
            insert(Symbol),
            [
                {"symbol": "BTC/USD", "cat_ex_id": 1, "base": "BTC", "quote": "USD", "only_ticker": False},
                {"symbol": "GOLD", "cat_ex_id": 1, "base": "GOLD", "quote": "USD", "only_ticker": True},
                {"symbol": "BTC/USD:BTC", "cat_ex_id": 2, "base": "BTC", "quote": "USD", "only_ticker": False},
            ],
        )
        person = {"password": "", "f2a": "---", "role": "USER", "lastname": "", "phone": "", "id_num": ""}
        await connection.execute(insert(User), [person | {"uid": 1, "mail": "a@b.c", "name": "A"}])
        await connection.execute(
            insert(Exchange),
            [
                {"ex_id": 11, "uid": 1, "cat_ex_id": 1, "name": "one", "active": True},
                {"ex_id": 12, "uid": 1, "cat_ex_id": 2, "name": "two", "active": True},
                {"ex_id": 13, "uid": 1, "cat_ex_id": 2, "name": "closed", "active": False},
            ],
        )


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Return as soon as `condition` holds; fail when it does not within a time that no healthy machine needs."""
    async with asyncio.timeout(seconds):
        while not await condition():  # what another process does sets no event in this one
            await asyncio.sleep(0.01)
