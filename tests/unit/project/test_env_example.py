"""`.env.example` lists exactly the options, with their defaults."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from services.access.settings import AccessSettings
from services.aggregate.settings import AggregateSettings
from services.dashboard.settings import DashboardSettings
from services.demo.settings import DemoSettings
from services.detect.settings import DetectSettings
from services.enrich.settings import EnrichSettings
from services.traffic.settings import TrafficSettings
from shared.runtime.settings_help import as_variable

ROOT = Path(__file__).parents[3]
SETTINGS: tuple[type[BaseSettings], ...] = (
    AccessSettings,
    AggregateSettings,
    DashboardSettings,
    DemoSettings,
    DetectSettings,
    EnrichSettings,
    TrafficSettings,
)


def _options() -> dict[str, object]:
    return {name.upper(): field.default for settings in SETTINGS for name, field in settings.model_fields.items()}


def test_env_example_lists_every_option_with_its_default() -> None:
    listed = dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert listed == {name: as_variable(default) for name, default in _options().items()}


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_option_has_a_description(settings: type[BaseSettings]) -> None:
    assert [name for name, field in settings.model_fields.items() if not field.description] == []
