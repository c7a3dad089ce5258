"""The audit log: salted hashes, rows whose personal data was blanked, and indexes for retention and anonymizing."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE fullon_graphql.audit_log
            ADD COLUMN salt text,
            ADD COLUMN redacted boolean NOT NULL DEFAULT false""")
    op.execute("CREATE INDEX ON fullon_graphql.audit_log (entity, key)")
    op.execute("CREATE INDEX ON fullon_graphql.audit_log (time)")
