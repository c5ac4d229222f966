"""Sends traffic to the event log: generated, or replayed from a file."""
