"""Settings of `clickpulse access`: those that name what the services read and write."""

from typing import Annotated

from pydantic import AfterValidator, Field

from services.access.names import Names
from shared.runtime.settings import ServiceSettings, TopicName
from shared.runtime.site_prefixes import read_site_prefixes


def _checked(sites: str) -> str:
    read_site_prefixes(sites)
    return sites


class AccessSettings(ServiceSettings):
    """Set them as for the services."""

    offers_topic: TopicName = Field(default="special-offers", description="Topic of special offers.")
    aggregate_group: str = Field(
        default="aggregate", min_length=1, description="Consumer group of the aggregate service."
    )

    dashboard_sites: Annotated[str, AfterValidator(_checked)] = Field(
        default="",
        examples=["All sites=,Shop=shop:"],
        description="Sites to switch between, each with the REDIS_PREFIX of its numbers: All sites=,Shop=shop:. "
        "The first one is shown first. Unset: only those under REDIS_PREFIX.",
    )

    @property
    def names(self) -> Names:
        """The topics and groups."""
        prefixes = [site.prefix for site in read_site_prefixes(self.dashboard_sites)]
        return Names(
            self.raw_topic,
            self.enriched_topic,
            self.offers_topic,
            self.aggregate_group,
            tuple(prefix for prefix in prefixes if prefix != self.redis_prefix),
        )
