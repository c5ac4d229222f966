"""Which events no figure will show because of their time, and what to do about it. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.events.time_units import HALF_HOUR_MS
from shared.events.timestamps import FUTURE_TOLERANCE_MS
from shared.rollups.model import HALF_HOURS_SHOWN

_WINDOW_HOURS: Final = HALF_HOURS_SHOWN // 2  # in full, besides the running half hour


class Uncounted(StrEnum):
    """Why a sent event will be in no figure."""

    LATE = "late"  # older than every window: aggregate counts it as late and drops it
    FUTURE = "future"  # enrich makes it a dead letter


def uncounted(timestamp_ms: int, arrival_ms: int) -> Uncounted | None:
    """Why an event that arrives in the log at `arrival_ms` will be in no figure; None for one that is counted."""
    if timestamp_ms < (arrival_ms // HALF_HOUR_MS - HALF_HOURS_SHOWN + 1) * HALF_HOUR_MS:
        return Uncounted.LATE
    if timestamp_ms > arrival_ms + FUTURE_TOLERANCE_MS:
        return Uncounted.FUTURE
    return None


def advice(*, is_shifted: bool, is_repeatable: bool) -> Mapping[Uncounted, str]:
    """What to tell the user for each reason, in a replay with --shift-to-now or without, of a file or of a pipe."""
    if is_shifted:
        way = "the recording is longer than the windows; --speed 1 sends each event at its own time"
    elif is_repeatable:
        way = "use --shift-to-now"
    else:
        way = "save the recording to a file, and use --shift-to-now"
    return {
        Uncounted.LATE: f"older than every window ({_WINDOW_HOURS} h), so in no figure: {way}",
        Uncounted.FUTURE: f"more than {FUTURE_TOLERANCE_MS // 1000} s ahead of the clock, so dead letters: {way}",
    }
