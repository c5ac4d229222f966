"""A module for each card of a long window."""
