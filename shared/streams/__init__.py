"""The event log: one interface, on Kafka and on Redis Streams."""
