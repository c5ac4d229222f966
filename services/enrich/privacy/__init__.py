"""Pseudonyms and truncated addresses."""
