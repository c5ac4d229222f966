"""What the services share: event schemas, the event log, the Redis contract, settings, logs and health."""
