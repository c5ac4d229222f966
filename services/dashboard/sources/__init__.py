"""Everything the dashboard reads from Redis, each answer shared by all viewers."""
