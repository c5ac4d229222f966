"""Everything the dashboard reads from Redis and from history. All viewers share each answer."""
