"""What a page shows of history's answers."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.dashboard.explore.long_windows import board, captions, key_figures, notes
from services.dashboard.explore.long_windows.answers import Said
from services.dashboard.explore.long_windows.choices import Interval, LongChoices
from services.dashboard.explore.long_windows.files import FILES, file_name
from services.dashboard.explore.long_windows.found import Found, Part, Seen
from services.dashboard.explore.long_windows.panels import breakdown, series
from services.dashboard.explore.long_windows.weekdays import week_of
from services.dashboard.kit.cards.card import Card, Context
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.theme import LIGHT
from services.dashboard.kit.time_zones import UTC_CLOCK, clock_of
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.history.failure import HistoryFailure
from tests.support.samples.history_said import HOUR, START, earlier, iso, said
from tests.support.samples.history_said import series as rows_of

NOW = START + HOUR


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
    return dict(re.findall(r'<h2>(\w+)</h2><span class="number[^>]*>([^<]+)</span>', html))


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
    [("hour", 24, HOUR, ["11:00", "15:00", "19:00", "23:00", "03:00", "07:00"]),
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
    }  # fmt: skip
    assert "The hour that is running is compared with a whole one" in notes.draw(both, NOW)
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
