"""Fuzzing commands."""
