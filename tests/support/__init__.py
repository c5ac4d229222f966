"""Shared by tests: fakes, samples, servers and the oracle."""
