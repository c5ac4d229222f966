"""`clickpulse load-lookups`: products and visitors from files into Redis."""
