"""Tools: one for each operation of the trusted documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Token,
    TokenKind,
    VariableNode,
    parse,
    validate,
)

from fullon_graphql.agents.input_schemas import input_schema
from fullon_graphql.engine.subgraphs import root_scope
from fullon_graphql.engine.trusted.manifests import Manifest

DOCUMENTS: Final = Path(__file__).parent / "documents"
"""The documents that are tools unless others are named."""

DRY_RUN: Final = "dryRun"
IDEMPOTENCY_KEY: Final = "idempotencyKey"
SET_BY_SERVER: Final = frozenset({DRY_RUN, IDEMPOTENCY_KEY})
"""The variables of a mutation that the agent cannot set."""

RESERVED: Final = frozenset({"search_schema", "describe", "confirm"})
"""Names of tools that are not documents."""


class NotOfferedError(ValueError):
    """An operation cannot be a tool, for the reason in the message."""


@dataclass(frozen=True)
class DocumentTool:
    """An operation of a trusted document as a tool."""

    name: str
    """The name of the operation."""
    description: str
    document: str
    input_schema: Mapping[str, Any]
    scopes: frozenset[str]
    """The scopes of its root fields."""
    writes: bool

    def unknown_arguments(self, arguments: Mapping[str, Any]) -> list[str]:
        """The names that are not variables of it, which GraphQL would ignore."""
        return sorted(arguments.keys() - self.input_schema["properties"].keys())


def document_tools(
    manifest: Manifest, schema: GraphQLSchema, *, allow_writes: bool
) -> tuple[dict[str, DocumentTool], list[str]]:
    """The tools by name, and the operations that are not offered, each with the reason.

    Mutations are offered with `allow_writes` only, and if they have one root field whose arguments `dryRun` and
    `idempotencyKey` are the variables of these names.
    """
    tools: dict[str, DocumentTool] = {}
    left_out = []
    for text, id_ in manifest.ids.items():
        try:
            document = _valid(text, schema)
        except NotOfferedError as error:
            left_out.append(f"{id_}: {error}")
            continue
        for operation in _operations(document):
            name = operation.name.value if operation.name else id_
            try:
                _check(operation, tools, allow_writes=allow_writes)
                tools[name] = _tool(text, document, operation, schema)
            except NotOfferedError as error:
                left_out.append(f"{name}: {error}")
    return tools, left_out


def _valid(text: str, schema: GraphQLSchema) -> DocumentNode:
    try:
        document = parse(text)
    except GraphQLError as error:
        raise NotOfferedError(error.message) from error
    if errors := validate(schema, document):
        raise NotOfferedError(errors[0].message)
    return document


def _check(operation: OperationDefinitionNode, known: Mapping[str, object], *, allow_writes: bool) -> None:
    if operation.name is None:
        raise NotOfferedError("the operation needs a name.")
    if operation.name.value in RESERVED or operation.name.value in known:
        raise NotOfferedError("the name is used for another tool.")
    if operation.operation is OperationType.SUBSCRIPTION:
        raise NotOfferedError("a subscription cannot be a tool.")
    if operation.operation is OperationType.MUTATION:
        if not allow_writes:
            raise NotOfferedError("a mutation; allow writes to offer it.")
        if not _is_confirmable(operation):
            raise NotOfferedError(
                "a mutation must have one root field with the arguments `dryRun: $dryRun` and"
                " `idempotencyKey: $idempotencyKey`."
            )


def _is_confirmable(operation: OperationDefinitionNode) -> bool:
    match operation.selection_set.selections:
        case [FieldNode(arguments=arguments, directives=directives)] if not directives:
            variables = {each.name.value: each.value.name.value for each in arguments or ()
                         if isinstance(each.value, VariableNode)}  # fmt: skip
            return all(variables.get(name) == name for name in SET_BY_SERVER)
    return False


def _tool(text: str, document: DocumentNode, operation: OperationDefinitionNode, schema: GraphQLSchema) -> DocumentTool:
    assert operation.name is not None, "checked before"
    fragments = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode)]
    writes = operation.operation is OperationType.MUTATION
    root = schema.get_root_type(operation.operation)
    assert root is not None, "the document is valid"
    fields = {name: root.fields[name] for name in _root_fields(operation) if name in root.fields}
    scopes = {root_scope(operation.operation, name, field) for name, field in fields.items()} - {None}
    return DocumentTool(
        name=operation.name.value,
        description=_own_description(operation) or "\n".join(field.description or "" for field in fields.values()),
        document=text,
        input_schema=input_schema(schema, operation, fragments, SET_BY_SERVER if writes else ()),
        scopes=frozenset(scope for scope in scopes if scope),
        writes=writes,
    )


def _operations(document: DocumentNode) -> Sequence[OperationDefinitionNode]:
    return [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]


def _root_fields(operation: OperationDefinitionNode) -> list[str]:
    selected = operation.selection_set.selections
    return [each.name.value for each in selected if isinstance(each, FieldNode)]


def _own_description(operation: OperationDefinitionNode) -> str:
    """The description of an operation, or the comment before it."""
    if operation.description:
        return operation.description.value.strip()
    token = operation.loc.start_token.prev if operation.loc else None
    lines = list(_comment_before(token))
    return " ".join(line.strip() for line in reversed(lines)).strip()


def _comment_before(token: Token | None) -> Iterator[str]:
    while token and token.kind is TokenKind.COMMENT:
        yield token.value or ""
        token = token.prev
