from __future__ import annotations

from tests.fixtures.demo import demo

__all__ = ["demo"]
