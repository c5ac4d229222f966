"""CSV files of the Explore page: what is shown, in UTC, and harmless to a spreadsheet."""

import csv
import io
from typing import Any

import pytest

from services.dashboard.explore.choices import Choices
from services.dashboard.explore.exploration import Exploration, explore
from services.dashboard.explore.files import FILES, file_name
from services.dashboard.sources.completed_minutes import CompletedMinutes, Gap
from services.dashboard.sources.segments import assemble, decode_segment
from tests.support.samples.segments import MINUTE, Row, by_segment, encoded

FORMULA = '=HYPERLINK("https://evil.example")'
END = MINUTE + 15
ROWS = [
    Row(minute=END - 1, visitor=1, category="Books", age=30, millisecond=500),
    Row(minute=END - 1, visitor=1, category=FORMULA),
    Row(minute=END - 1, visitor=2, category=FORMULA),
    Row(minute=END - 4, visitor=1, category=FORMULA, product=None),
]


def explored(rows: list[Row] = ROWS, **chosen: Any) -> Exploration:
    choices = Choices(**{"window_minutes": 15, "step_minutes": 5, "backlog_minutes": 15, **chosen})
    frame = assemble([decode_segment(name, encoded(own)) for name, own in by_segment(rows).items()])
    return explore(CompletedMinutes(frame, MINUTE, END, (Gap(MINUTE + 1, 3, "no arrow"),)), choices)


def table(kind: str, found: Exploration | None = None) -> list[list[str]]:
    return list(csv.reader(io.StringIO(FILES[kind](found or explored()).removeprefix("\ufeff"), newline="")))


def test_a_series_has_buckets_in_utc_and_empty_cells_for_unknown_counts() -> None:
    assert table("series") == [
        ["Start (UTC)", "Minutes", "Views"],
        ["2026-11-22T10:30:00Z", "5", ""],
        ["2026-11-22T10:35:00Z", "5", "0"],
        ["2026-11-22T10:40:00Z", "5", "4"],
    ]
    titles, *rows = table("series", explored(rolling_minutes=15, measure="visitors", window_minutes=5))
    assert titles == ["Start (UTC)", "Minutes", "Visitors", "Mean of 15 min"]
    assert rows == [["2026-11-22T10:40:00Z", "5", "2", ""]]


def test_a_breakdown_has_every_name_not_only_the_leading_ones() -> None:
    assert table("breakdown") == [["Category", "Views", "Visitors"], ["'" + FORMULA, "3", "2"], ["Books", "1", "1"]]
    many = [Row(minute=END - 1, page=f"/{number:02}", visitor=number) for number in range(40)]
    titles, *rows = table("breakdown", explored(many, breakdown="page"))
    assert titles == ["Page", "Views", "Visitors"]
    assert rows == [[f"/{number:02}", "1", "1"] for number in range(40)]


def test_a_heatmap_is_a_row_per_bucket_and_name() -> None:
    titles, *rows = table("density")
    assert titles == ["Start (UTC)", "Minutes", "Category", "Views"]
    starts = [f"2026-11-22T10:{minute}:00Z" for minute in (30, 35, 40)]
    counts = {("10:40", "'" + FORMULA): "3", ("10:40", "Books"): "1"}
    assert rows == [
        [start, "5", name, "" if start == starts[0] else counts.get((start[11:16], name), "0")]
        for start in starts
        for name in ("'" + FORMULA, "Books")
    ]


def test_histograms_say_what_they_count() -> None:
    titles, *rows = table("histograms")
    assert titles == ["Histogram", "Class", "Counted", "Count"]
    numbers = {tuple(row[:3]): row[3] for row in rows if row[3] != "0"}
    assert numbers == {
        ("Events per visitor", "1", "Visitors"): "1",
        ("Events per visitor", "3", "Visitors"): "1",
        ("Age", "25–34", "Views"): "1",
        ("Age", "unknown", "Views"): "3",
    }
    assert len(rows) == 9 + 8


def test_events_are_in_utc_newest_first() -> None:
    titles, first, *others = table("events")
    assert titles[:4] == ["Time (UTC)", "Visitor", "Product", "Category"]
    assert first[:4] == ["2026-11-22 10:44:00.500", "0:1", "p1", "Books"]
    assert [row[3] for row in others] == ["'" + FORMULA] * 3


@pytest.mark.parametrize("kind", FILES)
def test_an_empty_file_has_its_titles(kind: str) -> None:
    titles, *rows = table(kind, explored([]))
    assert len(titles) >= 3
    assert all(len(row) == len(titles) for row in rows)


def test_a_file_is_named_by_the_first_minute_of_its_window() -> None:
    assert file_name("series", explored()) == "clickpulse-series-2026-11-22T103000Z.csv"
