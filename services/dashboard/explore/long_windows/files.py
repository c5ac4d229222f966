"""The downloads of a long window as CSV. Pure.

Times are UTC, apart from the hours of the week. What is unknown is an empty cell.
"""

from collections.abc import Callable, Mapping
from typing import Final

from services.dashboard.explore.long_windows.answers import Row, Said, known_number, ms, number_of
from services.dashboard.explore.long_windows.choices import BREAKDOWNS, EARLIER
from services.dashboard.explore.long_windows.found import Part, Seen
from services.dashboard.explore.long_windows.measures import AMOUNTS, BESIDE, LABELS, LongMeasure, is_sales
from services.dashboard.explore.long_windows.weekdays import DAY_NAMES, week_of
from services.dashboard.kit.csv_file import Cell, as_csv
from services.dashboard.kit.time_zones import Clock
from shared.events.timestamps import iso_second

PARTS: Final[Mapping[str, Part]] = {"series": "series", "breakdown": "ranked", "weekdays": "hours"}
"""Which answer a file is of, by its kind."""


def file_name(kind: str, said: Said) -> str:
    """`clickpulse-series-2026-11-22T103000Z.csv`, by the start of the window."""
    return f"clickpulse-{kind}-{iso_second(ms(said.window.start)).replace(':', '')}.csv"


def _series(seen: Seen, _clock: Clock) -> str:
    said, choices = seen.said, seen.choices
    noun = LABELS[choices.measure]
    titles = ["Start (UTC)", "End (UTC)", _title(choices.measure, said.currency)]
    rows: list[list[Cell]] = [[*_ends(row), known_number(row, said, choices.measure)] for row in said.rows]
    if said.compare is not None:
        titles += ["Start before (UTC)", f"{noun} {EARLIER.get(choices.compare, '')}"]
        before = [*said.compare.rows, *[None] * len(rows)]
        rows = [
            [*row, *([None, None] if own is None else [_ends(own)[0], known_number(own, said, choices.measure)])]
            for row, own in zip(rows, before, strict=False)
        ]
    return as_csv(titles, rows)


def _breakdown(seen: Seen, _clock: Clock) -> str:
    measure, label = seen.choices.measure, BREAKDOWNS[seen.choices.breakdown]
    if is_sales(measure):
        shown = (measure, BESIDE[measure])
        titles = [label, *(_title(own, seen.said.currency) for own in shown)]
        return as_csv(titles, ([row.name, *(number_of(row, own) for own in shown)] for row in seen.said.rows))
    titles = [label, "Views", "Visitors"]
    rows: list[list[Cell]] = [[row.name, row.views, row.visitors] for row in seen.said.rows]
    if any(row.visitor_days is not None for row in seen.said.rows):
        titles.append("Visitors of each day, added up")
        rows = [[*row, own.visitor_days] for row, own in zip(rows, seen.said.rows, strict=True)]
    return as_csv(titles, rows)


def _weekdays(seen: Seen, clock: Clock) -> str:
    week = week_of(seen.said, clock)
    zone = clock.name(ms(seen.said.window.end))
    rows: list[list[Cell]] = [
        [name, hour, mean, hours]
        for name, means, numbers in zip(DAY_NAMES, week.means, week.hours, strict=True)
        for hour, (mean, hours) in enumerate(zip(means, numbers, strict=True))
    ]
    return as_csv(["Weekday", f"Hour ({zone})", "Mean views", "Hours"], rows)


def _title(measure: LongMeasure, currency: str) -> str:
    return f"{LABELS[measure]} ({currency})" if measure in AMOUNTS and currency else LABELS[measure]


def _ends(row: Row) -> list[Cell]:
    return [None if end is None else iso_second(ms(end)) for end in (row.start, row.end)]


FILES: Final[Mapping[str, Callable[[Seen, Clock], str]]] = {
    "series": _series,
    "breakdown": _breakdown,
    "weekdays": _weekdays,
}
"""The content of a download, by kind."""
