"""Products and visitors as Redis holds them, behind bounded caches."""
