"""The audit log."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from fullon_graphql import models
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.schema.support.changes import RowEvent, changed_row
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.scalars import DateTime


@entity(models.AuditEntry)
class AuditEntry(Node):
    """One change that was made through the graph or REST, or one sign-in. Administrators only."""

    seq: int = column("Number of the entry: without gaps, from 1, or from a later number if old entries were removed.")
    time: DateTime = column("Time of the change.", filterable=True)
    uid: int = column("`uid` of the user who made the change or signed in; 0 if there is none.")
    credential: str = column(
        "Credential of the request: `session:<id>`, `api_key:<number>`, or `oidc:<digest>` for a token of the external"
        " issuer; `none` for a refused sign-in, `system` for the server itself."
    )
    operation: str = column("Name of the mutation, e.g. `createBot`; the same name for REST.", filterable=True)
    entity: str = column("Type of the changed row, e.g. `Bot`.", filterable=True)
    row_key: str = column("Key of the changed row.", models.AuditEntry.key, filterable=True)
    input_digest: str = column("SHA-256 of the operation and its input, as hexadecimal digits.")
    before: JSON | None = column("The row before the change, by column, without secrets; null for a new row.")
    after: JSON | None = column(
        "The row after the change; null for a deleted row. For a sign-in: outcome, reason, method, address, user agent."
    )
    request_id: str = column("`x-request-id` of the request.", filterable=True)
    previous_hash: str = column("`hash` of the previous entry; zeros for the first entry.")
    redacted: bool = column(
        "True if personal data in `before` and `after` was blanked by `anonymizeUser`.", filterable=True
    )
    hash: str = column("SHA-256 over `previousHash` and the other fields, as hexadecimal digits.")


@strawberry.type(
    description="A new entry of the audit log. UPDATED: `anonymizeUser` has blanked personal data in it; DELETED: it"
    " was older than the retention. `fullon-graphql audit verify` finds any other change."
)
class AuditEvent(RowEvent):
    audit_entry: AuditEntry | None = changed_row(AuditEntry, "The entry; null if it has been deleted.")
