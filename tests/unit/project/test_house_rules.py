"""The import rules in pyproject.toml hold."""

from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parents[3]


def test_import_rules_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    exit_code = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert exit_code == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out
