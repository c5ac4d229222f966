"""Options of the history service."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import ServiceSettings

_MOST_DAYS = 36_500  # a hundred years


class HistorySettings(ServiceSettings):
    """Settings of history beyond those of every service."""

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
    history_batch_records: int = Field(
        default=5_000, ge=1, le=100_000, description="Maximum records that are stored in one transaction."
    )
    retention_raw_days: int = Field(
        default=30, ge=1, le=_MOST_DAYS, description="Days that PostgreSQL keeps events, by event time."
    )
    retention_1m_days: int = Field(
        default=400,
        ge=1,
        le=_MOST_DAYS,
        description="Days that PostgreSQL keeps the rollups of minutes; those of hours and days stay.",
    )
