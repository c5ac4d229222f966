"""The Explore page as Streamlit runs it, in each of its states, on a real Valkey."""

import json
import re
import time
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second
from shared.rollups.segment_keys import segment_field, segment_key
from tests.support.opened_page import opened, shown
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.samples.segments import Row, tell_time, write_segments
from tests.support.servers.server_process import free_port
from tests.unit.dashboard.test_app import client as client  # the fixture

TITLES = (
    "Views by minute", "Breakdown by category", "Views by minute and category", "Events per visitor", "Age", "Events",
)  # fmt: skip


def events(end: int) -> list[Row]:
    """Of the last minute: three views by two visitors, a bot among them; of the one before: one view."""
    return [
        Row(minute=end - 1, visitor=1, category="Books", country="Kenya"),
        Row(minute=end - 1, visitor=1, category="Toys", country="Kenya", millisecond=5),
        Row(minute=end - 1, partition=1, visitor=1, category="Toys", country="Peru", device="Bot", bot=True),
        Row(minute=end - 2, visitor=3, category=None, country="Peru", age=40),
    ]


def publish_hour(client: Any) -> int:
    """A live pipeline with `events`; the minute that is running."""
    now_s = int(time.time()) + 120  # fresh for as long as a busy machine takes to look
    end = now_s // 60
    publish(client, sample_rollup(now_s * 1000, newest_event_ms=now_s * 1000))
    write_segments(client, events(end))
    tell_time(client, end)
    return end


def figures(app: AppTest) -> dict[str, str]:
    """The key figures by title."""
    (element,) = (element for element in app.get("bidi_component") if element.key == "figures")
    html = json.loads(element.proto.json)["html"]
    return dict(re.findall(r'<h2>(\w+)</h2>.*?<span class="number[^>]*>([^<]+)</span>', html))


def test_a_live_pipeline_fills_every_panel(client: Any) -> None:
    publish_hour(client)
    app = opened("explore")
    page = shown(app)
    assert 'data-standing="live"' in page
    for title in (
        "Views by minute",
        "Breakdown by category",
        "Views by minute and category",
        "Events per visitor",
        "Age",
    ):
        assert f"<h2>{title}</h2>" in page
    numbers = figures(app)
    assert (numbers["Views"], numbers["Visitors"], numbers["Latest"], numbers["Max"], numbers["Min"]) == (
        "4",
        "3",
        "3",
        "3",
        "0",
    )
    assert numbers["Change"] == "+4"
    drawn = [element.key for element in app.get("bidi_component")]
    assert drawn == [
        "strip", "scrubber", "figures", "chart-series-1", "breakdown-1", "chart-density-1", "chart-histograms-1",
        "chart-histograms-3", "downloads",
    ]  # fmt: skip
    assert [table.count("<tr>") for table in re.findall(r'<table class="raw".*?</table>', page)] == [5]


@pytest.mark.parametrize(
    ("query", "views", "visitors"),
    [
        ({"audience": "Bots"}, "1", "1"),
        ({"audience": "Humans"}, "3", "2"),
        ({"country": "Peru"}, "2", "2"),
        ({"category": ["Books", "Toys"], "country": ["Kenya"]}, "2", "1"),
        ({"source": "Other"}, "4", "3"),  # what the samples have in columns that no row names
        ({"source": "Direct"}, "0", "0"),
        ({"category": "Nowhere & <b>"}, "0", "0"),
        ({"search": "P1"}, "4", "3"),
        ({"search": "1:1"}, "1", "1"),
        ({"search": "nowhere"}, "0", "0"),
        ({"window": "15 min", "by": "5 min", "show": "Visitors"}, "4", "3"),
        ({"window": "never", "by": "-1", "events": "x/y", "at": "noon", "refresh": "0 s"}, "4", "3"),
    ],
)
def test_the_address_says_what_is_counted(client: Any, query: dict[str, Any], views: str, visitors: str) -> None:
    publish_hour(client)
    numbers = figures(opened("explore", **query))
    assert (numbers["Views"], numbers["Visitors"]) == (views, visitors)


def test_a_minute_of_the_past_is_seen_as_it_was(client: Any) -> None:
    end = publish_hour(client)
    at = iso_second((end - 2) * MINUTE_MS)
    app = opened("explore", at=at)
    assert (figures(app)["Views"], figures(app)["Latest"]) == ("1", "1")
    assert f"<p>1 h, to {iso_second((end - 1) * MINUTE_MS)[11:16]}, UTC</p>" in shown(app)


def test_times_are_the_viewers_while_an_address_means_the_same_minute_to_all(client: Any) -> None:
    end = publish_hour(client)
    at = iso_second((end - 2) * MINUTE_MS)
    app = opened("explore", zone="Asia/Kathmandu", at=at)
    local = iso_second((end - 1 + 345) * MINUTE_MS)[11:16]
    assert f"<p>1 h, to {local}, UTC+5:45</p>" in shown(app)
    assert re.search(
        r"Rollup</span> <span data-age-s[^<]*</span>, <time [^>]* UTC\">\d\d:\d\d:\d\d UTC\+5:45</time>", shown(app)
    )
    (slider,) = (json.loads(element.proto.json) for element in app.get("bidi_component") if element.key == "scrubber")
    assert (slider["zone"], slider["ahead_ms"]) == ("UTC+5:45", 345 * MINUTE_MS)


def test_a_focus_lists_the_events_behind_a_figure(client: Any) -> None:
    end = publish_hour(client)
    app = opened("explore", events=f"{iso_second((end - 1) * MINUTE_MS)}/1/category/Toys")
    page = shown(app)
    assert "2 latest events of 2" in page
    assert "category “Toys”" in page
    assert "Show all" in page


def test_before_the_first_segment_the_page_says_what_to_do(client: Any) -> None:
    publish(client, sample_rollup(int(time.time()) * 1000))
    page = shown(opened("explore"))
    assert "No completed minute yet" in page
    assert "SEGMENT_HOURS" in page


def test_a_malformed_segment_is_a_gap_with_its_reason(client: Any) -> None:
    end = publish_hour(client)
    client.set(segment_key(segment_field(end - 1, 1)), "no arrow")
    app = opened("explore")
    assert f"{iso_second((end - 1) * MINUTE_MS)[11:16]} UTC</time>, partition 1, cannot be read" in shown(app)
    assert figures(app)["Latest"] == "–"
    assert figures(app)["Views"] == "3"


def test_a_redis_that_is_down_is_named(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_hour(client)
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    st.cache_resource.clear()
    assert 'data-standing="unreachable"' in shown(opened("explore"))


def test_a_sample_is_noted(client: Any) -> None:
    end = publish_hour(client)
    rows = [Row(minute=end - 1, partition=2, visitor=number) for number in range(10)]
    write_segments(client, rows, version=2, rates={segment_field(end - 1, 2): 0.1})
    app = opened("explore")
    assert "uniform sample" in shown(app)
    assert (figures(app)["Views"], figures(app)["Visitors"]) == ("104", "≥ 13")


def test_the_refresh_rate_is_the_viewers(client: Any) -> None:
    publish_hour(client)
    app = opened("explore", refresh="30 s")
    assert app.session_state["refresh"] == 30
    app.button(key="refresh-now").click().run()
    assert not app.exception
