"""The reference execution of one operation: graphql-core, without reference cycles that outlive it.

A cycle keeps the syntax tree until a collection, and trees of large documents are most of what a worker would have to
collect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute
from graphql.pyutils import is_awaitable

from fullon_graphql.context import Context
from fullon_graphql.engine.reference.executor import RowExecutor


class _Executor(RowExecutor):
    """An executor that can be taken apart."""

    def __init__(self, *args: Any, made: list[_Executor], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        made.append(self)

    def take_apart(self) -> None:
        """Release what leads back to this executor, and what it has collected."""
        del self.async_helpers
        self._relevant_sub_fields.clear()


async def execute_reference(
    schema: GraphQLSchema,
    node: DocumentNode,
    context: Context,
    variables: Mapping[str, Any],
    operation_name: str | None,
    root: object = None,
) -> ExecutionResult:
    """The result of an operation. The loaders of `context` are dropped at the end."""
    made: list[_Executor] = []
    try:
        result = execute(
            schema,
            node,
            root_value=root,
            context_value=context,
            variable_values=dict(variables),
            operation_name=operation_name,
            executor_class=_Executor,
            made=made,
        )
        return cast("ExecutionResult", await result if is_awaitable(result) else result)
    finally:
        context.forget()
        for executor in made:
            executor.take_apart()
