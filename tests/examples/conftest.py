from __future__ import annotations

from tests.fixtures.demo import demo, demo_environment

__all__ = ["demo", "demo_environment"]
