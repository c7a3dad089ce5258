"""Fallback: the signal that an operation has to be executed by the reference."""

from __future__ import annotations

from typing import Literal

Kind = Literal["caller", "input", "operation", "row", "value"]
"""The cause: the caller, an argument, the operation itself, a missing row, or a value that JSON cannot represent."""


class Fallback(Exception):  # control flow, not an error
    """The planner does not support the operation, or execution met something that the reference has to report.

    The reason names fields and types of the schema only, never client input.
    """

    def __init__(self, reason: str, kind: Kind = "operation") -> None:
        super().__init__(reason)
        self.kind: Kind = kind
