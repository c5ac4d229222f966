"""Options of the collector."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from shared.runtime.settings import ListeningAddress, Port, ServiceSettings, TopicName


class CollectSettings(ServiceSettings):
    """The options that only collect has."""

    collect_address: ListeningAddress = Field(
        default="127.0.0.1", description="IP address that the collector listens on; 0.0.0.0 is every interface."
    )
    collect_port: Port = Field(default=8080, ge=1, description="Port that the collector listens on.")
    collect_script: str = Field(
        default="/s.js",
        pattern=r"^/[A-Za-z0-9._-]{1,100}$",
        description="Path of the script for pages. A name of your own keeps it off the lists of blockers.",
    )
    collect_shop: Path | None = Field(
        default=None,
        examples=["shop.json"],
        description="Catalogue of a demonstration shop, as `clickpulse generate --lookups` writes it; its pages are "
        "served on all other paths. Unset: no shop.",
    )
    offers_topic: TopicName = Field(default="special-offers", description="Topic of special offers.")
    sites_file: Path | None = Field(
        default=None,
        examples=["/etc/clickpulse/sites.toml"],
        description="TOML file with the sites whose clicks are accepted. Unset: every site, from every page.",
    )
    trusted_proxies: str = Field(
        default="",
        examples=["10.0.0.0/8,::1"],
        description="Networks of the proxies whose X-Forwarded-For, Forwarded or CF-Connecting-IP is believed, "
        "separated by commas.",
    )
    gpc: Literal["ignore", "anonymous", "drop"] = Field(
        default="anonymous",
        description="Visitors whose browser sends Sec-GPC or DNT: count like others (ignore), count without following "
        "them beyond half an hour (anonymous), or not at all (drop).",
    )
    collect_salt: str | None = Field(
        default=None,
        min_length=16,
        examples=["$(openssl rand -hex 32)"],
        repr=False,
        description="Secret to derive the daily salts of visitors from. Unset: random salts in Redis, deleted a day "
        "after theirs.",
    )
    collect_max_body_bytes: int = Field(
        default=512_000, ge=1024, le=16 << 20, description="Largest body of a request, also when unpacked."
    )
    collect_max_events: int = Field(default=1_000, ge=1, le=100_000, description="Most events in a request.")
    collect_request_seconds: float = Field(
        default=10, gt=0, le=300, description="Longest time in seconds that a request may take to arrive."
    )
    collect_connections: int = Field(default=4_096, ge=1, le=1_000_000, description="Most connections at once.")
    collect_events_per_second: float = Field(
        default=100, gt=0, description="Events per second of an address without a key, after a burst of ten times that."
    )
    collect_site_events_per_second: float = Field(
        default=10_000, gt=0, description="Events per second of a site, after a burst of twice that."
    )

    collect_dead_letter_bytes_per_second: float = Field(
        default=100_000,
        gt=0,
        description="Bytes per second of malformed requests that are kept as dead letters, after a burst of a "
        "minute's; further ones are only counted. A site's servers, which show its key, have as many again.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        try:
            _networks(text)
        except ValueError as error:
            raise ValueError(f"expected networks such as 10.0.0.0/8,::1; {error}") from None
        return text

    @property
    def trusted_networks(self) -> list[IPv4Network | IPv6Network]:
        """`trusted_proxies`, parsed."""
        return _networks(self.trusted_proxies)


def _networks(text: str) -> list[IPv4Network | IPv6Network]:
    return [ip_network(part.strip()) for part in text.split(",") if part.strip()]
