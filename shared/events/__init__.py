"""The events of the two topics: their schema, timestamps, and why one is refused. Pure."""
