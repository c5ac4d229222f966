"""Whether a site has a previous period to compare with. Pure."""

from shared.events.time_units import HALF_HOUR_MS, MINUTE_MS
from shared.rollups.contract import AudienceRollup


def first_event_by_ms(windows: AudienceRollup) -> int | None:
    """An instant by which the first event of the rollup's eight hours had happened; None without any.

    A site that sent its first event ten minutes ago has no previous hour, although nothing of that hour is missing.
    """
    minutes = [start + MINUTE_MS for start, views in windows.views_1m.items() if views]
    half_hours = [start + HALF_HOUR_MS for start, views in windows.views_30m.items() if views]
    return min([*minutes, *half_hours], default=None)
