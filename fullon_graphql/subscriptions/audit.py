"""Entries of the audit log."""

from __future__ import annotations

import strawberry

from fullon_graphql.auth.principal import administrator
from fullon_graphql.context import Context
from fullon_graphql.schema.audit import AuditEntry, AuditEvent
from fullon_graphql.streaming.row_changes import AfterEvent, RowChanges, WithSnapshot, row_stream
from fullon_graphql.streaming.sources import Source


def _audit_log(context: Context, after: AfterEvent = None, snapshot: WithSnapshot = False) -> Source[AuditEvent]:
    administrator(context.caller)
    return RowChanges(context, AuditEntry, AuditEvent, after, snapshot)


@strawberry.type
class AuditSubscriptions:
    audit_log: AuditEvent = row_stream("The audit log (administrators only)", _audit_log)
