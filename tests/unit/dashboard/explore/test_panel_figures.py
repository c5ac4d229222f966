"""The figures of Explore's panels: the right numbers in the right places, and only what Plotly accepts."""

import numpy as np
import plotly.graph_objects as go
import pytest

from services.dashboard.explore.choices import Focus, read_focus
from services.dashboard.explore.counting.distributions import Density, Histogram
from services.dashboard.explore.counting.selection import Span
from services.dashboard.explore.counting.series import Series
from services.dashboard.explore.panels import density, histograms, series
from services.dashboard.kit.cards.chart import Figure
from services.dashboard.kit.theme import DARK, LIGHT, Palette
from services.dashboard.kit.time_zones import clock_of
from tests.support.samples.segments import MINUTE

SERIES = Series(MINUTE, 5, [3, None, 1200, 0])
HOSTILE = '<b>x</b>%{x}$a$<a href="https://evil.example">'
PICTURE = Density(["Books", HOSTILE], MINUTE, 1, np.array([[4, 0, 9], [0, 1, 0]]))


def all_figures(palette: Palette) -> list[Figure]:
    empty = Density([], MINUTE, 1, np.zeros((0, 60), int))
    return [
        series.figure(SERIES, "views", [1.5, None, 2, 3], Span(MINUTE + 15, 5), palette),
        series.figure(Series(MINUTE, 1, []), "views", [], None, palette),
        series.figure(Series(MINUTE, 1, [None]), "views", [], None, palette),
        density.figure(PICTURE, "category", palette),
        density.figure(empty, "country", palette),
        histograms.figure(Histogram(["1", "2–5"], [10_500, 0]), "visitors", palette.accent, palette),
        histograms.figure(Histogram([], []), "visitors", palette.accent, palette),
    ]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_plotly_accepts_every_property_even_of_empty_figures(palette: Palette) -> None:
    for figure in all_figures(palette):
        go.Figure(figure)  # raises ValueError for an unknown property or value


def test_an_unknown_bucket_is_a_hatched_gap() -> None:
    bars, gaps = series.figure(SERIES, "views", [], None, LIGHT)["data"]
    assert bars["y"] == [3, None, 1200, 0]
    assert gaps["x"] == [bars["x"][1]]
    assert gaps["y"] == [2000]


def test_a_bar_picks_its_bucket_and_the_focus_is_highlighted() -> None:
    bars = series.figure(SERIES, "views", [], Span(MINUTE + 12, 2), LIGHT)["data"][0]
    assert [read_focus(pick) for pick in bars["customdata"]] == [
        Focus(Span(MINUTE + 5 * place + 5, 5)) for place in range(4)
    ]
    assert bars["x"][0] == "2026-11-22 10:32:30"
    assert [colour == LIGHT.accent for colour in bars["marker"]["color"]] == [False, False, True, False]


def test_bars_stay_on_their_axis_where_clocks_go_back_at_its_end() -> None:
    hours = Series(29_881_380, 60, [1, 2])  # the second hour ends at 2026-10-25T01:00:00Z, and with it summer time
    figure = series.figure(hours, "views", [], None, LIGHT, clock_of("Europe/Berlin"))
    layout, bars = figure["layout"], figure["data"][0]
    assert layout["xaxis"]["range"][0] < bars["x"][0] < bars["x"][1] < layout["xaxis"]["range"][1]
    assert bars["text"][1] == "02:00 to 02:00 CET · 00:00 to 01:00 UTC"


def test_a_cell_picks_its_bucket_and_name() -> None:
    (picture,) = density.figure(PICTURE, "category", LIGHT)["data"]
    assert picture["z"] == [[4, 0, 9], [0, 1, 0]]
    assert picture["zmax"] == 9
    assert read_focus(picture["customdata"][1][2]) == Focus(Span(MINUTE + 3, 1), "category", HOSTILE)


def test_untrusted_names_are_escaped_in_labels() -> None:
    figure = density.figure(PICTURE, "category", LIGHT)
    shown = [*figure["layout"]["yaxis"]["ticktext"], *figure["data"][0]["text"][1]]
    assert not any(sign in label.replace("<br>", "") for label in shown for sign in "<>$%{}")


def test_counts_above_bars_are_short() -> None:
    (bars,) = histograms.figure(Histogram(["a", "b", "c", "d"], [0, 9999, 18_857, 1_234_567]), "x", "", LIGHT)["data"]
    assert bars["text"] == ["", "9,999", "18.9k", "1.2M"]
