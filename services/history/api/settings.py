"""Options of the API."""

from pathlib import Path

from pydantic import Field, field_validator

from shared.events.amounts import currency_of
from shared.rollups.commerce import DEFAULT_CURRENCY
from shared.runtime.settings import EnvironmentSettings, ListeningAddress, Port


class ApiSettings(EnvironmentSettings):
    """Where the API listens, for whom, and how much it may ask of PostgreSQL."""

    history_api_address: ListeningAddress = Field(
        default="127.0.0.1",
        description="IP address that the API listens on; others than loopback need API_KEYS_FILE.",
    )
    history_api_port: Port = Field(default=8090, description="Port of the API of history; 0 disables it.")
    history_api_questions: int = Field(
        default=4, ge=1, le=100, description="Most questions that PostgreSQL works on at once; others wait."
    )
    history_api_seconds: float = Field(
        default=30, gt=0, le=600, description="Longest time in seconds that a question may take."
    )
    history_columns_megabytes: int = Field(
        default=768,
        ge=0,
        le=1_000_000,
        description="Most memory in MB for the raw events of the latest days, about 28 bytes an event; an eighth of "
        "it is for what whole days contribute to questions. Memory answers at least ten times as fast as PostgreSQL. "
        "0 keeps none.",
    )
    revenue_currency: str = Field(
        default=DEFAULT_CURRENCY,
        pattern=r"^\s*[A-Za-z]{3}\s*$",
        description="The reporting currency, three letters by ISO 4217: that of amounts without one; "
        "others are shown apart.",
    )
    api_keys_file: Path | None = Field(
        default=None,
        examples=["/etc/clickpulse/api_keys.toml"],
        description="TOML file with those who may ask, as `clickpulse api-key` prints them. Unset: everybody on this "
        "machine, nobody else.",
    )

    @field_validator("revenue_currency")
    @classmethod
    def _in_upper_case(cls, currency: str) -> str:
        return currency_of(currency)
