"""PostgreSQL: a bounded pool for SQLAlchemy, and a lighter one for statements compiled beforehand."""

from fullon_graphql.database.database import APPLICATION, Database, overheard

__all__ = ["APPLICATION", "Database", "overheard"]
