"""The rule that refuses introspection in installations that hide their schema."""

from __future__ import annotations

from typing import Any, Final

from graphql import FieldNode, GraphQLError, ValidationRule

from fullon_graphql.errors import Forbidden

_FIELDS: Final = {"__schema", "__type", "_service"}
"""`_service` is the federation's way to read the schema."""


class NoIntrospection(ValidationRule):
    """Refuses the fields that reveal the schema. `__typename` is allowed."""

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Report a field that reveals the schema."""
        if node.name.value in _FIELDS:
            message = f"Introspection is switched off; {node.name.value} is not available."
            self.report_error(GraphQLError(message, node, original_error=Forbidden(message)))
