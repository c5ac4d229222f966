"""The explore page's content for viewers in other zones than UTC: their times, and the same numbers."""

import json
import re
from dataclasses import fields
from typing import Any

from services.dashboard.explore import board as explore_board
from services.dashboard.explore.board import ExplorePanels
from services.dashboard.explore.exploration import Choices, Focus, explore
from services.dashboard.explore.selection import Span
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.theme import LIGHT
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock, clock_of
from services.dashboard.sources.closed_minutes import ClosedMinutes, Gap, Trouble
from services.dashboard.sources.segments import assemble, decode_segment
from shared.events.time_units import MINUTE_MS
from tests.support.samples.segments import MINUTE, Row, by_segment, encoded

KATHMANDU = clock_of("Asia/Kathmandu")
END = MINUTE + 30  # 11:00 UTC, 16:45 in Kathmandu
ROWS = [Row(minute=MINUTE + 5 + number // 3, visitor=number, category="Books") for number in range(60)]
FOCUS = Focus(Span(END, 30), "category", "Books")


def drawn(clock: Clock, **chosen: Any) -> ExplorePanels:
    frame = assemble([decode_segment(name, encoded(own)) for name, own in by_segment(ROWS).items()])
    minutes = ClosedMinutes(
        frame, MINUTE - 5, END, (Gap(MINUTE - 3, 3, "no arrow"),), trouble=Trouble((END + 1) * MINUTE_MS, "gone")
    )
    choices = Choices(**{"window_minutes": 60, "step_minutes": 30, "focus": FOCUS, **chosen})
    return explore_board.draw(minutes, explore(minutes, choices), choices, LIGHT, CategoryColours(), clock)


def figure(chart: Chart) -> Any:
    return json.loads(chart.figure_json)


def test_every_time_is_the_viewers_and_utc_is_at_hand() -> None:
    panels = drawn(KATHMANDU)
    assert "<p>Last 1 h, to 16:45, UTC+5:45</p>" in panels.series_head
    assert "to 16:45, UTC+5:45 · deeper is more" in panels.density_head
    assert "1 h, to 16:45 UTC+5:45" in panels.ages_head
    assert "16:15 to 16:45 UTC+5:45, category “Books” · 60 latest events of 60" in panels.events_head
    assert 'title="views per half hour, 16:15 to 16:45 · 10:30 to 11:00 UTC">' in panels.figures
    assert ">views per half hour, 16:15 to 16:45</p>" in panels.figures
    assert '<th scope="col">Time (UTC+5:45)</th>' in panels.events
    assert 'title="2026-11-22 10:54:00.000 UTC">2026-11-22 16:39:00.000</time>' in panels.events
    for told in ("since", "Minutes before", "A segment of"):
        assert re.search(rf'{told} <time [^>]* UTC">16:\d\d(:\d\d)? UTC\+5:45</time>', panels.notes), told


def test_charts_have_the_viewers_axis_and_the_stretches_of_utc() -> None:
    own, in_utc = figure(drawn(KATHMANDU).series), figure(drawn(UTC_CLOCK).series)
    assert own["data"][0]["x"] == ["2026-11-22 16:00:00", "2026-11-22 16:30:00"]
    assert own["layout"]["xaxis"]["range"] == ["2026-11-22 15:45:00", "2026-11-22 16:45:00"]
    assert own["data"][0]["text"][1] == "16:15 to 16:45 UTC+5:45 · 10:30 to 11:00 UTC"
    assert in_utc["data"][0]["text"][1] == "10:30 to 11:00 UTC"
    for same in ("y", "customdata"):  # what is counted, and what a pick says in the address
        assert own["data"][0][same] == in_utc["data"][0][same]
    (picture,), (other,) = figure(drawn(KATHMANDU).density)["data"], figure(drawn(UTC_CLOCK).density)["data"]
    assert picture["x"] == ["2026-11-22 16:00:00", "2026-11-22 16:30:00"]
    assert picture["text"][0][0] == "Books<br>15:45 to 16:15 UTC+5:45 · 10:00 to 10:30 UTC"
    assert (picture["z"], picture["customdata"]) == (other["z"], other["customdata"])


def test_a_viewer_in_utc_sees_no_second_time() -> None:
    panels = drawn(UTC_CLOCK)
    assert 'title="views per half hour, 10:30 to 11:00">' in panels.figures
    assert "10:30 to 11:00 UTC, category" in panels.events_head


def test_strangers_zones_do_not_reach_what_was_counted() -> None:
    own, in_utc = drawn(KATHMANDU), drawn(UTC_CLOCK)
    numbers = [re.findall(r'class="number[^>]*>([^<]+)<', panels.figures) for panels in (own, in_utc)]
    assert numbers[0] == numbers[1]
    same = {field.name for field in fields(ExplorePanels) if getattr(own, field.name) == getattr(in_utc, field.name)}
    assert same == {"breakdown", "events_per_visitor", "ages"}
