"""Introspection: operations that select the schema alone, and the rule for installations that hide it.

An introspection query of a client takes 200 ms and has the same response for every caller. It is executed once, in the
planner's thread, and remembered with its document.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    ValidationRule,
    execute_sync,
)

from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.errors import Forbidden

_FIELDS: Final = {"__schema", "__type", "_service"}
"""`_service` is the federation's way to read the schema."""
_CONSTANT: Final = {"__schema", "__type", "__typename"}
"""Root fields whose values depend on the schema and the document only."""


def is_introspection(node: OperationDefinitionNode) -> bool:
    """True if the response is the same for every caller and request: a query of the schema alone, without variables."""
    names = {root.name.value if isinstance(root, FieldNode) else None for root in node.selection_set.selections}
    return node.operation is OperationType.QUERY and not node.variable_definitions and names <= _CONSTANT


def introspect(schema: GraphQLSchema, document: DocumentNode, operation_name: str | None) -> bytes:
    """The `data` of such an operation as JSON text.

    Raises:
        Fallback: there is an error, which the reference execution reports.
    """
    result = execute_sync(schema, document, operation_name=operation_name)
    if result.errors:
        raise Fallback("introspection has an error")
    return orjson.dumps(result.data)


class NoIntrospection(ValidationRule):
    """Refuses the fields that reveal the schema. `__typename` is allowed."""

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Report a field that reveals the schema."""
        if node.name.value in _FIELDS:
            message = f"Introspection is switched off; {node.name.value} is not available."
            self.report_error(GraphQLError(message, node, original_error=Forbidden(message)))
