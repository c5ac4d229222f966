"""Options of the enrich service."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.runtime.settings import ServiceSettings


class EnrichSettings(ServiceSettings):
    """What enrich needs beyond what every service does."""

    enrich_batch_records: int = Field(
        default=5_000, ge=1, le=100_000, description="Most records of a micro-batch, which is one transaction."
    )
    lookup_cache_seconds: float = Field(
        default=45, gt=0, le=3600, description="Seconds that a product or visitor found in Redis is kept in memory."
    )
    lookup_missing_seconds: float = Field(
        default=10, gt=0, le=3600, description="Seconds for which an id that Redis lacks is not asked for again."
    )
    lookup_cache_entries: int = Field(
        default=200_000, ge=1, description="Most products, and most visitors, kept in memory."
    )
    lookup_on_failure: Literal["wait", "unknown"] = Field(
        default="wait",
        description="While Redis does not answer lookups: wait for it, or go on with unknown products and visitors.",
    )
    geoip_mmdb: Path | None = Field(
        default=None,
        description="File of countries by address in the MaxMind DB format (MaxMind, DB-IP). Unset: registry data.",
    )
    hash_user_id: Literal["off", "daily", "monthly"] = Field(
        default="off", description="Replace visitors by a salted hash; the salt changes at midnight UTC or by month."
    )
    hash_salt: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="Secret that the salts follow from. Unset: random salts in Redis, forgotten a day later.",
    )
    truncate_ip: bool = Field(
        default=False, description="Zero the last octet of an IP (IPv6: all but 48 bits), once its country is known."
    )
    bad_input_share: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of a minute's events, above which dead letters (10 or more) turn health to degraded.",
    )
