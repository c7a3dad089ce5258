"""PostgreSQL: a bounded pool for SQLAlchemy, and a lighter one for precompiled statements."""

from fullon_graphql.database.database import APPLICATION, Database, record_statement, recorded_statements
from fullon_graphql.database.repeating import repeated

__all__ = ["APPLICATION", "Database", "record_statement", "recorded_statements", "repeated"]
