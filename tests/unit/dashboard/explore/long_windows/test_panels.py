"""What a page shows of history's answers."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.dashboard.explore.counting.selection import Filter
from services.dashboard.explore.long_windows import board, captions, crumbs, key_figures, notes
from services.dashboard.explore.long_windows.answers import Said
from services.dashboard.explore.long_windows.choices import Interval, LongChoices
from services.dashboard.explore.long_windows.files import FILES, file_name
from services.dashboard.explore.long_windows.found import Found, Part, Seen
from services.dashboard.explore.long_windows.histograms import ages, events_per_visitor
from services.dashboard.explore.long_windows.measures import LABELS, is_sales
from services.dashboard.explore.long_windows.panels import breakdown, series, visits
from services.dashboard.explore.long_windows.weekdays import week_of
from services.dashboard.explore.long_windows.zoom import read_zoom
from services.dashboard.kit.cards.card import Card, Context
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.theme import LIGHT
from services.dashboard.kit.time_zones import UTC_CLOCK, clock_of
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.history.failure import HistoryFailure
from tests.support.samples.history_said import HOUR, START, earlier, iso, said
from tests.support.samples.history_said import series as rows_of

NOW = START + HOUR
SALES_MEASURES = [measure for measure in LABELS if is_sales(measure)]


def context(role: Role = "analyst", zone: str = "UTC") -> Context:
    return Context(palette=LIGHT, now_ms=round(NOW.timestamp() * 1000), clock=clock_of(zone), role=role)


def found(choices: LongChoices | None = None, **seen: Said) -> Found:
    choices = choices or LongChoices()
    parts: dict[Part, Seen] = {part: Seen(choices, own) for part, own in seen.items()}  # type: ignore[misc]  # names of parts
    return Found(choices, parts)


def figure_of(card: Card) -> Any:
    (chart,) = (part for part in card.parts if isinstance(part, Chart))
    return json.loads(chart.figure_json)


def numbers(html: str) -> dict[str, str]:
    return dict(re.findall(r'<h2>(\w+)</h2>(?:<button[^>]*>)?<span class="number[^>]*>([^<]+)</span>', html))


def test_the_curve_has_a_bar_for_each_bucket_and_a_line_for_the_earlier_window() -> None:
    before = rows_of([7, None, 9], start=START - 3 * HOUR)
    answer = said(
        rows_of([1, None, 3]), end=START + 3 * HOUR, compare=earlier(before), since=iso(START - timedelta(days=9))
    )
    drawn = figure_of(series.draw(found(LongChoices(compare="previous"), series=answer), context()))
    bars, gaps, line = drawn["data"]
    assert (bars["y"], line["y"]) == ([1, None, 3], [7, None, 9])
    assert gaps["x"] == [1]
    assert bars["text"][0] == "Sat 21 Nov 11:00 to 12:00 UTC"
    assert line["text"][0] == "Sat 21 Nov 08:00 to 09:00 UTC"
    assert drawn["layout"]["yaxis"]["range"] == [0, 10 * 1.02]


def test_the_running_bucket_is_hatched_and_the_card_says_so() -> None:
    answer = said(rows_of([4, 9, 2, 0]), end=START + 4 * HOUR, as_of=iso(START + 2.5 * HOUR))
    card = series.draw(found(series=answer), context())
    (bars, *_) = figure_of(card)["data"]
    assert bars["marker"]["pattern"]["shape"] == ["", "", "/", ""]
    assert "running hour hatched" in str(card.parts[0])
    over = series.draw(found(series=said(rows_of([4, 9]), as_of=iso(START + 2 * HOUR))), context())
    assert set(figure_of(over)["data"][0]["marker"]["pattern"]["shape"]) == {""}
    assert "running" not in str(over.parts[0])


def test_what_is_before_history_is_unknown() -> None:
    answer = said(
        rows_of([0, 2], start=START - HOUR), compare=earlier(rows_of([0, 0], start=START - 3 * HOUR), START - 3 * HOUR)
    )
    choices = LongChoices(compare="previous")
    drawn = figure_of(series.draw(found(choices, series=answer), context()))
    assert [trace.get("y") for trace in drawn["data"]] == [[None, 2], [2], [None, None]]
    totals = said([{"views": 2, "visitors": 1}], compare=earlier([{"views": 0, "visitors": 0}], START - HOUR))
    assert "history begins later" in key_figures.draw(found(choices, totals=totals))


@pytest.mark.parametrize(
    ("day", "hours", "text"),
    [("2026-03-29", 23, "Sun 29 Mar 2026 (23 hours)"), ("2026-10-25", 25, "Sun 25 Oct 2026 (25 hours)"),
     ("2026-10-26", 24, "Mon 26 Oct 2026")],
)  # fmt: skip
def test_days_are_named_in_the_viewers_zone_when_clocks_change(day: str, hours: int, text: str) -> None:
    clock = clock_of("Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=clock.zone).astimezone(UTC)
    assert captions.bucket(start, start + hours * HOUR, "day", clock) == text


@pytest.mark.parametrize(
    ("interval", "number", "step", "labels"),
    [("minute", 60, timedelta(minutes=1), ["11:00", "11:10", "11:20", "11:30", "11:40", "11:50"]),
     ("minute", 240, timedelta(minutes=1), ["11:00", "12:00", "13:00", "14:00"]),
     ("hour", 24, HOUR, ["11:00", "15:00", "19:00", "23:00", "03:00", "07:00"]),
     ("hour", 168, HOUR, ["22 Nov", "23 Nov", "24 Nov", "25 Nov", "26 Nov", "27 Nov", "28 Nov"]),
     ("day", 30, timedelta(days=1), ["21 Nov", "26 Nov", "1 Dec", "6 Dec", "11 Dec", "16 Dec"]),
     ("month", 3, timedelta(days=31), ["Nov 2026", "Dec 2026", "Jan 2027"])],
)  # fmt: skip
def test_the_axis_has_few_labels(interval: Interval, number: int, step: timedelta, labels: list[str]) -> None:
    answer = said(rows_of([1] * number, step=step))
    drawn = series.figure(Seen(LongChoices(interval=interval), answer), LIGHT)
    assert drawn["layout"]["xaxis"]["ticktext"] == labels


def test_key_figures_are_of_complete_buckets() -> None:
    end = START + 4 * HOUR
    half_past = iso(end - HOUR / 2)
    totals = said([{"views": 30, "visitors": 12}], end=end, as_of=half_past,
                  compare=earlier([{"views": 20, "visitors": 3}]))  # fmt: skip
    curve = said(rows_of([4, 9, 2, 1]), end=end, as_of=half_past)
    both = found(LongChoices(compare="previous"), totals=totals, series=curve)
    html = key_figures.draw(both)
    assert numbers(html) == {
        "Views": "30", "Visitors": "12", "Latest": "2", "Mean": "5.0", "Min": "2", "Max": "9", "Change": "+10",
        "Sessions": "–",
    }  # fmt: skip
    assert "views, on the period before, +50 %" in html


def test_visitors_by_day_are_an_upper_bound() -> None:
    totals = said([{"views": 30, "visitors": None, "visitor_days": 12}])
    assert numbers(key_figures.draw(found(totals=totals)))["Visitors"] == "≤ 12"
    ranked = said([{"name": "Books", "views": 30, "visitors": None, "visitor_days": 12}])
    assert "≤ 12" in "".join(str(part) for part in breakdown.draw(found(ranked=ranked), context()).parts)


def test_without_an_answer_the_figures_are_unknown() -> None:
    assert set(numbers(key_figures.draw(found())).values()) == {"–"}
    assert "Asking history" in str(series.draw(found(), context()).parts[1])


def test_a_name_of_the_breakdown_is_a_pick_and_harmless() -> None:
    hostile = '<img src=x onerror="x">'
    ranked = said(
        [{"name": hostile, "views": 30, "visitors": 2}, {"name": "Books", "views": 10, "visitors": 2}],
        more=5,
        compare=earlier([{"name": "Books", "views": 20, "visitors": 2}]),
    )
    card = breakdown.draw(found(LongChoices(compare="last_week"), ranked=ranked), context())
    html = "".join(str(part) for part in card.parts)
    assert "<img" not in html
    assert 'data-pick="category/&lt;img src=x onerror=&quot;x&quot;&gt;"' in html
    assert "2 of 7" in html
    assert re.findall(r'muted">([^<]*)</td></tr>', html) == ["new", "−50\u00a0%"]


def test_hours_of_the_week_are_means_of_hours_that_are_over() -> None:
    # Two weeks, the last hour of which is running.
    number = 14 * 24
    end = START + number * HOUR
    counts = [place // 24 for place in range(number)]
    answer = said(rows_of(counts), end=end, as_of=iso(end - HOUR / 2))
    week = week_of(answer, UTC_CLOCK)
    saturday = 5
    assert (week.means[saturday][11], week.hours[saturday][11]) == (3.5, 2)  # days 0 and 7
    assert (week.means[saturday][10], week.hours[saturday][10]) == (6.0, 1)  # of days 6 and 13 the latter is running
    kathmandu = week_of(answer, clock_of("Asia/Kathmandu"))
    assert kathmandu.means[saturday][16] == 3.5  # 11:00 UTC is 16:45


def test_notes_say_what_limits_the_numbers() -> None:
    assert notes.draw(found(totals=said([])), NOW) == ""
    late = said([], as_of=iso(NOW - timedelta(minutes=12)))
    assert "History has no event after" in notes.draw(found(totals=late), NOW)
    assert "12 min ago" in notes.draw(found(totals=late), NOW)
    assert "History begins with" in notes.draw(found(totals=said([], since=iso(START + HOUR / 2))), NOW)
    assert "History has no event yet" in notes.draw(found(totals=said([], as_of=None, since=None)), NOW)
    assert notes.draw(found(totals=said([], notes=["a <b>", "a <b>"])), NOW).count("a &lt;b&gt;") == 1


def test_a_viewer_is_not_told_the_reason_of_a_failure() -> None:
    failing = Found(LongChoices(), failures={"totals": HistoryFailure("at 10.0.0.7: <refused>")})
    assert "10.0.0.7: &lt;refused&gt;" in notes.draw(failing, NOW)
    assert "10.0.0.7" not in notes.draw(failing, NOW, role="viewer")
    assert "History does not answer." in notes.draw(failing, NOW, role="viewer")
    assert "10.0.0.7" in board.without_history("analyst", "10.0.0.7")
    assert "10.0.0.7" not in board.without_history("viewer", "10.0.0.7")


def test_progress_names_what_is_asked_and_that_numbers_stay() -> None:
    asking = Found(LongChoices(), asking={"series": 0.4, "totals": 3.2})
    assert notes.progress(asking) == "Asking history for: key figures, curve (3 s)."
    stays = Found(LongChoices(), seen={"totals": Seen(LongChoices(), said([]))}, asking={"totals": 3.2})
    assert "stay" in notes.progress(stays)
    assert notes.progress(Found(LongChoices(), asking={"series": 0.0})) == ""
    assert notes.progress(found()) == ""


def amounts(revenue: str, profit: str = "0", orders: int = 1, **changes: Any) -> dict[str, Any]:
    own = {"revenue": revenue, "profit": profit, "orders": orders, "refunded": "0", "refunds": 0, "without_cost": 0}
    return {**own, **changes}


def sold(rows: list[dict[str, Any]], currency: str = "EUR") -> Said:
    """A series of sales."""
    buckets = rows_of([None] * len(rows))
    end = START + len(rows) * HOUR
    return said([{**bucket, **row} for bucket, row in zip(buckets, rows, strict=True)], end=end, currency=currency)


def test_amounts_have_their_currency_and_an_axis_below_zero_where_refunds_exceed_sales() -> None:
    answer = sold([amounts("1240.5"), amounts("-30")])
    card = series.draw(found(LongChoices(measure="revenue"), series=answer), context())
    bars = figure_of(card)["data"][0]
    assert (bars["y"], bars["hovertext"]) == ([1240.5, -30.0], ["€1,240.50", "−€30.00"])
    assert figure_of(card)["layout"]["yaxis"]["range"] == [-40, 2000 * 1.02]
    assert "2 bars, −€30.00 to €1,240.50, the latest −€30.00" in str(card.parts[1])
    dollars = series.figure(Seen(LongChoices(measure="refunded"), sold([amounts("5", refunded="7.5")], "USD")), LIGHT)
    assert dollars["data"][0]["hovertext"] == ["&#36;7.50"]


def test_a_profit_is_unknown_where_no_sale_has_a_cost() -> None:
    choices = LongChoices(measure="profit")
    rows = [amounts("10", "10", without_cost=1), amounts("10", "4", without_cost=1), amounts("0", "0", 0)]
    drawn = series.figure(Seen(choices, sold(rows)), LIGHT)
    assert drawn["data"][0]["y"] == [None, 4.0, 0.0]
    totals = [key_figures.draw(found(choices, totals=said([row], currency="EUR"))) for row in rows]
    assert [numbers(html)["Profit"] for html in totals] == ["–", "€4.00", "€0.00"]
    assert "no sale has a cost" in totals[0]
    assert "1 sale without a cost" in totals[1]


def test_key_figures_of_sales_compare_amounts() -> None:
    long_ago = iso(START - timedelta(days=9))
    totals = said(
        [amounts("90", orders=3, refunded="10", refunds=2)], currency="EUR", since=long_ago,
        compare=earlier([amounts("60", orders=4)]),
    )  # fmt: skip
    shown = {
        measure: numbers(key_figures.draw(found(LongChoices(measure=measure, compare="yesterday"), totals=totals)))
        for measure in SALES_MEASURES
    }
    assert shown["revenue"].items() >= {"Revenue": "€90.00", "Orders": "3", "Change": "+€30.00"}.items()
    assert shown["orders"].items() >= {"Orders": "3", "Revenue": "€90.00", "Change": "−1"}.items()
    assert shown["refunded"].items() >= {"Refunds": "€10.00", "Revenue": "€90.00"}.items()
    html = key_figures.draw(found(LongChoices(measure="refunded"), totals=totals))
    assert "2 refunds, last 24 h" in html
    curve = sold([amounts("5"), amounts("7.25"), amounts("-1")])
    statistics = numbers(key_figures.draw(found(LongChoices(measure="revenue"), series=curve)))
    assert statistics.items() >= {"Latest": "−€1.00", "Mean": "€3.75", "Min": "−€1.00", "Max": "€7.25"}.items()


def test_a_change_on_more_refunds_than_sales_has_no_percentage() -> None:
    totals = said([amounts("5")], currency="EUR", compare=earlier([amounts("-20")]))
    html = key_figures.draw(found(LongChoices(measure="revenue", compare="yesterday"), totals=totals))
    assert numbers(html)["Change"] == "+€25.00"
    assert "%" not in html


def cells(card: Card) -> list[str]:
    return re.findall(r'<td class="figure[^>]*>([^<]*)</td>', "".join(str(part) for part in card.parts))


def test_each_currency_of_a_breakdown_is_written_in_its_own() -> None:
    choices = LongChoices(measure="revenue", breakdown="currency")
    rows = [{"name": "", **amounts("10", orders=4)}, {"name": "JPY", **amounts("5000", orders=2)}]
    both = found(choices, ranked=said(rows), totals=said([amounts("10")], currency="CHF"))
    card = breakdown.draw(both, context())
    assert cells(card) == ["CHF 10.00", "4", "¥5,000", "2"]
    # Their bars are those of the orders.
    assert re.findall(r"<i style=\"width:(\d+)%", "".join(str(part) for part in card.parts)) == ["100", "50"]


def test_sales_in_other_currencies_are_noted() -> None:
    choices = LongChoices(measure="orders")
    rows = [
        {"name": name, **amounts("10", orders=number)} for name, number in (("EUR", 5), ("", 1), ("USD", 1), ("JPY", 0))
    ]
    both = found(choices, currencies=said(rows), totals=said([amounts("10")], currency="EUR"))
    assert "not included: $10.00 in 1 order. Filter" in notes.draw(both, NOW)
    alone = found(choices, currencies=said(rows[:2]), totals=said([amounts("10")], currency="EUR"))
    assert notes.draw(alone, NOW) == ""


def test_a_bucket_is_a_pick_that_zooms_and_a_minute_is_none() -> None:
    answer = said(rows_of([4, 9]), end=START + 2 * HOUR)
    card = series.draw(found(series=answer), context())
    assert figure_of(card)["data"][0]["customdata"] == ["zoom/2026-11-21T11:00:00Z", "zoom/2026-11-21T12:00:00Z"]
    assert "click a bar for its minutes" in str(card.parts[0])
    html = key_figures.draw(found(series=answer))
    assert 'data-pick="zoom/2026-11-21T12:00:00Z"' in html
    assert 'aria-label="Max: 9. Show its minutes"' in html
    minutes = LongChoices(interval="minute")
    assert "customdata" not in figure_of(series.draw(found(minutes, series=answer), context()))["data"][0]
    assert "data-pick" not in key_figures.draw(found(minutes, series=answer))


def test_crumbs_lead_back_step_by_step() -> None:
    clock = clock_of("Europe/Berlin")
    hour = read_zoom("2026-11-27T10:00:00Z", clock)
    assert hour is not None
    html = crumbs.draw(LongChoices(window="12mo", interval="month"), hour, clock)
    assert re.findall(r'data-pick="([^"]*)"[^>]*>([^<]*)<', html) == [
        ("zoom/", "Last 12 months"), ("zoom/2026-11", "November 2026"), ("zoom/2026-11-27", "Fri 27 Nov 2026"),
    ]  # fmt: skip
    assert '<b aria-current="true">Fri 27 Nov 11:00 to 12:00 CET</b>' in html


def test_key_figures_of_sessions_stand_beside_what_they_were() -> None:
    row = {
        "sessions": 1200,
        "bounces": 300,
        "bounce_rate": 0.25,
        "views_per_session": 3.42,
        "seconds_per_session": 185.2,
    }
    before = {**row, "sessions": 900, "bounce_rate": None}
    answer = said([row], compare=earlier([before]))
    html = key_figures.draw(found(LongChoices(compare="last_week"), sessions=answer))
    tiles = {title: (number, foot) for title, number, foot in re.findall(
        r'<h2>([^<]+)</h2><span class="number[^>]*>([^<]+)</span><p[^>]*>([^<]+)</p>', html
    )}  # fmt: skip
    assert tiles["Sessions"] == ("1,200", "started; 900 the week before")
    assert tiles["Bounce rate"] == ("25.0 %", "sessions of one event, last 24 h")
    assert tiles["Views per session"] == ("3.4", "mean; 3.4 the week before")
    assert tiles["Session duration"] == ("3 min 5 s", "mean, first to last event; 3 min 5 s the week before")
    late = said([row], compare=earlier([before], START - HOUR))
    assert "the week before" not in key_figures.draw(found(LongChoices(compare="last_week"), sessions=late))
    of_peru = LongChoices(wanted=Filter("all", (("country", frozenset({"Peru"})),)))
    assert "Bounce rate" not in key_figures.draw(found(of_peru))
    failing = Found(LongChoices(), {"sessions": Seen(LongChoices(), answer)}, {"sessions": HistoryFailure("x")})
    assert "1,200" not in key_figures.draw(failing)


def test_histograms_have_the_classes_of_short_windows() -> None:
    numbers_of_events = [1, 1, 2, 5, 6, 10, 11, 50, 51, 900]
    by_number = {number: numbers_of_events.count(number) for number in numbers_of_events}
    rows = [{"name": str(number), "visitors": count} for number, count in by_number.items()]
    histogram = events_per_visitor(said(rows, more=2))
    assert dict(zip(histogram.labels, histogram.counts, strict=True)) == {
        "1": 2, "2": 1, "3": 0, "4": 0, "5": 1, "6–10": 2, "11–20": 1, "21–50": 1, "51+": 4,
    }  # fmt: skip
    people = [{"name": name, "views": 9, "visitors": 2} for name in ("0", "17", "18", "64", "65", "101", "unknown")]
    assert list(ages(said(people), "visitors").counts) == [4, 2, 0, 0, 0, 2, 4, 2]
    assert sum(ages(said(people), "views").counts) == 63


def test_a_histogram_says_when_single_events_are_gone_and_the_notes_do_not() -> None:
    failure = HistoryFailure("400: gone", is_refused=True, parameter="from")
    without = Found(LongChoices(), failures={"visits": failure, "ages": failure})
    assert "no longer keeps" in str(visits.draw(without, context("viewer")).parts[1])
    assert notes.draw(without, NOW) == ""
    assert "no longer keeps" in notes.draw(Found(LongChoices(), failures={"ranked": failure}), NOW)


def test_a_file_of_amounts_is_exact_and_names_the_currency() -> None:
    choices = LongChoices(measure="revenue")
    answer = sold([amounts("12345678901234567890.000001")])
    assert lines("series", answer, choices)[0] == '"Start (UTC)","End (UTC)","Revenue (EUR)"'
    assert lines("series", answer, choices)[1].endswith(",12345678901234567890.000001")
    named = said([{"name": "Books", **amounts("2.5", orders=3)}], currency="EUR")
    assert lines("breakdown", named, choices) == ['"Category","Revenue (EUR)","Orders"', '"Books",2.5,3']


def lines(kind: str, answer: Said, choices: LongChoices | None = None, zone: str = "UTC") -> list[str]:
    return FILES[kind](Seen(choices or LongChoices(), answer), clock_of(zone)).lstrip("\ufeff").splitlines()


def test_a_file_of_the_curve_has_both_windows_and_nothing_for_what_is_unknown() -> None:
    before = rows_of([7], start=START - 5 * HOUR)
    answer = said(rows_of([0, 2, None], start=START - HOUR), compare=earlier(before))
    assert file_name("series", answer) == "clickpulse-series-2026-11-21T110000Z.csv"
    assert lines("series", answer, LongChoices(compare="last_week")) == [
        '"Start (UTC)","End (UTC)","Views","Start before (UTC)","Views the week before"',
        '"2026-11-21T10:00:00Z","2026-11-21T11:00:00Z","","2026-11-21T06:00:00Z",""',
        '"2026-11-21T11:00:00Z","2026-11-21T12:00:00Z",2,"",""',
        '"2026-11-21T12:00:00Z","2026-11-21T13:00:00Z","","",""',
    ]


def test_a_file_of_names_is_harmless_to_a_spreadsheet() -> None:
    answer = said([{"name": "=1+1", "views": 3, "visitors": None, "visitor_days": 2}])
    assert lines("breakdown", answer)[1:] == ['"\'=1+1",3,"",2']


def test_a_file_of_the_week_has_each_hour_in_the_viewers_zone() -> None:
    answer = said(rows_of([6] * 48), end=START + 48 * HOUR)
    found_lines = lines("weekdays", answer, zone="Asia/Kathmandu")
    assert found_lines[0] == '"Weekday","Hour (UTC+5:45)","Mean views","Hours"'
    assert len(found_lines) == 1 + 7 * 24
    assert found_lines[1 + 5 * 24 + 16] == '"Saturday",16,6.0,1'
    assert found_lines[1 + 5 * 24 + 15] == '"Saturday",15,"",0'
