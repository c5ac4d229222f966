"""Settings of `clickpulse forget` and `clickpulse export`."""

from pydantic import Field

from services.enrich.settings import LookupSettings


class ErasureSettings(LookupSettings):
    """The log, Redis, and how enrich and detect are set, so that everything of a visitor is found."""

    offers_topic: str = Field(default="special-offers", min_length=1, description="Topic of special offers.")
