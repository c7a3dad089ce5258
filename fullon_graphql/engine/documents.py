"""Documents: the `query` of requests, parsed and validated once.

A remembered document holds no syntax tree: trees take hundreds of bytes for each token. Users of
a tree parse the text again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLFormattedError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    ValidationContext,
    is_non_null_type,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, get_variable_values, input_is_nested_too_deeply
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_value

from fullon_graphql.engine import limits
from fullon_graphql.engine.background import in_background
from fullon_graphql.engine.cost import Estimate, estimated
from fullon_graphql.engine.errors import formatted
from fullon_graphql.engine.introspection import NoIntrospection, is_introspection
from fullon_graphql.engine.limits import DepthLimit, Limits
from fullon_graphql.engine.literals import FiniteFloats
from fullon_graphql.engine.planned.arguments import Variables
from fullon_graphql.engine.planned.selections import condition_variables
from fullon_graphql.engine.trace import Trace
from fullon_graphql.engine.trusted.coordinates import selected_fields
from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.joined_calls import SharedRuns
from fullon_graphql.lru import LRUCache

RULES: Final = (*specified_rules, DepthLimit, FiniteFloats)
"""The rules of the GraphQL specification, and ours."""

MAX_ERRORS: Final = 50
"""The most errors about variables that one response reports."""
MOST_PLANS: Final = 32
"""The most plans of one document."""

# Estimated bytes, checked against tracemalloc in tests/engine/test_memory.py.
DOCUMENT_BYTES: Final = 5_500
OPERATION_BYTES: Final = 1_500


class Syntax(NamedTuple):
    """A parsed text."""

    node: DocumentNode
    operations: Mapping[str | None, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]


class Variable(NamedTuple):
    """A declared variable; `default` is Undefined if it has none."""

    name: str
    type: Any
    default: Any


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """An operation without its syntax tree."""

    name: str | None
    kind: OperationType
    variables: tuple[Variable, ...] | None
    """None if a definition cannot be compiled; graphql-core then coerces the variables."""
    conditions: tuple[str, ...]
    """The variables in `@include` and `@skip`."""
    estimate: Estimate
    """The cost."""
    fields: tuple[str, ...] = ()
    """The coordinates of the selected fields, if the usage is counted."""
    is_introspection: bool = False
    """True if it selects the schema alone."""

    def coerced(self, given: Mapping[str, Any]) -> Variables | None:
        """The coerced variables; None if they are invalid, which graphql-core reports."""
        if self.variables is None:
            return None
        values: dict[str, Any] = {}
        for name, type_, default in self.variables:
            value = given.get(name, Undefined)
            if value is Undefined:
                if default is not Undefined:
                    values[name] = default
                elif is_non_null_type(type_):
                    return None
                continue
            coerced = Undefined if input_is_nested_too_deeply(value, type_) else coerce_input_value(value, type_)
            if coerced is Undefined:
                return None
            values[name] = coerced
        return values


@dataclass(eq=False)
class Document:
    """A document. With `errors` it must not be executed."""

    text: str
    errors: Sequence[GraphQLFormattedError]
    operations: Mapping[str | None, Operation] = field(default_factory=dict)
    plans: LRUCache[Any, Any] = field(default_factory=lambda: LRUCache(MOST_PLANS))
    """Its plans and fallbacks, by operation and values of the condition variables."""
    hash: str = ""
    """Its SHA-256 hash, if the usage is counted."""
    runs: SharedRuns = field(default_factory=SharedRuns)
    """Parts of it that are being made, by the key of `plans`."""

    def __post_init__(self) -> None:
        self._only = next(iter(self.operations.values())) if len(self.operations) == 1 else None

    def operation(self, name: str | None) -> Operation | None:
        """The operation called `name`, or without a name the only one; None if there is no such operation."""
        return self._only if name is None else self.operations.get(name)

    def syntax(self) -> Syntax:
        """The syntax tree, parsed again."""
        return syntax_of(self.text)

    async def parsed(self) -> Syntax:
        """The same, parsed in the planner's thread for all calls at the same time.

        Raises:
            ServiceUnavailable: too many new documents are waiting.
        """
        return await self.runs("syntax", lambda: in_background(self.syntax))

    def variables(
        self, schema: GraphQLSchema, operation: Operation, given: Mapping[str, Any]
    ) -> Variables | list[GraphQLError]:
        """The coerced variables of one of its operations, or the errors in them."""
        coerced = operation.coerced(given)
        if coerced is not None:
            return coerced
        definitions = self.syntax().operations[operation.name].variable_definitions or ()
        found = get_variable_values(schema, definitions, dict(given), max_errors=MAX_ERRORS)
        return found.coerced if isinstance(found, VariableValues) else found


class DocumentCache:
    """The documents used last with their plans, by their text: at most `limits.cache_bytes` in all."""

    def __init__(
        self, schema: GraphQLSchema, limits_: Limits, *, introspection: bool = True, usage: bool = False
    ) -> None:
        """With `usage`, documents have what their usage is counted by."""
        self._schema = schema
        self._limits = limits_
        self._rules = RULES if introspection else (*RULES, NoIntrospection)
        self._hide_suggestions = not introspection
        self._usage = usage
        self._seen: LRUCache[str, Document] = LRUCache(limits_.cache_bytes)
        self._runs = SharedRuns()

    @property
    def entries(self) -> int:
        """The number of remembered documents."""
        return len(self._seen)

    @property
    def size(self) -> int:
        """The estimated bytes of the remembered documents and plans."""
        return self._seen.size

    @property
    def evictions(self) -> int:
        """The number of documents that were evicted."""
        return self._seen.evictions

    def known(self, text: str) -> Document | None:
        """The document with this text, if it is remembered."""
        return self._seen.get(text)

    async def read(self, text: str, trace: Trace) -> Document:
        """The document with this text. Equal texts that arrive together are read once.

        Raises:
            ServiceUnavailable: too many new documents are waiting.
        """
        found = self.known(text)
        if found is None:
            found = await self._runs(text, lambda: self._remember(text, trace))
        return found

    async def _remember(self, text: str, trace: Trace) -> Document:
        document = await in_background(lambda: self._read(text, trace))
        return self._seen.put(text, document, _size(document))

    def grow(self, document: Document, size: int) -> None:
        """Add `size` bytes to the counted memory of `document`."""
        self._seen.grow(document.text, document, size)

    def _read(self, text: str, trace: Trace) -> Document:
        started = perf_counter()
        try:
            syntax = syntax_of(text, max_tokens=self._limits.tokens)
        except GraphQLError as error:
            return _refused(text, [error])
        finally:
            trace.step("parse", "", started)
        started = perf_counter()
        errors = limits.exceeded(syntax.operations.values(), syntax.fragments, self._limits)
        errors = errors or self._validate(syntax.node)
        operations = {} if errors else {name: self._operation(node, syntax) for name, node in syntax.operations.items()}
        trace.step("validate", "", started)
        if errors:
            return _refused(text, errors)
        return Document(text, (), operations, hash=hash_of(text) if self._usage else "")

    def _validate(self, node: DocumentNode) -> list[GraphQLError]:
        """The errors in a syntax tree. The rules are taken apart, as their cycles would keep it until a collection."""
        made: list[ASTValidationRule] = []

        def begin(rule: type[ASTValidationRule], context: ValidationContext) -> ASTValidationRule:
            made.append(rule(context))
            return made[-1]

        rules: Any = [partial(begin, rule) for rule in self._rules]
        try:
            return validate(self._schema, node, rules, hide_suggestions=self._hide_suggestions)
        finally:
            for rule in made:
                vars(rule).clear()

    def _operation(self, node: OperationDefinitionNode, syntax: Syntax) -> Operation:
        name = node.name.value if node.name else None
        conditions = condition_variables(node, syntax.fragments.values())
        estimate = estimated(self._schema, node, syntax.fragments)
        fields = selected_fields(self._schema, node, syntax.fragments) if self._usage else ()
        variables = self._variables(node)
        return Operation(name, node.operation, variables, conditions, estimate, fields, is_introspection(node))

    def _variables(self, node: OperationDefinitionNode) -> tuple[Variable, ...] | None:
        found = []
        for definition in node.variable_definitions or ():
            signature = get_variable_signature(self._schema, definition)
            if isinstance(signature, GraphQLError):
                return None
            try:
                found.append(Variable(signature.name, signature.type, coerce_default_value(signature)))
            except TypeError:
                return None
        return tuple(found)


def syntax_of(text: str, max_tokens: int | None = None) -> Syntax:
    """The syntax tree of a text.

    Raises:
        GraphQLError: the text cannot be parsed, or has too many tokens.
    """
    node = parse(text, max_tokens=max_tokens)
    _unlink_tokens(node)
    operations: dict[str | None, OperationDefinitionNode] = {}
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in node.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else None] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Syntax(node, operations, fragments)


def _unlink_tokens(node: DocumentNode) -> None:
    """Undo the links between neighbouring tokens, so that a tree is freed with its last reference."""
    token = node.loc.start_token if node.loc else None
    while token:
        token.prev, token.next, token = None, None, token.next


def _refused(text: str, errors: Sequence[GraphQLError]) -> Document:
    return Document(text, formatted(errors, "", before_execution=True))


def _size(document: Document) -> int:
    variables = sum(len(operation.variables or ()) for operation in document.operations.values())
    messages = sum(len(error["message"]) + 1_000 for error in document.errors)
    return (
        DOCUMENT_BYTES
        + 2 * len(document.text)
        + OPERATION_BYTES * len(document.operations)
        + sum(operation.estimate.size + 8 * len(operation.fields) for operation in document.operations.values())
        + 300 * variables
        + messages
    )
