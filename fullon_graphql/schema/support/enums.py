"""Python enums as GraphQL enums. Those of lower layers know nothing of GraphQL, so they are described here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar, cast

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

E = TypeVar("E", bound=Enum)


def described(enum: type[E], description: str, values: Mapping[E, str]) -> None:
    """Declare `enum` a GraphQL enum with the names of its members, and a description on it and on each of them."""
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = cast("Any", enum).__strawberry_definition__
    for value in definition.values:
        value.description = values[enum(value.value)]
