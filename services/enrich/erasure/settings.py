"""Settings of `clickpulse forget` and `clickpulse export`."""

from pydantic import Field

from services.enrich.settings import LookupSettings
from shared.runtime.history_place import HistoryPlaceSettings
from shared.runtime.settings import TopicName


class ErasureSettings(LookupSettings, HistoryPlaceSettings):
    """The log, Redis, history, and how enrich and detect are set, so that everything of a visitor is found."""

    offers_topic: TopicName = Field(default="special-offers", description="Topic of special offers.")
