"""The chart of today's hours: the right amounts in the right places, and only properties that Plotly accepts."""

from typing import Any

import plotly.graph_objects as go
import pytest

from services.dashboard.kit import theme
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.cards.chart import Chart, Figure
from services.dashboard.kit.theme import DARK, LIGHT
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock, clock_of
from services.dashboard.sales.panels import by_hour
from services.dashboard.sales.snapshot import Snapshot
from services.dashboard.sources.history.sales import Earlier, Hour, SalesDay
from shared.events.time_units import HOUR_MS, MINUTE_MS
from tests.support.samples.rollup import NOON_MS
from tests.support.samples.sales_day import MIDNIGHT_MS, hours, sales_day, sums

EMPTY = sales_day(hours=[], yesterday=None, last_week=None)


def figure(day: SalesDay, palette: theme.Palette = LIGHT, clock: Clock = UTC_CLOCK) -> Figure:
    return by_hour.figure(day, Context(palette=palette, now_ms=NOON_MS, clock=clock))


def traces(day: SalesDay, clock: Clock = UTC_CLOCK) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in figure(day, clock=clock)["data"]}


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("day", [sales_day(), EMPTY], ids=["sold", "empty"])
def test_plotly_knows_every_property(day: SalesDay, palette: theme.Palette) -> None:
    go.Figure(figure(day, palette))  # raises ValueError for a property or a value that it does not know


def test_bars_are_the_hours_and_the_running_one_is_hatched() -> None:
    shown = traces(sales_day())
    assert shown["revenue"]["x"] == ["2026-11-22 00:00:00", "2026-11-22 01:00:00"]
    assert shown["revenue"]["customdata"] == ["€60.50", "€40.00"]
    assert shown["profit"]["y"] == [30.1, 10.1]
    assert shown["profit"]["marker"]["pattern"]["shape"] == ["", "/"]


def test_lines_are_earlier_days_at_the_same_time_since_midnight() -> None:
    shown = traces(sales_day())
    assert shown["yesterday"]["x"] == ["2026-11-22 00:00:00", "2026-11-22 01:00:00"]
    assert shown["yesterday"]["customdata"] == ["€70.00", "−€3.00"]
    assert (shown["yesterday"]["line"]["dash"], shown["last week"]["line"]["dash"]) == ("solid", "dot")
    assert set(traces(EMPTY)) == {"revenue", "profit"}


def test_a_profit_that_nobody_knows_is_not_drawn() -> None:
    assert "profit" not in traces(sales_day(total=sums("9", "9", without_cost=1)))


def test_the_axis_reaches_below_zero_for_an_hour_of_refunds_alone() -> None:
    axis = figure(sales_day())["layout"]["yaxis"]
    assert (axis["tickvals"], axis["ticktext"]) == ([-4, 0, 40, 80], ["−4", "0", "40", "80"])
    assert figure(EMPTY)["layout"]["yaxis"]["tickvals"] == [0, 1, 2]


def test_the_axis_is_the_whole_day_of_the_viewer() -> None:
    clock = clock_of("Asia/Kolkata")
    starts_ms = MIDNIGHT_MS - 5 * HOUR_MS - 30 * MINUTE_MS
    first = Hour(starts_ms, starts_ms + 30 * MINUTE_MS, sums("1", "1"))
    rest = hours(("2", "1"), ("3", "1"), starts_ms=starts_ms + 30 * MINUTE_MS)
    day = sales_day(starts_ms=starts_ms, ends_ms=starts_ms + 24 * HOUR_MS, hours=[first, *rest])
    shown = figure(day, clock=clock)
    assert shown["layout"]["xaxis"]["range"] == ["2026-11-21 23:24:00", "2026-11-22 23:36:00"]
    bars = traces(day, clock)["revenue"]
    assert bars["x"] == ["2026-11-22 00:00:00", "2026-11-22 00:30:00", "2026-11-22 01:30:00"]
    assert bars["width"][0] == pytest.approx(bars["width"][1] / 2)


def test_where_clocks_change_no_two_bars_are_at_one_place() -> None:
    clock = clock_of("Europe/Berlin")
    midnight_ms = 1_792_879_200_000  # 25 October 2026, which has 25 hours
    day = sales_day(
        starts_ms=midnight_ms,
        ends_ms=midnight_ms + 25 * HOUR_MS,
        hours=hours(*[("1", "1")] * 25, starts_ms=midnight_ms),
        yesterday=Earlier(midnight_ms - 24 * HOUR_MS, sums("1", "1"), []),
    )
    places = traces(day, clock)["revenue"]["x"]
    assert len(set(places)) == 25
    assert (places[0], places[-1]) == ("2026-10-24 23:00:00", "2026-10-25 23:00:00")


def test_the_label_tells_the_totals() -> None:
    card = by_hour.draw(Snapshot(sales_day(total=sums("9.5", "2"))), Context(palette=LIGHT, now_ms=NOON_MS))
    chart = card.parts[1]
    assert isinstance(chart, Chart)
    assert chart.label == "Revenue by hour: €9.50 today, profit €2.00"
