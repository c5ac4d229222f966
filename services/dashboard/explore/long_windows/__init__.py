"""Explore's windows beyond the minute segments, which history answers."""
