"""The Explore page for viewers outside UTC: their times, and the same numbers."""

import json
import re
from typing import Any

from services.dashboard.explore import board
from services.dashboard.explore.board import Board
from services.dashboard.explore.choices import Choices, Focus
from services.dashboard.explore.counting.selection import Span
from services.dashboard.explore.exploration import explore
from services.dashboard.kit.cards.card import Context, Part
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.theme import LIGHT
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock, clock_of
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.completed_minutes import CompletedMinutes, Gap, Trouble
from services.dashboard.sources.segments import assemble, decode_segment
from shared.events.time_units import MINUTE_MS
from tests.support.samples.segments import MINUTE, Row, by_segment, encoded

KATHMANDU = clock_of("Asia/Kathmandu")
END = MINUTE + 30  # 11:00 UTC, 16:45 in Kathmandu
ROWS = [Row(minute=MINUTE + 5 + number // 3, visitor=number, category="Books") for number in range(60)]
FOCUS = Focus(Span(END, 30), "category", "Books")


def drawn(clock: Clock, role: Role = "analyst", **chosen: Any) -> Board:
    frame = assemble([decode_segment(name, encoded(own)) for name, own in by_segment(ROWS).items()])
    minutes = CompletedMinutes(
        frame, MINUTE - 5, END, (Gap(MINUTE - 3, 3, "no arrow"),), trouble=Trouble((END + 1) * MINUTE_MS, "gone")
    )
    choices = Choices(**{"window_minutes": 60, "step_minutes": 30, "focus": FOCUS, **chosen})
    return board.draw(
        minutes, explore(minutes, choices), Context(palette=LIGHT, now_ms=END * MINUTE_MS, clock=clock, role=role)
    )


def parts(shown: Board, name: str) -> tuple[Part, ...]:
    (found,) = (card.parts for card in shown.cards if card.name == name)
    return found


def html(shown: Board, name: str) -> str:
    """The HTML of a card."""
    return "".join(part for part in parts(shown, name) if isinstance(part, str))


def figure(shown: Board, name: str) -> Any:
    (chart,) = (part for part in parts(shown, name) if isinstance(part, Chart))
    return json.loads(chart.figure_json)


def test_times_are_in_the_viewers_zone_with_utc_as_tooltip() -> None:
    panels = drawn(KATHMANDU)
    assert "<p>Last 1 h, to 16:45, UTC+5:45</p>" in html(panels, "series")
    assert "to 16:45, UTC+5:45 · deeper colour is more" in html(panels, "density")
    assert "1 h, to 16:45 UTC+5:45" in html(panels, "histograms")
    assert "16:15 to 16:45 UTC+5:45, category “Books” · 60 latest events of 60" in html(panels, "events")
    assert 'title="views per half hour, 16:15 to 16:45 · 10:30 to 11:00 UTC">' in panels.key_figures
    assert ">views per half hour, 16:15 to 16:45</p>" in panels.key_figures
    assert '<th scope="col">Time (UTC+5:45)</th>' in html(panels, "events")
    assert 'title="2026-11-22 10:54:00.000 UTC">2026-11-22 16:39:00.000</time>' in html(panels, "events")
    for sentence in ("since", "Minutes before", "A segment of"):
        assert re.search(rf'{sentence} <time [^>]* UTC">16:\d\d(:\d\d)? UTC\+5:45</time>', panels.notes), sentence


def test_charts_have_the_viewers_axis_and_buckets_of_utc() -> None:
    own, in_utc = figure(drawn(KATHMANDU), "series"), figure(drawn(UTC_CLOCK), "series")
    assert own["data"][0]["x"] == ["2026-11-22 16:00:00", "2026-11-22 16:30:00"]
    assert own["layout"]["xaxis"]["range"] == ["2026-11-22 15:45:00", "2026-11-22 16:45:00"]
    assert own["data"][0]["text"][1] == "16:15 to 16:45 UTC+5:45 · 10:30 to 11:00 UTC"
    assert in_utc["data"][0]["text"][1] == "10:30 to 11:00 UTC"
    for same in ("y", "customdata"):  # what is counted, and what a pick says in the address
        assert own["data"][0][same] == in_utc["data"][0][same]
    (picture,), (other,) = figure(drawn(KATHMANDU), "density")["data"], figure(drawn(UTC_CLOCK), "density")["data"]
    assert picture["x"] == ["2026-11-22 16:00:00", "2026-11-22 16:30:00"]
    assert picture["text"][0][0] == "Books<br>15:45 to 16:15 UTC+5:45 · 10:00 to 10:30 UTC"
    assert (picture["z"], picture["customdata"]) == (other["z"], other["customdata"])


def test_a_viewer_in_utc_sees_each_time_once() -> None:
    panels = drawn(UTC_CLOCK)
    assert 'title="views per half hour, 10:30 to 11:00">' in panels.key_figures
    assert "10:30 to 11:00 UTC, category" in html(panels, "events")


def test_the_zone_changes_no_number() -> None:
    own, in_utc = drawn(KATHMANDU), drawn(UTC_CLOCK)
    numbers = [re.findall(r'class="number[^>]*>([^<]+)<', panels.key_figures) for panels in (own, in_utc)]
    assert numbers[0] == numbers[1]
    same = {
        (card.name, place)
        for card, other in zip(own.cards, in_utc.cards, strict=True)
        for place, part in enumerate(card.parts)
        if part == other.parts[place]
    }
    assert same == {("breakdown", 1), ("histograms", 1), ("histograms", 3)}


def test_a_viewer_sees_the_same_counts_and_no_events() -> None:
    full, shown = drawn(UTC_CLOCK), drawn(UTC_CLOCK, role="viewer")
    assert [card.name for card in shown.cards] == [card.name for card in full.cards if card.name != "events"]
    assert figure(shown, "series") == figure(full, "series")
    assert '<td class="figure">60</td>' in html(shown, "breakdown")
    assert ("no arrow" in full.notes, "gone" in full.notes) == (True, True)
    assert ("no arrow" in shown.notes, "gone" in shown.notes) == (False, False)
    # Nothing asks for the events behind a number.
    assert "data-pick" in full.key_figures + html(full, "breakdown")
    assert "data-pick" not in shown.key_figures + html(shown, "breakdown")
