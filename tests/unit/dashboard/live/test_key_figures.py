"""The row of numbers above the panels: their values and windows, and what is left out when it is unknown."""

import re
from dataclasses import replace
from typing import Any

import pytest

from services.dashboard.kit.time_zones import UTC_CLOCK, clock_of
from services.dashboard.live import key_figures
from services.dashboard.live.changes import Changes
from services.dashboard.sources.history.last_week import LastWeek
from shared.events.time_units import HALF_HOUR_MS, MINUTE_MS
from shared.rollups.contract import AUDIENCE_ROWS, AudienceRollup
from shared.rollups.model import WINDOW_SECONDS, Meta, Sessions
from tests.support.samples.rollup import sample_rollup

META = sample_rollup().meta
WINDOWS = sample_rollup().audiences["all"]
NOTHING: dict[str, Any] = {attribute: {} for attribute in AUDIENCE_ROWS}
BARE = AudienceRollup(**{**NOTHING, "sessions": Sessions()})


OF_SESSIONS = "of 2,412, last hour of 2,412 sessions started in the last hour"  # the second is for screen readers


def drawn(windows: AudienceRollup = WINDOWS, meta: Meta = META, last_week: LastWeek | None = None) -> str:
    return key_figures.draw(windows, Changes(meta, windows, last_week, UTC_CLOCK))


def cards(windows: AudienceRollup = WINDOWS, meta: Meta = META) -> list[str]:
    return texts(drawn(windows, meta))


def texts(html: str) -> list[str]:
    return [" ".join(re.sub(r"<[^>]*>", " ", f"<div {card}").split()) for card in html.split('<div class="kpi" ')[1:]]


def test_each_number_has_its_window() -> None:
    assert cards() == [
        "Active now 1,233 visitors, last 5 min ▲ up 37 % on prior 5 min",
        "Visitors, 15 min 2,466 distinct, last 15 min ± changed by 0 % on prior 15 min",
        "Visitors, 1 h 5,532 distinct, last hour ▲ up 8 % on prior hour",
        "Views per minute 540 mean of 15 min ▲ up 8 % on prior 15 min",
        "Sessions 1,836 active, last 30 min ▼ down 10 % on prior 30 min",
        f"Bounce rate 41.2 % left after one view {OF_SESSIONS}",
        f"Session duration 3 min 2 s mean, 3.7 views each {OF_SESSIONS}",
    ]


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [(90, 100, "▼ down 10 %"), (100, 100, "± changed by 0 %"), (2_600, 100, "▲ up 2,500 %"), (5, 0, "15 min")],
)
def test_a_change_has_a_sign_and_a_word(now: int, before: int, words: str) -> None:
    windows = replace(WINDOWS, views={"15m": now, "15m:prev": before})
    assert cards(windows)[3].removesuffix(" on prior 15 min").endswith(words)


@pytest.mark.parametrize(
    ("covered_s", "compared"),
    [(0, ""), (599, ""), (600, "5"), (1_799, "5"), (1_800, "5 15 15"), (3_600, "5 15 15 30"),
     (7_199, "5 15 15 30"), (7_200, "5 15 hour 15 30")],
)  # fmt: skip
def test_a_change_needs_both_periods_fully_loaded(covered_s: int, compared: str) -> None:
    shown = " ".join(cards(meta=replace(META, coverage_8h_s=covered_s)))
    assert " ".join(re.findall(r"on prior (\w+)", shown)) == compared


@pytest.mark.parametrize(
    ("began_minutes_ago", "compared"),
    [(10, ""), (11, "5"), (30, "5"), (31, "5 15 15"), (59, "5 15 15"), (61, "5 15 15 30"), (120, "5 15 15 30"),
     (121, "5 15 hour 15 30"), (400, "5 15 hour 15 30")],
)  # fmt: skip
def test_a_site_without_a_previous_period_shows_no_change(began_minutes_ago: int, compared: str) -> None:
    # Everything is loaded; the site just had no event before. At noon, half hours end on the half hour.
    began_ms = META.as_of_ms - began_minutes_ago * MINUTE_MS
    young = replace(
        WINDOWS,
        views_1m={start: views if start >= began_ms else 0 for start, views in WINDOWS.views_1m.items()},
        views_30m={
            start: views if start + HALF_HOUR_MS > began_ms else 0 for start, views in WINDOWS.views_30m.items()
        },
    )
    assert META.coverage_8h_s == WINDOW_SECONDS["8h"]
    assert " ".join(re.findall(r"on prior (\w+)", " ".join(cards(young)))) == compared


def test_the_tooltip_of_a_change_gives_the_previous_value() -> None:
    html = drawn()
    assert re.findall('title="(against[^"]*)"', html) == [
        "against 900 visitors in the 5 min before",
        "against 2,466 visitors in the 15 min before",
        "against 5,100 visitors in the hour before",
        "against 7,500 views in the 15 min before",
        "against 4,110 sessions in the 30 min before",
    ]


WEEK_MS = 7 * 24 * 60 * MINUTE_MS
VIEWS = {META.as_of_ms - ago * MINUTE_MS: 400 for ago in range(15, -1, -1)}  # the last is the running minute
LAST_WEEK = LastWeek(META.as_of_ms - WEEK_MS, VIEWS, {"5m": 1_000, "15m": 2_466, "30m": 0})


def test_last_week_takes_the_place_of_the_previous_period_where_it_is_known() -> None:
    assert texts(drawn(last_week=LAST_WEEK))[:5] == [
        "Active now 1,233 visitors, last 5 min ▲ up 23 % on last week",
        "Visitors, 15 min 2,466 distinct, last 15 min ± changed by 0 % on last week",
        "Visitors, 1 h 5,532 distinct, last hour ▲ up 8 % on prior hour",  # unknown
        "Views per minute 540 mean of 15 min ▲ up 35 % on last week",
        "Sessions 1,836 active, last 30 min ▼ down 10 % on prior 30 min",  # nobody was there
    ]


def test_the_tooltip_says_when_it_was_and_keeps_the_previous_period() -> None:
    html = key_figures.draw(WINDOWS, Changes(META, WINDOWS, LAST_WEEK, clock_of("Europe/Berlin")))
    tooltips = re.findall('title="(against[^"]*)"', html)
    assert tooltips[0] == (
        "against 1,000 visitors on 15 Nov 2026 from 12:55 to 13:00 CET; against the 5 min before: up 37 %"
    )
    assert tooltips[3].startswith("against 6,000 views on 15 Nov 2026 from 12:45 to 13:00 CET; ")
    alone = drawn(replace(WINDOWS, visitors={"5m": 5}), last_week=LAST_WEEK)
    assert 'title="against 1,000 visitors on 15 Nov 2026 from 11:55 to 12:00 UTC"' in alone


@pytest.mark.parametrize(("covered_s", "compared"), [(299, 0), (300, 1), (899, 1), (900, 3)])
def test_only_a_fully_loaded_window_is_compared_with_last_week(covered_s: int, compared: int) -> None:
    html = drawn(meta=replace(META, coverage_8h_s=covered_s), last_week=LAST_WEEK)
    assert html.count("on last week") == compared


def test_curves_leave_the_running_minute_out_and_have_labels() -> None:
    html = drawn()  # visitors 20, 21, … 79 by minute, and three times as many views
    assert re.findall('role="img" aria-label="([^"]*)"', html) == [
        "Visitors per minute, last 30 minutes: 49 to 78",
        "Visitors per minute, last 15 minutes: 64 to 78",
        "Visitors per minute, last hour: 20 to 78",
        "Views per minute, last hour: 60 to 234",
        "Sessions started per 5 minutes, last hour: 60 to 90",
        "Bounce rate by 5 minutes, last hour: 33.3 % to 33.3 %",
        "Mean duration by 5 minutes, last hour: 1 s to 1 s",
    ]


def test_five_minutes_without_sessions_are_not_drawn() -> None:
    idle = dict.fromkeys(WINDOWS.sessions_5m, 0)
    busy = {**idle, list(idle)[3]: 4, list(idle)[7]: 8, list(idle)[-1]: 1}  # the last is running
    html = drawn(replace(WINDOWS, sessions_5m=busy, bounces_5m=dict.fromkeys(idle, 2)))
    assert "Bounce rate by 5 minutes, last hour: 25.0 % to 50.0 %" in html
    assert "Bounce rate by" not in drawn(replace(WINDOWS, sessions_5m=idle))


def test_a_curve_of_shares_fills_its_height() -> None:
    html = drawn(replace(WINDOWS, bounces_5m=dict.fromkeys(WINDOWS.sessions_5m, 1)))
    curve = html[html.index('aria-label="Bounce rate by') :].partition("</div>")[0]
    assert min(float(height) for height in re.findall(r"% ([0-9.]+)%", curve)) == 6  # of the card's, from its top


def test_without_sessions_there_is_no_mean() -> None:
    assert cards(BARE) == [
        "Active now 0 visitors, last 5 min",
        "Visitors, 15 min 0 distinct, last 15 min",
        "Visitors, 1 h 0 distinct, last hour",
        "Views per minute 0.0 mean of 15 min",
        "Sessions 0 active, last 30 min",
        "Bounce rate – left after one view of 0, last hour of 0 sessions started in the last hour",
        "Session duration – mean of 0, last hour of 0 sessions started in the last hour",
    ]


def test_units_are_small_and_numbers_are_not() -> None:
    html = drawn(replace(WINDOWS, sessions=sessions(duration_s_1h=4_800.0)))
    assert '<div class="number" style="--digits:6.5">1<small> h</small> 20<small> min</small></div>' in html


def sessions(**fields: Any) -> Sessions:
    return replace(WINDOWS.sessions, **fields)
