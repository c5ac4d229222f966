"""Who may do what in Redis and Kafka: one table for the documentation, the tests and the containers."""
