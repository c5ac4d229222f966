"""`clickpulse collect --check`."""
