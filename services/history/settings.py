"""Options of the history service."""

from pydantic import Field

from services.history.api.settings import ApiSettings
from shared.runtime.history_place import HistoryPlaceSettings
from shared.runtime.settings import ServiceSettings

_MOST_DAYS = 36_500  # a hundred years


class HistorySettings(ServiceSettings, HistoryPlaceSettings, ApiSettings):
    """Settings of history beyond those of every service."""

    history_batch_records: int = Field(
        default=20_000, ge=1, le=100_000, description="Maximum records that are stored in one transaction."
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

    def shown(self) -> dict[str, object]:
        """The options for the log: either the folder of its own PostgreSQL or where the other one is."""
        options = super().shown()
        if self.history_url is not None:
            from services.history.sql.connecting import address_of  # others read these options without psycopg

            del options["history_dir"]
            options["postgres"] = address_of(self.history_url)
        return options
