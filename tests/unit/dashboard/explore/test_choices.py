"""Choices parsed from an untrusted address, and what is counted for them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.explore import exploration
from services.dashboard.explore.choices import Choices, Focus, read_focus, read_minute, usual_breakdown, usual_density
from services.dashboard.explore.counting.latest_events import latest_events
from services.dashboard.explore.counting.selection import Filter, Span
from services.dashboard.explore.exploration import explore
from services.dashboard.sources.completed_minutes import CompletedMinutes, Gap
from tests.support.samples.segments import MINUTE, Row
from tests.unit.dashboard.explore.test_exploration import frame_of

END = MINUTE + 60
EVENTS = [
    Row(minute=MINUTE + minute, visitor=minute % 7, millisecond=minute, country=("Kenya", "Peru")[minute % 2])
    for minute in range(60)
]
HOUR = CompletedMinutes(frame_of(EVENTS), MINUTE, END)


def test_a_site_without_products_is_broken_down_by_page() -> None:
    shop, site = frame_of([Row()]), frame_of([Row(product=None, category=None)])
    assert (usual_breakdown(shop.names), usual_density(shop.names)) == ("category", "category")
    assert (usual_breakdown(site.names), usual_density(site.names)) == ("page", "country")
    assert usual_breakdown(frame_of([Row(product=None, category=None, page=None)]).names) == "category"


@given(
    st.builds(
        Focus,
        st.builds(Span, st.integers(MINUTE, MINUTE + 10_000), st.integers(1, 1440)),
        st.sampled_from(["category", "page"]),
        st.text(),
    )
)
def test_a_focus_survives_the_address(focus: Focus) -> None:
    assert read_focus(str(focus)) == focus
    assert read_focus(str(Focus(focus.span))) == Focus(focus.span)


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "noon/5", "2026-11-22T10:30:00Z", "2026-11-22T10:30:00Z/0", "2026-11-22T10:30:00Z/-5",
     "2026-11-22T10:30:00Z/99999999999", "2026-11-22T10:30:00Z/٣", "2026-11-22T10:30:00Z/5/shoe size/9",
     "9999-99-99T10:30:00Z/5"],
)  # fmt: skip
def test_anything_but_a_focus_is_none(text: object) -> None:
    assert read_focus(text) is None


def test_anything_but_a_minute_is_none() -> None:
    assert read_minute("2026-11-22T10:30:00Z") == MINUTE
    assert [read_minute(text) for text in (None, "", "noon", 5, "2026-11-22T10:30:00+01:00")] == [None] * 5


def test_events_are_newest_first_and_limited_to_the_focus() -> None:
    found = explore(HOUR, Choices())
    newest = latest_events(found.focused, 5)
    assert [event["timestamp"] for event in newest] == [
        row.minute * 60_000 + row.millisecond for row in EVENTS[-1:-6:-1]
    ]
    assert newest[0]["visitor"] == "0:3"
    assert newest[0]["country"] == "Peru"
    focus = Focus(Span(MINUTE + 10, 4), "country", "Kenya")
    focused = explore(HOUR, Choices(focus=focus, wanted=Filter("human")))
    assert focused.focused_views == 2
    assert [event["timestamp"] // 60_000 for event in latest_events(focused.focused, 9)] == [MINUTE + 8, MINUTE + 6]
    assert (focused.views, focused.visitors) == (60, 7)  # the focus narrows nothing else


def test_events_of_a_minute_are_ordered_across_partitions() -> None:
    rows = [Row(partition=number % 3, millisecond=7 * number % 50, visitor=number) for number in range(50)]
    minutes = CompletedMinutes(frame_of(rows), MINUTE - 59, MINUTE + 1)
    listed = latest_events(explore(minutes, Choices()).focused, 10)
    assert [event["timestamp"] - MINUTE * 60_000 for event in listed] == list(range(49, 39, -1))


def test_a_minute_of_the_past_ends_everything() -> None:
    found = explore(HOUR, Choices(at_minute=MINUTE + 9, window_minutes=15, backlog_minutes=5))
    assert (found.span, found.views) == (Span(MINUTE + 10, 15), 10)
    assert found.series.counts == [None] * 5 + [1] * 10  # older minutes are unknown
    assert sum(found.ages.counts) == 5
    ahead = explore(HOUR, Choices(at_minute=END + 4, window_minutes=15))
    assert ahead.series.counts == [1] * 10 + [None] * 5


def test_a_gap_makes_its_bucket_unknown() -> None:
    found = explore(
        replace(HOUR, gaps=(Gap(END - 3, 0, "broken"), Gap(0, 0, "stray"))), Choices(window_minutes=15, step_minutes=5)
    )
    assert found.series.counts == [5, 5, None]
    assert found.unread == {END - 3}


def test_the_rolling_mean_begins_before_the_window() -> None:
    found = explore(HOUR, Choices(window_minutes=15, rolling_minutes=15))
    assert found.rolling == [1.0] * 15
    assert explore(HOUR, Choices(rolling_minutes=15)).rolling == [None] * 14 + [1.0] * 46
    assert explore(HOUR, Choices(rolling_minutes=5, step_minutes=5)).rolling == []  # one bucket needs no mean


@pytest.mark.parametrize(
    ("window", "step", "drawn"), [(60, 1, 1), (120, 1, 1), (240, 1, 5), (480, 1, 5), (480, 30, 30), (480, 60, 60)]
)
def test_the_heatmap_has_a_bounded_number_of_columns(window: int, step: int, drawn: int) -> None:
    assert exploration.density_step(window, step) == drawn
    assert window // drawn <= exploration.DENSITY_COLUMNS


def test_the_curve_is_a_share_of_the_busiest_minute() -> None:
    assert exploration.curve(HOUR, MINUTE) == [1.0] * 60
    assert exploration.curve(CompletedMinutes(), 0) == []
