"""The trackers that people use, from a page or a server to the raw topic and to Redis."""
