"""Options of the detect service."""

from pydantic import Field

from shared.runtime.settings import ServiceSettings


class DetectSettings(ServiceSettings):
    """What detect needs beyond what every service does."""

    offers_topic: str = Field(default="special-offers", min_length=1, description="Topic of special offers.")
    detect_window_minutes: float = Field(
        default=30, gt=0, le=480, description="Minutes from a visitor's first interaction in which an offer is earned."
    )
