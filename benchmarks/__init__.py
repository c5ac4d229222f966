"""Measurements. They print and record results; they never pass or fail."""
