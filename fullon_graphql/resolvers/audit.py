"""Queries about the audit log."""

from __future__ import annotations

import strawberry

from fullon_graphql.engine.fields.connection import StreamedConnection
from fullon_graphql.engine.fields.root import root_connection
from fullon_graphql.schema.audit import AuditEntry


@strawberry.type
class AuditQueries:
    audit_log: StreamedConnection[AuditEntry] = root_connection(
        "All changes made through the graph or REST, and all sign-ins, oldest first. Administrators only.", AuditEntry
    )
