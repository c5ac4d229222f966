"""Settings of `clickpulse prove`."""

from services.aggregate.settings import AggregateSettings
from shared.runtime.history_place import HistoryPlaceSettings


class ProofSettings(AggregateSettings, HistoryPlaceSettings):
    """Those of aggregate, and where history's PostgreSQL is."""
