"""Tests of what the dashboard reads from Redis and from history."""
