"""Options of the enrich service."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.runtime.settings import ServiceSettings


class EnrichSettings(ServiceSettings):
    """The options that only enrich has."""

    enrich_batch_records: int = Field(
        default=5_000, ge=1, le=100_000, description="Largest micro-batch, in records; each is one transaction."
    )
    lookup_cache_seconds: float = Field(
        default=45, gt=0, le=3600, description="Seconds for which a product or visitor from Redis stays cached."
    )
    lookup_missing_seconds: float = Field(
        default=10, gt=0, le=3600, description="Seconds before asking Redis again for an id that it lacks."
    )
    lookup_cache_entries: int = Field(
        default=200_000, ge=1, description="Largest number of cached products, and of cached visitors."
    )
    lookup_on_failure: Literal["wait", "unknown"] = Field(
        default="wait",
        description="While Redis is unavailable for lookups: wait, or continue with unknown products and visitors.",
    )
    geoip_mmdb: Path | None = Field(
        default=None,
        description="Country database in the MaxMind DB format (MaxMind, DB-IP). Unset: registry data.",
    )
    hash_user_id: Literal["off", "daily", "monthly"] = Field(
        default="off", description="Replace user ids by a salted hash; the salt changes at midnight UTC or monthly."
    )
    hash_salt: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="Secret to derive the salts from. Unset: random salts in Redis, deleted a day later.",
    )
    truncate_ip: bool = Field(
        default=False, description="Zero the last octet of IPs (IPv6: all but 48 bits) after the country lookup."
    )
    bad_input_share: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of dead letters in a minute (10 or more) above which health is degraded.",
    )
