"""Steps and minimums of symbols, as their exchanges publish them."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE fullon_graphql.symbol_steps (
            symbol_id integer PRIMARY KEY,
            price_step double precision,
            amount_step double precision,
            min_notional double precision
        )""")
