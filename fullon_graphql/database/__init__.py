"""PostgreSQL: a bounded pool for SQLAlchemy, and a lighter one for precompiled statements."""

from fullon_graphql.database.database import APPLICATION, Database, recorded_statements

__all__ = ["APPLICATION", "Database", "recorded_statements"]
