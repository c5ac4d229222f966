"""Generators of files in this repository. Not installed."""
