"""Prometheus and its tools for tests: Debian's package, which CI installs."""

import os
import shutil

import pytest


def promtool() -> str:
    """The path of promtool. Skips the test where it is missing, and fails it in CI."""
    return _program("promtool")


def prometheus() -> str:
    """The path of the server, as `promtool`."""
    return _program("prometheus")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"no {name}: install Debian's package prometheus"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
