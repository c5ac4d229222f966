"""Settings of the aggregate service."""

from pathlib import Path
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from services.aggregate.columns.names import MOST_NAMES
from services.aggregate.columns.sales import MOST_SALES
from shared.events.amounts import currency_of
from shared.events.hosts import site_name
from shared.events.time_units import HOUR_SECONDS
from shared.rollups.commerce import DEFAULT_CURRENCY
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
    site: str | None = Field(
        default=None,
        examples=["shop.example"],
        description="Count only the events of this site, and publish them under a REDIS_PREFIX of its own, see "
        "docs/sites.md. Unset: all events.",
    )
    pipeline_prefix: str = Field(
        default="",
        max_length=64,
        examples=["all:"],
        description="With SITE: the REDIS_PREFIX of the other services; the event log on Redis and the erasures are "
        "under it.",
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
    max_names: int = Field(
        default=MOST_NAMES,
        ge=10,
        le=10_000_000,
        description="Most distinct pages, products, sources, … that a partition knows at once, of each; "
        "further ones count as (other).",
    )
    max_sales: int = Field(
        default=MOST_SALES,
        ge=10,
        le=100_000_000,
        description="Most orders and refunds of 8.5 hours that a partition keeps one by one (250,000: 8 a second, "
        "8 MB); further ones count as (other), totals stay exact.",
    )
    goals_file: Path | None = Field(
        default=None,
        examples=["/etc/clickpulse/goals.toml"],
        description="TOML file that names the goals, see docs/goals.md; read at the start, the same for all replicas.",
    )
    revenue_currency: str = Field(
        default=DEFAULT_CURRENCY,
        pattern=r"^\s*[A-Za-z]{3}\s*$",
        description="The reporting currency, three letters by ISO 4217: that of amounts without one; "
        "others are shown apart.",
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

    @field_validator("site")
    @classmethod
    def _is_a_site(cls, site: str | None) -> str | None:
        name = None if site is None else site_name(site)
        if site is not None and name is None:
            raise ValueError("expected a host, such as shop.example")
        return name

    @model_validator(mode="after")
    def _has_a_prefix(self) -> Self:
        if self.site is not None and not self.redis_prefix:
            raise ValueError(
                f"REDIS_PREFIX: is not set; SITE={self.site} needs one of its own, for example REDIS_PREFIX=shop:"
            )
        if self.site is not None and self.redis_prefix == self.pipeline_prefix:
            raise ValueError(
                f"REDIS_PREFIX: expected another one than PIPELINE_PREFIX, because SITE={self.site} must not overwrite "
                f"the numbers of all sites, got {self.redis_prefix!r} for both"
            )
        return self

    @field_validator("revenue_currency")
    @classmethod
    def _in_upper_case(cls, currency: str) -> str:
        return currency_of(currency)

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
    def group(self) -> str:
        """The consumer group: each site has its own, which reads all partitions."""
        return self.aggregate_group if self.site is None else f"{self.aggregate_group}-{self.site}"

    @property
    def shared_prefix(self) -> str:
        """As `ServiceSettings.shared_prefix`."""
        return self.redis_prefix if self.site is None else self.pipeline_prefix

    @property
    def topic_state_dir(self) -> Path:
        """The folder of this topic's databases, each in a folder named by its partition."""
        return self.state_dir / self.enriched_topic

    @property
    def segment_seconds(self) -> int:
        """How far back minute segments reach."""
        return round(self.segment_hours * HOUR_SECONDS)
