"""Alembic's environment: runs on the connection and in the transaction that `migrate.upgrade` opened."""

from __future__ import annotations

from alembic import context

from fullon_graphql.models import OWN_SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=OWN_SCHEMA)
context.run_migrations()
