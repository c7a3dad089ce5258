"""Descriptions for Python enums of lower layers, which do not know GraphQL."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar, cast

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

E = TypeVar("E", bound=Enum)


def described(enum: type[E], description: str, values: Mapping[E, str]) -> None:
    """Declare `enum` as a GraphQL enum with a description for it and for each member."""
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = cast("Any", enum).__strawberry_definition__
    for value in definition.values:
        value.description = values[enum(value.value)]
