"""Products and visitors from Redis, behind bounded caches."""
