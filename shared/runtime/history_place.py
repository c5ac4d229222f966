"""Where history's PostgreSQL is."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import EnvironmentSettings


class HistoryPlaceSettings(EnvironmentSettings):
    """What history itself and the commands that reach into its tables need."""

    history_url: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        examples=["postgresql://clickpulse@postgres/clickpulse"],
        description="PostgreSQL: postgresql://[user:password@]host[:port]/database. Unset: a PostgreSQL of its own in "
        "HISTORY_DIR.",
    )
    history_dir: Path = Field(
        default=Path("history"), description="Folder of that PostgreSQL's data; keep it on a volume."
    )
