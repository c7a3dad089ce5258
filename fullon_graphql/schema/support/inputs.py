"""Fields of inputs, described in one line each."""

from __future__ import annotations

from typing import Any

import strawberry

from fullon_graphql.schema.support.arguments import EXPECTED_TIMESTAMP


def needed(description: str) -> Any:
    """A field that must be given."""
    return strawberry.field(description=description)


def optional(description: str, default: Any = strawberry.UNSET, name: str | None = None) -> Any:
    """A field that may be left out; without a default the resolver then knows that it was."""
    return strawberry.field(description=description, default=default, name=name)


def expected_timestamp() -> Any:
    """The precondition of a change."""
    return strawberry.field(description=EXPECTED_TIMESTAMP, default=None)


@strawberry.input(description="One parameter: a name and a text, whatever the strategy or exchange reads it as.")
class ParamInput:
    name: str = needed("Its name, unique among those it comes with.")
    value: str = needed("Its value, always as text.")
