"""The panels' figures: the right numbers in the right places, and only properties that Plotly accepts."""

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from services.dashboard.kit import theme
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.cards.chart import Chart, Figure, round_top
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.theme import DARK, LIGHT
from services.dashboard.live import time_bars
from services.dashboard.live.panels import categories, devices, per_half_hour, per_minute
from services.dashboard.sources.history.last_week import LastWeek
from shared.events.time_units import HALF_HOUR_MS, MINUTE_MS
from tests.support.samples.rollup import NOON_MS, sample_rollup
from tests.unit.dashboard.kit.test_theme import contrast, mixed
from tests.unit.dashboard.live.test_board import snapshot_of

MINUTES = {NOON_MS + number * MINUTE_MS: 10 + number for number in range(60)}
HALF_HOURS = {NOON_MS + number * HALF_HOUR_MS: 100 * number for number in range(17)}
DEVICES = {"Mobile": 5, "Watch": 1, "Desktop": 4}


WINDOWS = sample_rollup().audiences["all"]


def context(palette: theme.Palette = LIGHT, colours: dict[str, int] | None = None) -> Context:
    return Context(palette=palette, now_ms=NOON_MS, category_colours=colours or {})


def of_visits(views: dict[int, int], visitors: dict[int, int], palette: theme.Palette = LIGHT) -> Figure:
    return per_minute.figure(replace(WINDOWS, views_1m=views, visitors_1m=visitors), context(palette))


def of_sessions(visitors: dict[int, int], palette: theme.Palette = LIGHT) -> Figure:
    return per_half_hour.figure(replace(WINDOWS, visitors_30m=visitors), context(palette))


def all_figures(palette: theme.Palette) -> list[Figure]:
    colours = CategoryColours().of(["a", "b"])
    return [
        of_visits(MINUTES, MINUTES, palette),
        of_visits({}, {}, palette),
        per_minute.figure(WINDOWS, context(palette), last_week(7, MINUTES)),
        of_sessions(HALF_HOURS, palette),
        of_sessions({}, palette),
        devices.figure(DEVICES, palette),
        devices.figure({}, palette),
        categories.figure({"b": 3, "a": 1}, context(palette, colours)),
        categories.figure({}, context(palette)),
    ]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_plotly_knows_every_property_even_of_empty_figures(palette: theme.Palette) -> None:
    for figure in all_figures(palette):
        go.Figure(figure)  # raises ValueError for a property or a value that it does not know


def test_visits_show_the_last_fifteen_minutes_in_utc_and_hatch_the_running_one() -> None:
    visitors = {start: count // 2 for start, count in MINUTES.items()}
    figure = of_visits(MINUTES, visitors)
    views_bars, visitors_bars = figure["data"]
    assert views_bars["x"][0] == "2026-11-22 12:45:00"
    assert views_bars["x"][-1] == "2026-11-22 12:59:00"
    assert views_bars["y"] == list(range(55, 70))
    assert visitors_bars["y"] == [count // 2 for count in range(55, 70)]
    assert views_bars["marker"]["pattern"]["shape"] == [""] * 14 + ["/"]


def last_week(views: int, minutes: dict[int, int]) -> LastWeek:
    return LastWeek(NOON_MS - 7 * 24 * 60 * MINUTE_MS, {start: views + place for place, start in enumerate(minutes)})


def test_last_week_is_a_line_over_the_bars_of_the_same_minutes() -> None:
    shown = dict(list(MINUTES.items())[-16:])
    figure = per_minute.figure(replace(WINDOWS, views_1m=MINUTES), context(), last_week(900, shown))
    bars, _, edge, line = figure["data"]
    assert (line["x"], line["y"]) == (bars["x"], list(range(901, 916)))
    assert (edge["x"], edge["y"], edge["hoverinfo"]) == (line["x"], line["y"], "skip")
    assert line["hovertemplate"] == "%{y:,} views last week<extra></extra>"
    assert figure["layout"]["yaxis"]["tickvals"][-1] == round_top(915)
    behind = per_minute.figure(replace(WINDOWS, views_1m=MINUTES), context(), last_week(1, {NOON_MS: 1}))
    assert behind["data"][3]["y"] == [None] * 15


@pytest.mark.parametrize("is_narrow", [False, True])
def test_the_line_has_a_name_for_everyone(is_narrow: bool) -> None:
    snapshot = snapshot_of(sample_rollup())
    minutes = dict(list(snapshot.windows.views_1m.items())[-16:])
    card = per_minute.draw(snapshot, context(), last_week(100, minutes), is_narrow=is_narrow)
    head, drawn = card.parts
    assert isinstance(head, str)
    assert isinstance(drawn, Chart)
    assert ("15 min · line: last week" if is_narrow else "last week <b>1,605</b>") in head
    assert drawn.label.endswith(", 1,605 views in the same minutes of last week")
    plain = per_minute.draw(snapshot, context(), is_narrow=is_narrow)
    assert "last week" not in str(plain)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_line_stands_out_from_its_card(palette: theme.Palette) -> None:
    line = time_bars.line([NOON_MS], [1], "views", "last week", context(palette))[1]
    faded = mixed(line["line"]["color"], line["opacity"], palette.card)
    assert contrast(faded, palette.card) >= 3


def test_a_minute_without_visitors_is_a_bar_of_no_height() -> None:
    figure = of_visits(MINUTES, {})
    assert figure["data"][1]["y"] == [0] * 15


def test_sessions_include_the_running_half_hour_and_mark_it() -> None:
    bars = of_sessions(HALF_HOURS)["data"][0]
    assert bars["y"] == list(HALF_HOURS.values())
    assert bars["x"][-1] == "2026-11-22 20:00:00"
    assert [place for place, shape in enumerate(bars["marker"]["pattern"]["shape"]) if shape] == [16]


def test_devices_keep_their_order_and_colour_whatever_their_numbers() -> None:
    figure = devices.figure(DEVICES, LIGHT)
    ring = figure["data"][0]
    assert ring["labels"] == ["Desktop", "Mobile", "Watch"]
    assert ring["values"] == [4, 5, 1]
    assert ring["marker"]["colors"] == [LIGHT.devices["Desktop"], LIGHT.devices["Mobile"], LIGHT.devices["Other"]]
    assert ring["sort"] is False
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["<b>10</b>", "visitors"]


def test_no_device_is_an_empty_ring_that_says_zero() -> None:
    for counts in ({}, {"Desktop": 0, "Mobile": 0}):
        figure = devices.figure(counts, LIGHT)
        assert figure["data"][0]["hoverinfo"] == "skip"
        assert figure["layout"]["annotations"][0]["text"] == "<b>0</b>"


def test_categories_are_ranked_in_their_own_colours() -> None:
    counts = {f"category {number}": 100 - number for number in range(20)}
    colours = CategoryColours().of(counts)
    bars = categories.figure(counts, context(DARK, colours))["data"][0]
    assert bars["x"] == list(range(100, 88, -1))
    assert bars["marker"]["color"] == [DARK.series[colours[f"category {number}"]] for number in range(12)]
    assert bars["text"][0] == "100"


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in [*strings(key), *strings(item)]]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("hostile", ["<b>x</b>", '<a href="https://evil.example">x</a>', "$\\alpha$", "%{x}"])
def test_untrusted_names_reach_no_figure_unescaped(hostile: str) -> None:
    figures = [
        devices.figure({hostile: 3}, LIGHT),
        categories.figure({hostile: 3}, context(colours=CategoryColours().of([hostile]))),
    ]
    for figure in figures:
        texts = strings(figure)
        assert not any(hostile in text or ("evil" in text and "<" in text) for text in texts)
        assert any("&#" in text for text in texts)


@pytest.mark.parametrize(
    ("greatest", "top"),
    [(0, 2), (1, 2), (2, 2), (3, 4), (7, 8), (10, 10), (11, 20), (41, 60), (99, 100), (100, 100), (101, 200),
     (1_000_001, 2_000_000)],
)  # fmt: skip
def test_axes_end_on_a_round_number_with_a_whole_half(greatest: int, top: int) -> None:
    assert round_top(greatest) == top
    assert top % 2 == 0
