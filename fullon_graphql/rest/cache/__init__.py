"""`/api/v1/cache`: live state from Redis."""
