"""Settings of the aggregate service."""

from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from shared.events.time_units import HOUR_SECONDS
from shared.runtime.settings import ServiceSettings

SERVICE: Final = "aggregate"


class AggregateSettings(ServiceSettings):
    """Settings of aggregate beyond those of every service."""

    aggregate_group: str = Field(
        default="aggregate", min_length=1, description="Consumer group of the aggregate service."
    )
    state_dir: Path = Field(
        default=Path("state"), description="Folder of the RocksDB databases, one per partition; keep it on a volume."
    )
    aggregate_batch_records: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Maximum records that are folded and stored together.",
    )
    segment_hours: float = Field(
        default=1, ge=0, le=8.5, description="How far back minute segments reach, in hours, at most 8.5; 0 writes none."
    )
    segment_max_events: int = Field(
        default=100_000,
        ge=1,
        le=1_000_000,
        description="Maximum events of a minute segment, at most 1,000,000; above it, a uniform sample.",
    )
    cluster_secret: str | None = Field(
        default=None,
        min_length=16,
        examples=["$(openssl rand -hex 32)"],
        repr=False,
        description="Secret of all replicas, at least 16 characters; they sign what they tell each other in Redis.",
    )
    expose_pii: bool = Field(
        default=False,
        description="Keep full IP addresses and birth dates, instead of truncated addresses and no birth dates.",
    )

    @field_validator("state_dir")
    @classmethod
    def _is_no_file(cls, path: Path) -> Path:
        try:
            is_usable = path.is_dir() or not path.exists()
        except OSError:  # such as a name that is too long
            is_usable = False
        if not is_usable:
            raise ValueError("expected a folder, or a path where one can be created")
        return path

    @property
    def topic_state_dir(self) -> Path:
        """The folder of this topic's databases, each in a folder named by its partition."""
        return self.state_dir / self.enriched_topic

    @property
    def segment_seconds(self) -> int:
        """How far back minute segments reach."""
        return round(self.segment_hours * HOUR_SECONDS)
