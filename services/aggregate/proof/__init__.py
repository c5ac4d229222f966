"""`clickpulse prove`: counts the event log again, by brute force, and compares every rollup in Redis with that."""
