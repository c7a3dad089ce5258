"""PostgreSQL and Redis from Python wheels: what the demo and the tests run on."""

from fullon_graphql.embedded.engines import Engines, engines
from fullon_graphql.embedded.errors import EngineError
from fullon_graphql.embedded.home import remove_demo_env, write_demo_env

__all__ = ["EngineError", "Engines", "engines", "remove_demo_env", "write_demo_env"]
