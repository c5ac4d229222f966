"""Tests of what every page is built with."""
