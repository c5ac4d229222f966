"""The downloads of the Explore page as CSV. Pure.

Times are UTC. The count of a bucket with a missing minute is an empty cell.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.dashboard.explore import captions
from services.dashboard.explore.counting import distributions
from services.dashboard.explore.counting.latest_events import latest_events
from services.dashboard.explore.counting.selection import Span
from services.dashboard.explore.exploration import Exploration
from services.dashboard.kit.csv_file import Cell, as_csv
from services.dashboard.kit.time_zones import UTC_CLOCK
from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second

MOST_ROWS: Final = 50_000
"""Most names or events in a file."""


def file_name(kind: str, found: Exploration) -> str:
    """`clickpulse-series-2026-11-22T103000Z.csv`, by the first minute of the window."""
    return f"clickpulse-{kind}-{_start(found.span).replace(':', '')}.csv"


def _series(found: Exploration) -> str:
    series, rolling = found.series, found.rolling
    titles = ["Start (UTC)", "Minutes", captions.measure(found)]
    rows: list[list[Cell]] = [
        [_start(series.span(place)), series.step_minutes, count] for place, count in enumerate(series.counts)
    ]
    if rolling:
        titles.append(f"Mean of {found.choices.rolling_minutes} min")
        rows = [[*row, mean] for row, mean in zip(rows, rolling, strict=True)]
    return as_csv(titles, rows)


def _breakdown(found: Exploration) -> str:
    ranked = distributions.rank(found.selection, found.choices.breakdown, MOST_ROWS)
    titles = [found.columns.breakdowns[found.choices.breakdown], "Views", "Visitors"]
    return as_csv(titles, zip(ranked.names, ranked.views, ranked.visitors, strict=True))


def _density(found: Exploration) -> str:
    density, step = found.density, found.density.step_minutes
    rows: list[list[Cell]] = []
    for place, counts in enumerate(density.counts.T.tolist()):
        bucket = Span(density.first_minute + (place + 1) * step, step)
        is_known = found.unread.isdisjoint(range(bucket.first_minute, bucket.end_minute))
        rows += [
            [_start(bucket), step, name, count if is_known else None]
            for name, count in zip(density.names, counts, strict=True)
        ]
    return as_csv(["Start (UTC)", "Minutes", found.columns.breakdowns[found.choices.density], "Views"], rows)


def _histograms(found: Exploration) -> str:
    drawn = (
        ("Events per visitor", "Visitors", found.events_per_visitor),
        ("Age", captions.measure(found), found.ages),
    )
    rows: list[list[Cell]] = [
        [title, label, noun, count]
        for title, noun, histogram in drawn
        for label, count in zip(histogram.labels, histogram.counts, strict=True)
    ]
    return as_csv(["Histogram", "Class", "Counted", "Count"], rows)


def _events(found: Exploration) -> str:
    labels = found.columns.listed
    titles = [f"{label} (UTC)" if name == "timestamp" else label for name, label in labels.items()]
    return as_csv(
        titles, ([_cell(event, name) for name in labels] for event in latest_events(found.focused, MOST_ROWS))
    )


def _cell(event: Mapping[str, Any], name: str) -> Cell:
    cell: Cell = UTC_CLOCK.full_time(event[name]) if name == "timestamp" else event[name]
    return cell


def _start(span: Span) -> str:
    return iso_second(span.first_minute * MINUTE_MS)


FILES: Final[dict[str, Callable[[Exploration], str]]] = {
    "series": _series,
    "breakdown": _breakdown,
    "density": _density,
    "histograms": _histograms,
    "events": _events,
}
"""The content of a download, by kind."""
