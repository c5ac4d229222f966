"""What a viewer chose to explore. Pure.

Choices are kept in the page's address, so they are parsed from untrusted text.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.dashboard.explore.columns import COLUMNS
from services.dashboard.explore.counting.selection import Filter, Span
from services.dashboard.explore.counting.series import Measure
from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import LATEST_MS, iso_second, parse_iso_second

WINDOWS: Final = {15: "15 min", 30: "30 min", 60: "1 h", 120: "2 h", 240: "4 h", 480: "8 h"}
STEPS: Final = {1: "minute", 5: "5 min", 30: "half hour", 60: "hour"}
ROLLING: Final = {0: "Off", 5: "5 min", 15: "15 min", 30: "30 min", 60: "1 h"}
MEASURES: Final[Mapping[Measure, str]] = {"views": "Views", "visitors": "Visitors"}

EVERYTHING: Final = Filter()
_LONGEST_MINUTES: Final = 1440
_LENGTH: Final = re.compile("[0-9]{1,4}")

# Three days inside what datetime can show: the longest spans, and then some, are shown in any time zone.
_MINUTES: Final = range(3 * 1440, LATEST_MS // MINUTE_MS - 3 * 1440)


@dataclass(frozen=True, slots=True)
class Focus:
    """The events behind one number: a span, and a name in a dimension if the number is about one."""

    span: Span
    dimension: str | None = None
    name: str = ""

    def __str__(self) -> str:
        text = f"{iso_second(self.span.first_minute * MINUTE_MS)}/{self.span.minutes}"
        return text if self.dimension is None else f"{text}/{self.dimension}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """All that the viewer chose; `at_minute` is the last minute shown, None for the newest."""

    window_minutes: int = 60
    step_minutes: int = 1
    measure: Measure = "views"
    rolling_minutes: int = 0
    wanted: Filter = EVERYTHING
    breakdown: str = "category"
    density: str = "category"
    backlog_minutes: int = 60
    at_minute: int | None = None
    focus: Focus | None = None


def usual_breakdown(names: Mapping[str, Sequence[str]]) -> str:
    """The breakdown before the viewer chooses one: by page where no event has a product. `names` by dimension."""
    return "page" if _has_only_pages(names) else "category"


def usual_density(names: Mapping[str, Sequence[str]]) -> str:
    """The rows of the heatmap before the viewer chooses them. Pages are too many."""
    return "country" if _has_only_pages(names) else "category"


def _has_only_pages(names: Mapping[str, Sequence[str]]) -> bool:
    return bool(names["page"]) and not names["category"]


def read_focus(text: object, dimensions: Collection[str] = COLUMNS.breakdowns) -> Focus | None:
    """Parse the `str` of a focus; None for anything else."""
    if not isinstance(text, str):
        return None
    label, _, rest = text.partition("/")
    minutes, _, about = rest.partition("/")
    dimension, _, name = about.partition("/")
    first = read_minute(label)
    if first is None or not _LENGTH.fullmatch(minutes) or not 0 < int(minutes) <= _LONGEST_MINUTES:
        return None
    if about and dimension not in dimensions:
        return None
    return Focus(Span(first + int(minutes), int(minutes)), dimension or None, name)


def read_minute(label: object) -> int | None:
    """The minute of its label; None for anything else, and for one that is not shown."""
    try:
        minute = parse_iso_second(label) // MINUTE_MS if isinstance(label, str) else None
    except (ValueError, OverflowError):
        return None
    return minute if minute is not None and is_shown(minute) else None


def is_shown(minute: int) -> bool:
    """Whether a window of any length can end with that minute, in any time zone."""
    return minute in _MINUTES
