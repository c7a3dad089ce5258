"""The change feed by plain columns: integer keys in a column of their own, sequence numbers drawn ahead."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Writers of the platform wait behind us while we wait for the table.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute("""
        ALTER TABLE fullon_graphql.changes
            ADD COLUMN id bigint,
            ALTER COLUMN key DROP NOT NULL,
            ALTER COLUMN xid SET DEFAULT txid_current(),
            ALTER COLUMN seq SET CACHE 64""")
