"""Limits on the size of one operation, checked on its document."""

from __future__ import annotations

from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
)

from fullon_graphql.errors import QueryTooComplex

DEEPEST: Final = 20
"""The most levels of fields in one operation. GraphiQL's introspection query has 13."""


class DepthLimit(ValidationRule):
    """Limits the levels of fields: every level can multiply the rows below it by a page's size."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._fragments: dict[str, int] = {}

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Report an operation that is too deep."""
        depth = self._depth(node.selection_set)
        if depth > DEEPEST:
            message = f"This operation is {depth} levels deep; {DEEPEST} are allowed. Split it into several operations."
            self.report_error(GraphQLError(message, node, original_error=QueryTooComplex(message)))

    def _depth(self, selection_set: SelectionSetNode | None) -> int:
        return max(map(self._depth_of, selection_set.selections), default=0) if selection_set else 0

    def _depth_of(self, node: SelectionNode) -> int:
        if isinstance(node, FieldNode):
            return 1 + self._depth(node.selection_set)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        return self._depth(getattr(node, "selection_set", None))

    def _fragment(self, name: str) -> int:
        if name not in self._fragments:
            self._fragments[name] = 0  # ends the recursion of cyclic fragments, which another rule reports
            fragment = self.context.get_fragment(name)
            if isinstance(fragment, FragmentDefinitionNode):
                self._fragments[name] = self._depth(fragment.selection_set)
        return self._fragments[name]
