"""The event log on Kafka, through Quix Streams."""
