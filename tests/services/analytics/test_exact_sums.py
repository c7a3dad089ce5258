"""Exact sums of doubles, against their shortest decimals in Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Context, Decimal, localcontext

from sqlalchemy import ARRAY, Double, TableValuedAlias, column, func, literal, select

from fullon_graphql.database import Database
from fullon_graphql.services.analytics.ledger import exact_sum

BORDERS = (
    0.0, -0.0, 0.1, -0.1, 1e-8, 1e-9, 1.00000001, 0.123456789, 0.1 + 0.2, 12.345 * 0.1, 9_999_999.99999999,
    9_999_999.999999998, 1e7, -1e7, 10_000_000.00000001, 16_777_216.00000001, 123_456_789.12345679, 1e15, 1e22, 1e100,
    5e-324, 2.5e-8, 1.5e-8, 0.29,
)  # fmt: skip
"""Figures beside the limits of those that are added as integers: 8 decimals, and 15 digits."""


def figures() -> list[float]:
    """Borders, money with 0 to 10 decimals, and the doubles next to it."""
    chosen = random.Random(7)
    money = [round(chosen.uniform(-1, 1) * 10.0 ** (n % 10), n % 11) for n in range(2_000)]
    return [*BORDERS, *money, *(figure * (1 + 2**-52) for figure in money)]


def rows(given: Sequence[float | None]) -> TableValuedAlias:
    """The figures as a table with their places."""
    figures = func.unnest(literal(given, ARRAY(Double)))
    return figures.table_valued(column("figure", Double), with_ordinality="place").render_derived("figures")


async def test_sum_of_each_double_is_its_shortest_decimal(database: Database) -> None:
    given = figures()
    table = rows(given)
    sums = select(exact_sum(table.c.figure)).group_by(table.c.place).order_by(table.c.place)
    assert [row[0] for row in await database.rows(sums)] == [Decimal(repr(figure)) for figure in given]


async def test_sum_over_a_condition_is_exact_and_null_without_figures(database: Database) -> None:
    given = figures()
    figure = rows([*given, None]).c.figure
    sums = select(exact_sum(figure), exact_sum(figure, figure > 0), exact_sum(figure, figure > 1e200))
    [found] = await database.rows(sums)
    with localcontext(Context(prec=1000)):
        decimals = [Decimal(repr(figure)) for figure in given]
        assert tuple(found) == (sum(decimals), sum(each for each in decimals if each > 0), None)
