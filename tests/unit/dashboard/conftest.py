"""Fixtures of the dashboard's unit tests."""

import pytest


@pytest.fixture(autouse=True)
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the app asks history on this machine, which may be that of another test's demo."""
    monkeypatch.setenv("HISTORY_API_URL", "http://127.0.0.1:9")
