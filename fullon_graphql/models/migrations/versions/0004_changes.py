"""The change feed. Its triggers are in `models/triggers.py` and renewed by every upgrade."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE fullon_graphql.changes (
            xid bigint NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint,
            seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
            entity text NOT NULL,
            operation text NOT NULL,
            key jsonb NOT NULL,
            uid bigint,
            bot_id bigint,
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (xid, seq)
        )""")
    op.execute("""
        CREATE TABLE fullon_graphql.changes_floor (
            single boolean PRIMARY KEY DEFAULT true,
            xid bigint NOT NULL,
            seq bigint NOT NULL
        )""")
