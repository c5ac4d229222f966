"""The house rules of the design: which module may import which, as pyproject.toml writes them down."""

from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parents[3]


def test_the_import_rules_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    exit_code = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert exit_code == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out
