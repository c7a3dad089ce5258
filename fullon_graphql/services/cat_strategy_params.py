"""Parameters of strategy templates, the same for everybody who is signed in."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import CatStrategyParam
from fullon_graphql.services.access import shared_rows


def visible(caller: Caller) -> Select[tuple[CatStrategyParam]]:
    """The parameters of templates `caller` may see."""
    return shared_rows(CatStrategyParam, caller)
