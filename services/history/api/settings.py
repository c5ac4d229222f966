"""Options of the API."""

from pathlib import Path

from pydantic import Field

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
    api_keys_file: Path | None = Field(
        default=None,
        examples=["/etc/clickpulse/api_keys.toml"],
        description="TOML file with those who may ask, as `clickpulse api-key` prints them. Unset: everybody on this "
        "machine, nobody else.",
    )
