"""`/api/v1/orm`: people, bots, orders and the rest of the platform's tables."""
