"""The settings that `--help` lists."""

from typing import Literal

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings

from shared.runtime.settings_help import service_parser, settings_help


class Settings(BaseSettings):
    port: int = Field(default=8501, description="Port to listen on.")
    salt: str | None = Field(default=None, repr=False, description="Secret.")
    share: float = Field(default=1.0, description="Share of a minute.")
    is_open: bool = Field(default=False, description="Opens it.")
    mechanism: Literal["PLAIN", "SCRAM"] | None = Field(default=None, description="SASL mechanism.")


def test_each_setting_has_its_default_its_meaning_and_its_choices() -> None:
    assert settings_help(Settings).splitlines()[1:] == [
        "  PORT=8501",
        "      Port to listen on.",
        "  SALT=",
        "      Secret. Or set SALT_FILE to a file that holds it.",
        "  SHARE=1",
        "      Share of a minute.",
        "  IS_OPEN=false",
        "      Opens it.",
        "  MECHANISM=",
        "      SASL mechanism. One of PLAIN, SCRAM.",
    ]


def test_a_service_prints_its_settings_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        service_parser("enrich", "Adds things.", Settings).parse_args(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "usage: clickpulse enrich" in text
    assert settings_help(Settings) in text
    assert "Exit codes: 0 stopped" in text
