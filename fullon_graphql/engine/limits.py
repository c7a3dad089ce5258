"""How much one operation may ask for, judged from its document alone."""

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
"""Levels of fields one operation may have. GraphiQL's own question about the schema has 13."""


class DepthLimit(ValidationRule):
    """Every level can multiply the rows below it by a page's size, so there is an end to levels."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._fragments: dict[str, int] = {}

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Judge one operation."""
        depth = self._depth(node.selection_set)
        if depth > DEEPEST:
            message = f"This operation is {depth} levels deep; {DEEPEST} are allowed. Ask in several operations."
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
            self._fragments[name] = 0  # ends fragments that contain themselves, which another rule reports
            fragment = self.context.get_fragment(name)
            if isinstance(fragment, FragmentDefinitionNode):
                self._fragments[name] = self._depth(fragment.selection_set)
        return self._fragments[name]
