"""The audit log and idempotency keys."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE fullon_graphql.audit_log (
            seq bigint PRIMARY KEY,
            time timestamptz NOT NULL,
            uid integer NOT NULL,
            credential text NOT NULL,
            operation text NOT NULL,
            entity text NOT NULL,
            key text NOT NULL,
            input_digest text NOT NULL,
            before json,
            after json,
            request_id text NOT NULL,
            previous_hash text NOT NULL,
            hash text NOT NULL
        )""")
    op.execute("CREATE INDEX ON fullon_graphql.audit_log (uid)")
    op.execute("""
        CREATE TABLE fullon_graphql.idempotency (
            uid integer NOT NULL,
            key text NOT NULL,
            operation text NOT NULL,
            input_digest text NOT NULL,
            result json,
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (uid, key)
        )""")
    op.execute("CREATE INDEX ON fullon_graphql.idempotency (expires_at)")
