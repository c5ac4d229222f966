"""`--help` of every command that reads settings lists all of them."""

import pytest
from pydantic_settings import BaseSettings

from services import cli
from services.access.settings import AccessSettings
from services.aggregate.proof.settings import ProofSettings
from services.aggregate.settings import AggregateSettings
from services.collect.settings import CollectSettings
from services.dashboard.settings import DashboardSettings
from services.dashboard.sign_in.settings import SignInSettings
from services.demo.settings import DemoSettings
from services.detect.settings import DetectSettings
from services.enrich.erasure.settings import ErasureSettings
from services.enrich.settings import EnrichSettings
from services.history.settings import HistorySettings
from services.traffic.settings import TrafficSettings
from shared.runtime.settings import ServiceSettings

SETTINGS: dict[str, type[BaseSettings]] = {
    "demo": DemoSettings,
    "collect": CollectSettings,
    "enrich": EnrichSettings,
    "aggregate": AggregateSettings,
    "detect": DetectSettings,
    "history": HistorySettings,
    "dashboard": DashboardSettings,
    "generate": TrafficSettings,
    "replay": TrafficSettings,
    "load-lookups": ServiceSettings,
    "dead-letters": ServiceSettings,
    "share": SignInSettings,
    "forget": ErasureSettings,
    "export": ErasureSettings,
    "access": AccessSettings,
    "prove": ProofSettings,
}


def test_every_command_is_checked() -> None:
    read_one_or_none = {"health", "hash-password", "api-key"}
    assert SETTINGS.keys() == cli.SUBCOMMANDS.keys() - read_one_or_none


@pytest.mark.parametrize("name", SETTINGS)
def test_help_lists_every_setting(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert [variable for variable in SETTINGS[name].model_fields if f"\n  {variable.upper()}=" not in text] == []
    assert "xit codes: 0" in text
