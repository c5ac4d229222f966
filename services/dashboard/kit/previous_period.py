"""Whether a site has a previous period to compare with. Pure."""

from shared.events.time_units import HALF_HOUR_MS, MINUTE_MS
from shared.rollups.contract import AudienceRollup
from shared.rollups.model import Meta


def first_event_by_ms(windows: AudienceRollup) -> int | None:
    """An instant by which the first event of the rollup's eight hours had happened; None without any.

    A site that sent its first event ten minutes ago has no previous hour, although nothing of that hour is missing.
    """
    minutes = [start + MINUTE_MS for start, views in windows.views_1m.items() if views]
    half_hours = [start + HALF_HOUR_MS for start, views in windows.views_30m.items() if views]
    return min([*minutes, *half_hours], default=None)


def is_covered(meta: Meta, windows: AudienceRollup, seconds: int) -> bool:
    """Whether the last `seconds` are loaded, and the site had an event before them."""
    by_ms = first_event_by_ms(windows)
    return meta.coverage_8h_s >= seconds and by_ms is not None and by_ms <= meta.as_of_ms - 1000 * seconds
