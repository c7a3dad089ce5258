"""The executor of the reference: graphql-core's, except that one bad row never takes a list with it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any, Final

from graphql import (
    GraphQLError,
    GraphQLLeafType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    get_nullable_type,
    is_composite_type,
    is_non_null_type,
)
from graphql.error import located_error
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor, to_nodes
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental
from graphql.pyutils import AwaitableOrValue, Path

from fullon_graphql.engine.model.entities import entity_named
from fullon_graphql.engine.model.global_ids import global_id
from fullon_graphql.errors import NotFound, Unrepresentable

LEFT_OUT: Final = object()
"""Takes the place of a row that is left out, until its list is complete."""


class RowExecutor(ExecutorThrowingOnIncremental):
    """Leaves a row out of a list whose rows must not be null, if a stored value that must not be null is invalid.

    GraphQL would propagate the null to the list and everything above it. Here the list has the other rows, and the
    error has the path of the list, and in `extensions.row` the id of the row.
    """

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: None,
    ) -> AwaitableOrValue[Any]:
        """Complete a value; a null in a non-null field is an `Unrepresentable`."""
        if result is None and is_non_null_type(return_type):
            raise Unrepresentable(f"`{info.parent_type.name}.{info.field_name}` has no value.")
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    @staticmethod
    def complete_leaf_value(return_type: GraphQLLeafType, result: Any) -> Any:
        """Complete a scalar or an enum; a value that the type does not have is an `Unrepresentable`."""
        try:
            return Executor.complete_leaf_value(return_type, result)
        except Exception as error:
            raise Unrepresentable(f"The stored value is no valid {return_type.name}.") from error

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: None,
    ) -> AwaitableOrValue[list[Any]]:
        """Complete a list, and remove the rows that are left out."""
        found = super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)
        if not _is_row(item_type):
            return found
        return _later_without_left_out(found) if isinstance(found, Awaitable) else _without_left_out(found)

    def complete_list_item_value(
        self,
        item: Any,
        complete_results: list[Any],
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        item_path: Path,
        position_context: None,
    ) -> bool:
        """Add the completed item, or what marks it as left out, to `complete_results`; True if it is awaitable."""
        if not _is_row(item_type):
            return super().complete_list_item_value(
                item, complete_results, item_type, field_details_list, info, item_path, position_context
            )
        try:
            found = self.complete_value(item_type, field_details_list, info, item_path, item, position_context)
        except Exception as error:
            self._leave_out(error, item, field_details_list, item_path)
            complete_results.append(LEFT_OUT)
            return False
        if not isinstance(found, Awaitable):
            complete_results.append(found)
            return False

        async def complete_later() -> Any:
            try:
                return await found
            except Exception as error:
                self._leave_out(error, item, field_details_list, item_path)
                return LEFT_OUT

        complete_results.append(complete_later())
        return True

    def _leave_out(self, error: Exception, item: Any, field_details_list: FieldDetailsList, item_path: Path) -> None:
        """Record that a row is left out of its list.

        Raises:
            GraphQLError: the error is not that of a row.
        """
        nodes, place = to_nodes(field_details_list), item_path.as_list()
        located = located_error(error, nodes, place)
        cause = _cause(located)
        if not isinstance(cause, Unrepresentable | NotFound):
            raise located
        below = ".".join(map(str, (located.path or place)[len(place) :]))
        message = f"A row is left out of this list, for its `{below}`: {cause.message}" if below else cause.message
        row = getattr(item, "node", item)
        extensions = {"row": global_id(row)} if entity_named(type(row).__name__) else {}
        self.collected_errors.add(
            GraphQLError(message, nodes, path=place[:-1], original_error=cause, extensions=extensions), item_path
        )


def _is_row(item_type: GraphQLOutputType) -> bool:
    return is_non_null_type(item_type) and is_composite_type(get_nullable_type(item_type))


def _without_left_out(found: list[Any]) -> list[Any]:
    return [one for one in found if one is not LEFT_OUT]


async def _later_without_left_out(found: Awaitable[list[Any]]) -> list[Any]:
    return _without_left_out(await found)


def _cause(error: GraphQLError) -> BaseException | None:
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause
