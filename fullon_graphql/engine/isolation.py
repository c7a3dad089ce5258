"""A context of its own for every operation, also where one socket carries many of them for hours."""

from __future__ import annotations

from collections.abc import Iterator

from strawberry.extensions import SchemaExtension


class OwnContext(SchemaExtension):
    """Forks the context that the transport has made, so that no operation sees what another has loaded."""

    def on_operation(self) -> Iterator[None]:
        """Before anything of the operation runs."""
        self.execution_context.context = self.execution_context.context.fork()
        yield
