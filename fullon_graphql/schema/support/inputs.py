"""Fields of input types."""

from __future__ import annotations

from typing import Any

import strawberry

from fullon_graphql.schema.support.arguments import EXPECTED_TIMESTAMP


def required(description: str) -> Any:
    """A field that must be set."""
    return strawberry.field(description=description)


def optional(description: str, default: Any = strawberry.UNSET, name: str | None = None) -> Any:
    """A field that may be omitted; without a default it is then UNSET."""
    return strawberry.field(description=description, default=default, name=name)


def expected_timestamp() -> Any:
    """The precondition of an update."""
    return strawberry.field(description=EXPECTED_TIMESTAMP, default=None)


@strawberry.input(description="A parameter: a name and a value as text.")
class ParamInput:
    name: str = required("Name, unique in its list.")
    value: str = required("Value as text.")
