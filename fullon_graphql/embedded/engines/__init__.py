"""PostgreSQL and Redis from Python wheels: processes, data folder and system user."""
