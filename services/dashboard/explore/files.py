"""What the explore page can be taken home as: an exploration made into CSV files. Pure.

Every time in a file is UTC. A count that is not known, as a minute of its stretch is not there, is an empty cell.
"""

from collections.abc import Callable
from typing import Final

from services.dashboard.explore import distributions, exploration
from services.dashboard.explore import tables as explore_tables
from services.dashboard.explore.exploration import MEASURES, NAMES, Choices, Exploration
from services.dashboard.explore.selection import Span
from services.dashboard.kit import csv_file as spreadsheet
from services.dashboard.kit.csv_file import Cell
from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second

MOST_ROWS: Final = 50_000
"""Of names and of events, which have no end otherwise."""


def file_name(kind: str, found: Exploration) -> str:
    """`clickpulse-series-2026-11-22T103000Z.csv`: with the first minute of the window."""
    return f"clickpulse-{kind}-{_start(found.span).replace(':', '')}.csv"


def _series(found: Exploration, choices: Choices) -> str:
    series, rolling = found.series, found.rolling
    titles = ["Start (UTC)", "Minutes", MEASURES[choices.measure]]
    rows: list[list[Cell]] = [
        [_start(series.span(place)), series.step_minutes, count] for place, count in enumerate(series.counts)
    ]
    if rolling:
        titles.append(f"Mean of {choices.rolling_minutes} min")
        rows = [[*row, mean] for row, mean in zip(rows, rolling, strict=True)]
    return spreadsheet.as_csv(titles, rows)


def _breakdown(found: Exploration, choices: Choices) -> str:
    ranked = distributions.rank(found.selection, choices.breakdown, MOST_ROWS)
    titles = [NAMES[choices.breakdown], "Views", "Visitors"]
    return spreadsheet.as_csv(titles, zip(ranked.names, ranked.views, ranked.visitors, strict=True))


def _density(found: Exploration, choices: Choices) -> str:
    density, step = found.density, found.density.step_minutes
    rows: list[list[Cell]] = []
    for place, counts in enumerate(density.counts.T.tolist()):
        stretch = Span(density.first_minute + (place + 1) * step, step)
        is_known = found.unread.isdisjoint(range(stretch.first_minute, stretch.end_minute))
        rows += [
            [_start(stretch), step, name, count if is_known else None]
            for name, count in zip(density.names, counts, strict=True)
        ]
    return spreadsheet.as_csv(["Start (UTC)", "Minutes", NAMES[choices.density], "Views"], rows)


def _histograms(found: Exploration, choices: Choices) -> str:
    drawn = (
        ("Events per visitor", "Visitors", found.events_per_visitor),
        ("Age", MEASURES[choices.measure], found.ages),
    )
    rows: list[list[Cell]] = [
        [title, label, noun, count]
        for title, noun, histogram in drawn
        for label, count in zip(histogram.labels, histogram.counts, strict=True)
    ]
    return spreadsheet.as_csv(["Histogram", "Class", "Counted", "Count"], rows)


def _events(found: Exploration, _choices: Choices) -> str:
    titles = [f"{title} (UTC)" if name == "timestamp" else title for title, name in explore_tables.EVENT_COLUMNS]
    events = exploration.latest_events(found.focused, MOST_ROWS)
    return spreadsheet.as_csv(titles, map(explore_tables.event_cells, events))


def _start(span: Span) -> str:
    return iso_second(span.first_minute * MINUTE_MS)


FILES: Final[dict[str, Callable[[Exploration, Choices], str]]] = {
    "series": _series,
    "breakdown": _breakdown,
    "density": _density,
    "histograms": _histograms,
    "events": _events,
}
"""By kind, what makes a file of it."""
