"""Tests of the Sales page."""
