"""Traffic into the event log: generated, or replayed from a file."""
