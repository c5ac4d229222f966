"""Fixtures of the attacks."""

import os

import pytest


@pytest.fixture
def long() -> bool:
    """Whether this is `make attack`, which takes minutes instead of seconds."""
    return bool(os.environ.get("ATTACK_LONG"))
