"""Limits on the size of one operation, checked on its document before it is validated.

Fragments are counted as often as they are spread, by memoisation on the graph of fragments: the check takes time in
the size of the document, never in the size of what it expands to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

from fullon_graphql.config import Settings
from fullon_graphql.errors import QueryTooComplex

DEEPEST: Final = 20
"""The most levels of fields in one operation. GraphiQL's introspection query has 13."""


@dataclass(frozen=True)
class Limits:
    """The limits of one worker; defaults are those of the settings."""

    tokens: int = 5_000
    selections: int = 10_000
    repetitions: int = 200
    directives: int = 500
    variable_values: int = 10_000
    cache_bytes: int = 24 * 2**20
    seconds: float = 30.0
    """The longest time of an operation."""
    cost: int | None = None
    """The highest estimated cost of an operation; None for no limit."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Limits:
        """The limits that the settings state. Three quarters of `CACHE_BYTES` are for documents and plans."""
        return cls(
            tokens=settings.query_token_limit,
            selections=settings.query_selection_limit,
            repetitions=settings.query_repetition_limit,
            directives=settings.query_directive_limit,
            variable_values=settings.query_variable_limit,
            cache_bytes=settings.cache_bytes * 3 // 4,
            seconds=settings.operation_timeout,
            cost=settings.cost_limit,
        )


def exceeded(
    operations: Iterable[OperationDefinitionNode], fragments: Mapping[str, FragmentDefinitionNode], limits: Limits
) -> list[GraphQLError]:
    """The error for the first limit that a document exceeds, or an empty list."""
    try:
        return _exceeded(list(operations), fragments, limits)
    except RecursionError:
        message = "The fragments of this document are nested too deeply. Nest fewer of them."
        return [GraphQLError(message, original_error=QueryTooComplex(message))]


def _exceeded(
    operations: list[OperationDefinitionNode], fragments: Mapping[str, FragmentDefinitionNode], limits: Limits
) -> list[GraphQLError]:
    measure = _Measure(fragments)
    selections = sum(measure.selections(operation.selection_set) for operation in operations)
    if selections > limits.selections:
        return [_refusal("selections with its fragments multiplied out", selections, limits.selections)]
    if measure.directives > limits.directives:
        return [_refusal("directives", measure.directives, limits.directives)]
    repetitions = max((measure.repetitions(operation.selection_set) for operation in operations), default=0)
    if repetitions > limits.repetitions:
        return [_refusal("selections of one field in one selection set", repetitions, limits.repetitions)]
    return []


def variables_exceeded(variables: Mapping[str, Any], limits: Limits) -> str | None:
    """The message if the variables contain too many values, or None."""
    found = 0
    waiting: list[Any] = [variables]
    while waiting:
        value = waiting.pop()
        items = value.values() if isinstance(value, Mapping) else value
        found += len(value)
        if found > limits.variable_values:
            return f"The variables contain more than {limits.variable_values} values. Send fewer."
        waiting += [item for item in items if isinstance(item, dict | list)]
    return None


def _refusal(what: str, count: int, limit: int) -> GraphQLError:
    shown = f"{count}" if count < 10**9 else "more than 1000000000"
    message = f"This document has {shown} {what}; {limit} are allowed. Split it into several requests."
    return GraphQLError(message, original_error=QueryTooComplex(message))


class _Measure:
    """Counts in one document; a cyclic fragment counts as empty, because another rule reports it."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._selections: dict[str, int] = {}
        self._names: dict[str, Counter[str]] = {}
        self.directives = 0
        """Directives of everything counted by `selections`, each fragment once."""

    def selections(self, selection_set: SelectionSetNode | None) -> int:
        """The number of selections, with fragments counted as often as they are spread."""
        if selection_set is None:
            return 0
        count = 0
        for node in selection_set.selections:
            self.directives += len(node.directives or ())
            if isinstance(node, FragmentSpreadNode):
                count += 1 + self._fragment_selections(node.name.value)
            else:
                count += 1 + self.selections(getattr(node, "selection_set", None))
        return count

    def _fragment_selections(self, name: str) -> int:
        if name not in self._selections:
            self._selections[name] = 0
            if name in self._fragments:
                self._selections[name] = self.selections(self._fragments[name].selection_set)
        return self._selections[name]

    def repetitions(self, selection_set: SelectionSetNode) -> int:
        """The most selections of one field, or of one response key, in one selection set.

        Fragments count in the selection set that spreads them. Called only if the document has few selections.
        """
        most, waiting = 0, [selection_set]
        waiting += [fragment.selection_set for fragment in self._fragments.values()]
        while waiting:
            current = waiting.pop()
            most = max(most, max(self._names_of(current).values(), default=0))
            nested = (getattr(node, "selection_set", None) for node in current.selections)
            waiting += [one for one in nested if one is not None]
        return most

    def _names_of(self, selection_set: SelectionSetNode) -> Counter[str]:
        names: Counter[str] = Counter()
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                names[node.name.value] += 1
                if node.alias and node.alias.value != node.name.value:
                    names[f"{node.alias.value}:"] += 1
            elif isinstance(node, FragmentSpreadNode):
                names.update(self._fragment_names(node.name.value))
            elif nested := getattr(node, "selection_set", None):
                names.update(self._names_of(nested))
        return names

    def _fragment_names(self, name: str) -> Counter[str]:
        if name not in self._names:
            self._names[name] = Counter()
            if name in self._fragments:
                self._names[name] = self._names_of(self._fragments[name].selection_set)
        return self._names[name]


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
