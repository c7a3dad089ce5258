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
    """One change: who made it, of what, from what to what. Administrators only."""

    seq: int = column("Its number: 1, 2, 3 and so on, without a gap.")
    time: DateTime = column("When it was made.", filterable=True)
    uid: int = column("Key of the person who made it.")
    credential: str = column("What they signed in with: `session:<id>` or `api_key:<number>`.")
    operation: str = column("Name of the mutation, e.g. `createBot`; also where it came over REST.", filterable=True)
    entity: str = column("What was changed, e.g. `Bot`.", filterable=True)
    row_key: str = column("Key of the changed row.", models.AuditEntry.key, filterable=True)
    input_digest: str = column("SHA-256 of the operation and its input, in hex.")
    before: JSON | None = column("The row before, by column and without secrets; null where it is new.")
    after: JSON | None = column("The row after; null where it is deleted.")
    request_id: str = column("The request's `x-request-id`.", filterable=True)
    previous_hash: str = column("Hash of the entry before it; zeros in the first one.")
    hash: str = column("SHA-256 over `previousHash` and all of the above, in hex.")


@strawberry.type(description="What happened to the audit log: an entry is only ever CREATED, unless somebody tampers.")
class AuditEvent(RowEvent):
    audit_entry: AuditEntry | None = changed_row(AuditEntry, "The entry; null once it is gone.")
