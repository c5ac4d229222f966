"""PostgreSQL with TimescaleDB."""
