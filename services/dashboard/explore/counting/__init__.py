"""Counting the events of completed minutes."""
