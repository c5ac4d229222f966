"""The event log on Redis Streams."""
