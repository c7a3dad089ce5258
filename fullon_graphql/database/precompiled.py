"""Statements that are compiled once and run many times, past SQLAlchemy.

Building and compiling a statement with SQLAlchemy takes several times longer than a small query itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg
from sqlalchemy import JSON, Float, Numeric, SelectBase
from sqlalchemy.dialects.postgresql import asyncpg as driver
from sqlalchemy.types import TypeEngine

from fullon_graphql.database.json import read_json

Convert = Callable[[Any], Any]

_dialect = driver.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no annotations


@dataclass(frozen=True)
class Statement:
    """The text of a read statement for the driver, its parameters, and its columns."""

    text: str
    parameters: tuple[str, ...]
    """The names of the parameters in order."""
    fixed: Mapping[str, Any]
    """The values that are the same in every execution, as the driver takes them."""
    conversions: tuple[tuple[int, Convert], ...]
    """The positions of the other values that have to be converted for the driver, with the function for each."""
    columns: tuple[tuple[str, Convert], ...]
    """The columns whose values the driver returns in another form than the model declares."""

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """The parameters in order, as the driver takes them."""
        known = {**self.fixed, **given} if self.fixed else given
        values = list(map(known.__getitem__, self.parameters))
        for position, convert in self.conversions:
            values[position] = convert(values[position])
        return values

    def objects(self, records: Iterable[asyncpg.Record]) -> list[dict[str, Any]]:
        """The rows by column name, with the values that the model declares."""
        rows = [dict(record) for record in records]
        for row in rows:
            for name, convert in self.columns:
                row[name] = convert(row[name])
        return rows


def compiled(statement: SelectBase) -> Statement:
    """The statement as text. Every `bindparam` without a value is a parameter to give with each execution."""
    found: Any = statement.compile(dialect=_dialect)
    names = tuple(found.positiontup or ())
    fixed: dict[str, Any] = {}
    conversions: list[tuple[int, Convert]] = []
    for position, name in enumerate(names):
        bind = found.binds[name]
        convert = bind.type.dialect_impl(_dialect).bind_processor(_dialect)
        if not bind.required:
            fixed[name] = convert(found.params[name]) if convert else found.params[name]
        elif convert:
            conversions.append((position, convert))
    columns = ((column.key, _conversion(column.type)) for column in statement.selected_columns)
    known = tuple((key, each) for key, each in columns if key and each)
    return Statement(str(found), names, fixed, tuple(conversions), known)


def _conversion(type_: TypeEngine[Any]) -> Convert | None:
    if isinstance(type_, JSON):
        return _json
    if isinstance(type_, Float):
        return _float
    if isinstance(type_, Numeric):
        return _decimal if type_.asdecimal else _float
    convert: Convert | None = type_.dialect_impl(_dialect).result_processor(_dialect, None)
    return convert


def _float(value: Any) -> Any:
    """An installation may store `numeric` in place of `double precision`."""
    return float(value) if isinstance(value, Decimal) else value


def _decimal(value: Any) -> Any:
    """An installation may store `double precision` in place of `numeric`."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _json(text: str | None) -> Any:
    return None if text is None else read_json(text)
