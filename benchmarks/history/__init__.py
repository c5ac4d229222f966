"""Measures history: what it costs to store events, and how long its answers take."""
