"""The same minutes of last week: what is asked of history, when, and what its answers tell."""

import json
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.last_week import LastWeek, Row, Said, line_of, week_before
from services.dashboard.sources.history.last_week_source import LastWeekSource
from services.dashboard.sources.history.questions import Question
from services.history.questions.spans import Span
from services.history.questions.windows import Window, compared
from shared.rollups.model import Audience, Meta
from tests.support.polling import eventually

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOW = datetime(2026, 11, 28, 13, 30, 40, tzinfo=UTC)
RUNNING = NOW.replace(second=0)
BEFORE = RUNNING - timedelta(days=7)
BERLIN = ZoneInfo("Europe/Berlin")
LONG_SECONDS = 60.0


def ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def iso(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


class History:
    """Answers each minute with the views of its number, and each window with as many visitors as it has minutes."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.now_s = 0.0
        self.since, self.as_of = BEFORE - timedelta(days=9), NOW
        self.is_open = Event()
        self.is_open.set()
        self.failure: HistoryFailure | None = None
        self.changes: dict[str, Any] = {}

    def ask(self, question: Question) -> bytes:
        self.asked.append(question)
        assert self.is_open.wait(LONG_SECONDS)
        if self.failure is not None:
            raise self.failure
        given = dict(question.parameters)
        start, end = datetime.fromisoformat(given["from"]), datetime.fromisoformat(given["to"])
        minutes = [start + place * MINUTE for place in range((end - start) // MINUTE)]
        rows: list[dict[str, Any]] = [{"from": iso(minute), "to": "", "views": minute.minute} for minute in minutes]
        if question.kind == "aggregate":
            rows = [{"visitors": len(minutes)}]
        said = {"since": iso(self.since), "as_of": iso(self.as_of), "rows": [own | self.changes for own in rows]}
        return json.dumps(said).encode()

    def source(self) -> LastWeekSource:
        return LastWeekSource(self.ask, lambda: self.now_s)

    def kinds(self) -> list[str]:
        return [question.kind for question in self.asked]


def of(source: LastWeekSource, now: datetime = NOW, audience: Audience = "all", site: str = "") -> LastWeek | None:
    return source.of(Meta(as_of_ms=ms(now), site=site), audience, BERLIN)


def settled(source: LastWeekSource, windows: int = 4, **of_whom: Any) -> LastWeek:
    def found() -> LastWeek | None:
        last_week = of(source, **of_whom)
        return last_week if last_week is not None and len(last_week.visitors) == windows else None

    return eventually(found, "last week")


def test_the_line_and_the_windows_are_those_of_a_week_ago() -> None:
    last_week = settled(History().source())
    assert last_week.views_1m == {ms(RUNNING - ago * MINUTE): (30 - ago) % 60 for ago in range(15, -1, -1)}
    assert last_week.views_15m == sum(range(15, 30))
    assert last_week.ended_ms == ms(BEFORE)
    assert last_week.visitors == {"5m": 5, "15m": 15, "30m": 30, "1h": 60}


def test_site_and_audience_are_those_of_the_page() -> None:
    history = History()
    settled(history.source(), audience="human", site="shop.example")
    assert {dict(asked.parameters)["audience"] for asked in history.asked} == {"human"}
    assert {dict(asked.parameters)["site"] for asked in history.asked} == {"shop.example"}
    everyone = History()
    settled(everyone.source())
    assert not any("site" in dict(asked.parameters) for asked in everyone.asked)


def test_history_is_asked_once_a_minute_for_all_viewers_and_a_minute_ahead() -> None:
    history = History()
    source = history.source()
    settled(source)
    eventually(lambda: len(history.asked) >= 10 or None, "the questions of this minute and of the next")
    for second in range(40, 60):
        history.now_s += 1
        settled(source, now=NOW.replace(second=second))
        assert source.of(Meta(as_of_ms=ms(NOW)), "all", UTC) == of(source), "viewers of all zones share the answers"
    settled(source, audience="bot")  # asked after whatever else was
    assert sum(dict(asked.parameters)["audience"] == "all" for asked in history.asked) == 10
    history.is_open.clear()
    assert of(source, RUNNING + MINUTE) is not None, "the next minute had to be asked for"
    history.is_open.set()


def test_a_slow_history_delays_nothing() -> None:
    history = History()
    history.is_open.clear()
    source = history.source()
    assert [of(source) for _ in range(5)] == [None] * 5
    assert history.kinds() == ["timeseries"]
    history.is_open.set()
    assert settled(source) is not None


def looked_until_asked(history: History, source: LastWeekSource, times: int, step_s: float) -> None:
    """Let time pass until history was asked so many times."""

    def is_asked() -> bool:
        history.now_s += step_s
        assert of(source) is None
        return len(history.asked) == times

    eventually(is_asked, "the question")


def test_a_failing_history_is_asked_again_after_a_minute() -> None:
    history = History()
    history.failure = HistoryFailure("503: busy")
    looked_until_asked(history, history.source(), 2, step_s=5)
    assert history.now_s >= 60
    assert history.kinds() == ["timeseries"] * 2


def test_without_a_week_of_history_nothing_more_is_asked() -> None:
    history = History()
    history.since = BEFORE
    looked_until_asked(history, history.source(), 2, step_s=100)
    assert history.kinds() == ["timeseries"] * 2


@pytest.mark.parametrize(
    ("since", "as_of", "missing", "is_known"),
    [
        (BEFORE - HOUR - 15 * MINUTE, BEFORE + MINUTE, False, True),
        (BEFORE - HOUR - 14 * MINUTE, NOW, False, False),  # the first event may have come at the end of that hour
        (None, NOW, False, False),
        (BEFORE - 2 * HOUR, BEFORE + MINUTE - timedelta(seconds=1), False, False),  # it is still reading that minute
        (BEFORE - 2 * HOUR, None, False, False),
        (BEFORE - 2 * HOUR, NOW, True, False),
    ],
    ids=["known", "too young", "empty", "not read", "nothing read", "unknown minute"],
)
def test_there_is_no_line_unless_all_of_it_is_known(
    *, since: datetime | None, as_of: datetime | None, missing: bool, is_known: bool
) -> None:
    rows = [Row(BEFORE + place * MINUTE, views=7) for place in range(-15, 1)]
    if missing:
        rows[3] = Row(rows[3].start)
    assert (line_of(ms(RUNNING), ms(BEFORE), Said(rows, since, as_of)) is not None) == is_known


def test_a_window_that_is_not_known_is_left_out() -> None:
    history = History()
    history.since = BEFORE - HOUR - 45 * MINUTE
    assert settled(history.source(), windows=3).visitors.keys() == {"5m", "15m", "30m"}
    expired = History()
    expired.changes = {"visitors": None}
    assert settled(expired.source(), windows=0).views_15m > 0


@pytest.mark.parametrize("said", [b"[]", b'{"rows": [{"from": "2026-11-21T13:30:00", "views": 1}]}', b'{"rows": {}}'])
def test_an_answer_of_another_kind_is_none(said: bytes) -> None:
    asked: list[Question] = []

    def ask(question: Question) -> bytes:
        asked.append(question)
        return said

    source = LastWeekSource(ask, lambda: 0.0)
    of(source)
    eventually(lambda: asked, "the question")
    assert of(source) is None


def test_an_instant_beyond_the_calendar_has_no_week_before() -> None:
    latest = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert LastWeekSource(never, lambda: 0.0).of(Meta(as_of_ms=ms(latest)), "all", ZoneInfo("Asia/Tokyo")) is None


def never(_question: Question) -> bytes:
    raise AssertionError("asked")


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_a_week_is_that_of_the_api(instant: datetime, zone: str) -> None:
    minute = instant.replace(second=0, microsecond=0)
    window = Window(Span(minute, minute + MINUTE), "minute", ZoneInfo(zone))
    assert week_before(ms(minute), ZoneInfo(zone)) == ms(compared(window, "last_week").span.start)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), 168),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), 167),  # 03:00 CEST, and a week before 03:00 CET
        (datetime(2026, 4, 4, 21, 59, tzinfo=UTC), 167),
        (datetime(2026, 4, 5, 1, 0, tzinfo=UTC), 168),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), 169),
    ],
)
def test_a_week_in_which_a_clock_changes_has_an_hour_less_or_more(now: datetime, hours: int) -> None:
    assert ms(now) - (week_before(ms(now), BERLIN) or 0) == hours * 3_600_000
