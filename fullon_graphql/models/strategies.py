"""Strategy templates, the strategies of bots, and their feeds."""

from __future__ import annotations

from sqlalchemy import ForeignKey, PrimaryKeyConstraint, SmallInteger, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import Base, list_indexes


class CatStrategy(Base):
    """A strategy template: the defaults of the strategies made from it."""

    __tablename__ = "cat_strategies"
    __table_args__ = (UniqueConstraint("name", name="unique name"),)

    cat_str_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    take_profit: Mapped[float | None]
    stop_loss: Mapped[float | None]
    trailing_stop: Mapped[float | None]
    timeout: Mapped[float | None]
    pre_load_bars: Mapped[int] = mapped_column(SmallInteger, server_default=text("200"))
    feeds: Mapped[int] = mapped_column(SmallInteger, server_default=text("2"))
    """Number of feeds that a strategy of this template needs."""
    pairs: Mapped[bool | None] = mapped_column(server_default=false())


class CatStrategyParam(Base):
    """A parameter of a template. `value` is text, cast by the strategy."""

    __tablename__ = "cat_strategies_params"
    __table_args__ = (UniqueConstraint("cat_str_id", "name"),)

    cat_str_id: Mapped[int] = mapped_column(ForeignKey("cat_strategies.cat_str_id", ondelete="CASCADE"))
    name: Mapped[str]
    value: Mapped[str]

    # The table has no primary key; its unique columns identify a row just as well.
    __mapper_args__ = {"primary_key": ["cat_str_id", "name"]}


class Strategy(Base):
    """A template used by a bot. Deleting the template deletes it."""

    __tablename__ = "strategies"
    __table_args__ = list_indexes(("bot_id",), ("cat_str_id",), order="str_id")

    str_id: Mapped[int] = mapped_column(primary_key=True)
    bot_id: Mapped[int | None] = mapped_column(ForeignKey("bots.bot_id", ondelete="CASCADE"))
    cat_str_id: Mapped[int] = mapped_column(ForeignKey("cat_strategies.cat_str_id", ondelete="CASCADE"))
    take_profit: Mapped[float | None]
    stop_loss: Mapped[float | None]
    trailing_stop: Mapped[float | None]
    timeout: Mapped[float | None]
    leverage: Mapped[float] = mapped_column(server_default=text("1"))
    size_pct: Mapped[float | None]
    size: Mapped[float | None]
    size_currency: Mapped[str | None] = mapped_column(String(5))
    pre_load_bars: Mapped[int | None] = mapped_column(SmallInteger)
    feeds: Mapped[int | None] = mapped_column(SmallInteger, server_default=text("2"))
    """Number of feeds that the strategy needs; the rows are `Feed`."""
    pairs: Mapped[bool | None] = mapped_column(server_default=false())


class StrategyParam(Base):
    """A parameter of a strategy. `value` is text, cast by the strategy."""

    __tablename__ = "strategies_params"
    __table_args__ = (UniqueConstraint("str_id", "name"),)

    str_id: Mapped[int] = mapped_column(ForeignKey("strategies.str_id", ondelete="CASCADE"))
    name: Mapped[str]
    value: Mapped[str]

    # The table has no primary key; its unique columns identify a row just as well.
    __mapper_args__ = {"primary_key": ["str_id", "name"]}


class Feed(Base):
    """A stream of bars or ticks into a strategy, e.g. 60 `Minutes` of one symbol; `order` is its number."""

    __tablename__ = "feeds"
    __table_args__ = (
        PrimaryKeyConstraint("feed_id", name="feed_pk"),
        *list_indexes(("str_id",), ("symbol_id",), order="feed_id"),
    )

    feed_id: Mapped[int]
    str_id: Mapped[int] = mapped_column(ForeignKey("strategies.str_id", ondelete="CASCADE"))
    symbol_id: Mapped[int] = mapped_column(ForeignKey("symbols.symbol_id", ondelete="CASCADE"))
    period: Mapped[str] = mapped_column(String(10))
    compression: Mapped[int] = mapped_column(SmallInteger)
    order: Mapped[int] = mapped_column(SmallInteger)
