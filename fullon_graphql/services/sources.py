"""Sources: what a fetcher of a batch reads with."""

from __future__ import annotations

from typing import Protocol

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.services.tickers import SharedTickers


class Sources(Protocol):
    """The stores, and the caller on whose behalf they are read. The `Context` of an operation is an implementation.

    A fetcher takes it with distinct keys and answers one value per key, in their order; an exception in place of a
    value is the error of that key alone.
    """

    @property
    def caller(self) -> Caller: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def database(self) -> Database: ...
    @property
    def redis(self) -> Redis: ...
    @property
    def tickers(self) -> SharedTickers: ...
    @property
    def candles(self) -> CandleStore: ...
