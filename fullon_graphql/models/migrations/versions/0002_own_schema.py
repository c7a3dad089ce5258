"""Sessions. The schema exists already: it has Alembic's version table."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE fullon_graphql.sessions (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            uid integer NOT NULL,
            refresh_hash bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            refreshed_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL,
            revoked_at timestamptz,
            reason text,
            address text,
            user_agent text
        )""")
    op.execute("CREATE INDEX ON fullon_graphql.sessions (uid)")
