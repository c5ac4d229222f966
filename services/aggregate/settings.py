"""Settings of the aggregate service."""

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class AggregateSettings(ServiceSettings):
    """The options of the aggregate service, beside those of every service."""

    aggregate_group: str = Field(
        default="aggregate", min_length=1, description="Consumer group of the aggregate service."
    )
    state_dir: Path = Field(
        default=Path("state"), description="Folder of the RocksDB databases, one a partition; keep it on a volume."
    )
    aggregate_batch_records: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Most records of a micro-batch."
    )
    expose_pii: bool = Field(
        default=False, description="Publish IP addresses and birth dates in full instead of truncated and not at all."
    )
