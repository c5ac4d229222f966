"""Fuzzing, as commands of their own."""
