"""Entries of the audit log."""

from __future__ import annotations

import strawberry

from fullon_graphql.auth.principal import administrator
from fullon_graphql.schema.audit import AuditEntry, AuditEvent
from fullon_graphql.streaming.row_changes import row_stream


@strawberry.type
class AuditSubscriptions:
    audit_log: AuditEvent = row_stream(
        "The audit log (administrators only)", AuditEntry, AuditEvent, bots=False, check=administrator
    )
