"""Records: conversion of values that stores and services return to objects of the graph."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Any, Self


class FromRecord:
    """A GraphQL type whose objects are made of records.

    A type with names or values of its own overrides `from_record`.
    """

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """The object with the record's attributes of the same names; records inside of it are read by name too."""
        return cls(**{name: getattr(record, name) for name in _stored(cls)})  # type: ignore[arg-type]  # classes are hashable


@cache
def _stored(type_: Hashable) -> tuple[str, ...]:
    """The names of the fields that have no resolver."""
    definition = type_.__strawberry_definition__  # type: ignore[attr-defined]  # put there by Strawberry
    return tuple(field.python_name for field in definition.fields if field.base_resolver is None)
