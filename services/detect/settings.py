"""Options of the detect service."""

from pydantic import Field

from shared.runtime.settings import ServiceSettings, TopicName


class DetectSettings(ServiceSettings):
    """Settings of detect beyond those of every service."""

    offers_topic: TopicName = Field(default="special-offers", description="Topic of special offers.")
    detect_window_minutes: float = Field(
        default=30,
        gt=0,
        le=480,
        description="Minutes from the first interaction within which a visitor can earn an offer.",
    )
    trust_claimed_profile: bool = Field(
        default=False, description="Choose offers by the gender and age that a click claims, where it claims any."
    )
