"""Settings, read once from the environment and files, and passed down by the composition root."""

from __future__ import annotations

from fullon_graphql.config.settings import DEFAULT_TICKER_MAX_AHEAD as DEFAULT_TICKER_MAX_AHEAD
from fullon_graphql.config.settings import INSECURE_SECRET as INSECURE_SECRET
from fullon_graphql.config.settings import Settings as Settings
from fullon_graphql.config.settings import Subgraph as Subgraph
from fullon_graphql.config.settings import load_settings as load_settings
from fullon_graphql.config.sources import demo_env_file as demo_env_file
from fullon_graphql.config.sources import home as home
