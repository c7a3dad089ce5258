"""PostgreSQL and Redis from Python wheels, for the demo and the tests, and the demo's data."""

from fullon_graphql.embedded.engines.data_folder import remove_demo_env, write_demo_env
from fullon_graphql.embedded.engines.errors import EngineError
from fullon_graphql.embedded.engines.running import Engines, running_engines

__all__ = ["EngineError", "Engines", "remove_demo_env", "running_engines", "write_demo_env"]
