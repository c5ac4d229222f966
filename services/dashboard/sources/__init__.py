"""Everything the dashboard reads from Redis. All viewers share each answer."""
