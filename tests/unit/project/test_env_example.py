"""`.env.example` lists exactly the options, with their defaults."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from services.access.settings import AccessSettings
from services.aggregate.settings import AggregateSettings
from services.collect.settings import CollectSettings
from services.dashboard.settings import DashboardSettings
from services.demo.settings import DemoSettings
from services.detect.settings import DetectSettings
from services.enrich.settings import EnrichSettings
from services.history.settings import HistorySettings
from services.traffic.settings import TrafficSettings
from shared.runtime.configuration import ConfigurationError
from shared.runtime.secret_files import is_secret
from shared.runtime.settings import read_settings
from shared.runtime.settings_help import as_variable

ROOT = Path(__file__).parents[3]
SETTINGS: tuple[type[BaseSettings], ...] = (
    AccessSettings,
    AggregateSettings,
    CollectSettings,
    DashboardSettings,
    DemoSettings,
    DetectSettings,
    EnrichSettings,
    HistorySettings,
    TrafficSettings,
)


_ABOUT_ANOTHER = ("is set, but", "required for", "is not set", "there is no sign-in")
"""Complaints about another setting, which is missing."""


def _options() -> dict[str, object]:
    return {name.upper(): field.default for settings in SETTINGS for name, field in settings.model_fields.items()}


def test_env_example_lists_every_option_with_its_default() -> None:
    listed = dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert listed == {name: as_variable(default) for name, default in _options().items()}


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_option_has_a_description(settings: type[BaseSettings]) -> None:
    assert [name for name, field in settings.model_fields.items() if not field.description] == []


def _complaint(settings: type[BaseSettings]) -> str | None:
    try:
        read_settings(settings)
    except ConfigurationError as error:
        return str(error)
    return None


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("value", ["x", "9" * 400, "-1", "inf", "nan", "user:hunter2@x", " "])
def test_a_rejected_value_gets_a_valid_example_and_is_not_shown_with_a_login(
    monkeypatch: pytest.MonkeyPatch, settings: type[BaseSettings], value: str
) -> None:
    for name in settings.model_fields:
        with monkeypatch.context() as given:
            given.setenv(name.upper(), value)
            told = _complaint(settings)
            assert told is None or "hunter2" not in told
            if told is None or any(reason in told for reason in _ABOUT_ANOTHER):
                continue
            example = re.search(rf"{name.upper()}=(.+?)(?:[;,] | \(| or |$)", told)
            assert example is not None, told
            given.setenv(name.upper(), example[1])
            again = _complaint(settings)
            assert again is None or any(reason in again for reason in _ABOUT_ANOTHER), again


def test_everything_that_sounds_secret_is_kept_out_of_logs_and_may_be_in_a_file() -> None:
    fields = {name: field for settings in SETTINGS for name, field in settings.model_fields.items()}
    sounding = {name for name in fields if re.search(r"password|secret|salt|token|redis_url", name)}
    files = {name for name in sounding if name.endswith("_file")}  # such as DASHBOARD_PASSWORD_FILE
    assert {name for name in sounding - files if not is_secret(fields[name])} == set()
