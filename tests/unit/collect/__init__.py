"""Tests of `services/collect` without servers."""
