"""Literals: a rule for numbers in documents that graphql-core accepts although it refuses them as variables."""

from __future__ import annotations

import math
from typing import Any

from graphql import FloatValueNode, GraphQLError, GraphQLFloat, IntValueNode, ValidationRule, get_nullable_type

from fullon_graphql.errors import shortened


class FiniteFloats(ValidationRule):
    """Refuses literals of the type Float that are too large for a double-precision number."""

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> None:
        """Report a literal such as `1e400`."""
        self._check(node)

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        """Report an integer of more than 308 digits where a Float is expected."""
        self._check(node)

    def _check(self, node: FloatValueNode | IntValueNode) -> None:
        expected = self.context.get_input_type()
        if expected and get_nullable_type(expected) is GraphQLFloat and math.isinf(float(node.value)):
            message = f"Float cannot represent {shortened(node.value)}: it exceeds double precision."
            self.report_error(GraphQLError(message, node))
