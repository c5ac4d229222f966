"""The names that rights depend on. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """Topics and the group that an operator can rename."""

    raw: str = "click-data"
    enriched: str = "enriched-click-data"
    offers: str = "special-offers"
    aggregate_group: str = "aggregate"
    site_prefixes: tuple[str, ...] = ()
    """Further prefixes of Redis keys, under which groups of aggregate publish a site each."""
