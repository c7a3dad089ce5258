"""`/api/v1/orm`: users, bots, orders and the other tables of the platform."""
