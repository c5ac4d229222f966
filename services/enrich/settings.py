"""Options of the enrich service and its commands."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from services.enrich.transform.rules import URL_PARAMETERS, Rules
from shared.runtime.settings import ServiceSettings


class LookupSettings(ServiceSettings):
    """What decides under which keys visitors are looked up."""

    hash_user_id: Literal["off", "daily", "monthly"] = Field(
        default="off", description="Replace user ids by a salted hash; the salt changes at midnight UTC or monthly."
    )
    hash_salt: str | None = Field(
        default=None,
        min_length=16,
        examples=["$(openssl rand -hex 32)"],
        repr=False,
        description="Secret to derive the salts from. Unset: random salts in Redis, deleted a day later.",
    )

    @property
    def erasure_key(self) -> bytes:
        """The key of the tokens of original ids, so that Redis alone does not link an erased id to its pseudonyms."""
        return self.hash_salt.encode() if self.hash_salt is not None and self.hash_user_id != "off" else b""


class EnrichSettings(LookupSettings):
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
    truncate_ip: bool = Field(default=False, description="Truncate IPs even with EXPOSE_PII, after the country lookup.")
    expose_pii: bool = Field(
        default=False,
        description="Keep full IP addresses and birth dates, instead of truncated addresses and no birth dates.",
    )
    url_parameters: str = Field(
        default=",".join(URL_PARAMETERS),
        description="Parameters that url and referrer keep, separated by commas; * stands for any characters.",
    )
    bad_input_share: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of dead letters in a minute (10 or more) above which health is degraded.",
    )

    @property
    def rules(self) -> Rules:
        """What an enriched click may carry."""
        return Rules(
            self.limits,
            url_parameters=tuple(name.strip() for name in self.url_parameters.split(",") if name.strip()),
            exposes_pii=self.expose_pii,
            truncates_ip=self.truncate_ip,
        )
