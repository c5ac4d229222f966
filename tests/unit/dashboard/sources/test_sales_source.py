"""The source of sales: a question a second, the others after a sale; failures are values."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.dashboard.sources.history import questions
from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.questions import Question
from services.dashboard.sources.history.sales import SalesDay
from services.dashboard.sources.history.sales_source import SalesSource
from services.dashboard.sources.observations import Sold, Unreachable
from shared.events.time_units import DAY_MS, HOUR_MS, MINUTE_MS

NOON_MS = round(datetime(2026, 11, 28, 12, 0, 30, tzinfo=UTC).timestamp() * 1000)
BERLIN = ZoneInfo("Europe/Berlin")


class History:
    """Answers like the API, from one sum for everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.revenue, self.since = "10.10", "2026-11-01T00:00:00Z"
        self.refunded = "0"
        self.products: tuple[str, ...] = ("P1", "P2", "P3", "P4")
        self.failure: HistoryFailure | None = None
        self.body: bytes | None = None

    def ask(self, question: Question) -> bytes:
        if self.failure is not None:
            raise self.failure
        self.asked.append(question)
        parameters = dict(question.parameters)
        sums = {"revenue": self.revenue, "profit": "4.05", "orders": 2, "refunds": 0, "refunded": self.refunded,
                "quantity": 3, "without_cost": 0}  # fmt: skip
        row: dict[str, Any] = {"from": parameters["from"], "to": parameters["to"], **sums}
        products = ("returned",) if parameters["metrics"].startswith("refunded") else self.products
        names = {"currency": ("EUR", "", "USD"), "productId": products, "title": ("A title",)}
        rows = [{"name": name, **row} for name in names.get(parameters.get("by", ""), ("",))]
        said = {"as_of": "2026-11-28T12:01:00Z", "since": self.since, "currency": "EUR", "rows": rows, "more": 0}
        if "compare" in parameters:
            said["compare"] = {"rows": [{**row, "revenue": "5"}]}
        return self.body or json.dumps(said).encode()

    def kinds(self) -> Counter[str]:
        """What was asked since the last look: the path, and what it is broken down by or compared with."""
        found = Counter(
            " ".join([question.kind, *(value for name, value in question.parameters if name in ("by", "compare"))])
            for question in self.asked
        )
        self.asked.clear()
        return found


class Ticking:
    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def tick(self, ms: int = 1000) -> None:
        self.now_ms += ms


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def source(history: History, clock: Ticking) -> SalesSource:
    return SalesSource(history, now_ms=lambda: clock.now_ms, elapsed_seconds=lambda: clock.now_ms / 1000)


def day(source: SalesSource, zone: tzinfo = UTC, site: str | None = None) -> SalesDay:
    observed = source.observe(zone, site)
    assert isinstance(observed, Sold), observed
    return observed.day


def test_the_first_look_asks_for_everything(source: SalesSource, history: History) -> None:
    sold = day(source)
    assert history.kinds() == {
        "breakdown currency": 1, "timeseries": 3, "aggregate yesterday": 1, "aggregate last_week": 1,
        "breakdown category": 1, "breakdown platform": 1, "breakdown productId": 2,
    }  # fmt: skip
    assert (sold.total.revenue, sold.total.profit, sold.total.orders) == (Decimal("10.10"), Decimal("4.05"), 2)
    assert sold.yesterday is not None
    assert sold.yesterday.until_now.revenue == 5
    assert [currency for currency, _ in sold.currencies] == ["USD"]


def test_a_second_without_a_sale_costs_one_question(source: SalesSource, history: History, clock: Ticking) -> None:
    first = day(source)
    history.kinds()
    for _ in range(50):
        day(source)
    assert history.kinds() == {}
    clock.tick()
    assert replace(day(source), titles={}) == first
    assert history.kinds() == {"breakdown currency": 1, "breakdown title": 3}
    for _ in range(2):
        clock.tick()
        assert day(source).titles == dict.fromkeys(history.products, "A title")
    assert history.kinds() == {"breakdown currency": 2, "breakdown title": 1}


def test_after_a_sale_the_figures_of_today_are_asked_for_again(
    source: SalesSource, history: History, clock: Ticking
) -> None:
    day(source)
    history.kinds()
    history.revenue = "11.10"
    clock.tick()
    assert day(source).total.revenue == Decimal("11.10")
    assert history.kinds() == {
        "breakdown currency": 1, "timeseries": 1, "breakdown category": 1, "breakdown platform": 1,
        "breakdown productId": 2, "breakdown title": 3,
    }  # fmt: skip


def test_refunds_by_product_are_asked_for_where_there_are_some(
    source: SalesSource, history: History, clock: Ticking
) -> None:
    history.refunded, history.products = "2.50", ("P1",)
    refunded = day(source).by_refunded.names
    assert [(product, sums.refunded) for product, sums in refunded] == [("returned", Decimal("2.50"))]
    clock.tick()
    assert day(source).titles.keys() == {"P1", "returned"}


def test_titles_of_products_that_lead_no_more_are_forgotten(
    source: SalesSource, history: History, clock: Ticking
) -> None:
    for history.products, history.revenue in ((("P1", "P2"), "1"), (("P2", "P3"), "2")):
        for _ in range(2):
            clock.tick()
            titles = day(source).titles
        assert titles.keys() == set(history.products)


def test_earlier_days_are_compared_each_minute_and_their_hours_read_less_often(
    source: SalesSource, history: History, clock: Ticking
) -> None:
    day(source)
    history.kinds()
    clock.tick(MINUTE_MS)
    day(source)
    asked = history.kinds()
    assert (asked["aggregate yesterday"], asked["aggregate last_week"], asked["timeseries"]) == (1, 1, 1)
    clock.tick(10 * MINUTE_MS)
    day(source)
    assert history.kinds()["timeseries"] == 3


@pytest.mark.parametrize(
    ("since", "has_yesterday", "has_last_week"),
    [
        ("2026-11-21T00:00:00Z", True, True),
        ("2026-11-21T01:00:00Z", True, False),
        ("2026-11-27T01:00:00Z", False, False),
        (None, False, False),
    ],
)
def test_a_day_that_history_did_not_see_whole_is_not_compared(
    source: SalesSource, history: History, since: Any, has_yesterday: bool, has_last_week: bool
) -> None:
    history.since = since
    sold = day(source)
    assert (sold.yesterday is not None, sold.last_week is not None) == (has_yesterday, has_last_week)


def test_a_site_and_a_zone_have_sales_of_their_own(source: SalesSource, history: History) -> None:
    day(source, BERLIN, "shop.example")
    asked = {(dict(own.parameters)["timezone"], dict(own.parameters)["site"]) for own in history.asked}
    assert asked == {("Europe/Berlin", "shop.example")}
    day(source)
    assert "site" not in dict(history.asked[-1].parameters)


def test_a_failure_keeps_the_last_day_and_its_start(source: SalesSource, history: History, clock: Ticking) -> None:
    sold = day(source)
    history.failure = HistoryFailure("Connection refused")
    clock.tick()
    first = source.observe(UTC, None)
    clock.tick()
    second = source.observe(UTC, None)
    assert isinstance(second, Unreachable)
    assert (second.reason, second.last, second.is_refused) == ("Connection refused", sold, False)
    assert second.since_ms == NOON_MS + 1000
    assert first is not second
    history.failure = None
    clock.tick()
    assert replace(day(source), titles={}) == sold


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"rows": [{"revenue": "many"}]}',
                                  b'{"rows": [], "as_of": "yesterday"}'])  # fmt: skip
def test_an_answer_that_cannot_be_read_is_a_failure(source: SalesSource, history: History, body: bytes) -> None:
    history.body = body
    observed = source.observe(UTC, None)
    assert isinstance(observed, Unreachable)
    assert "cannot be read" in observed.reason


def test_browsers_that_claim_many_zones_leave_little_behind(source: SalesSource) -> None:
    for number in range(200):
        day(source, site=f"{number}.example")
    assert len(source._flights) == 64  # noqa: SLF001 - there is no other view of what is kept


@pytest.mark.parametrize(
    ("now", "hours", "yesterday_hours"),
    [
        (datetime(2026, 10, 25, 12, tzinfo=UTC), 25, 24),
        (datetime(2026, 10, 26, 12, tzinfo=UTC), 24, 25),
        (datetime(2026, 3, 29, 12, tzinfo=UTC), 23, 24),
        (datetime(2026, 3, 30, 12, tzinfo=UTC), 24, 23),
    ],
)
def test_days_are_those_of_the_viewer_also_where_clocks_change(now: datetime, hours: int, yesterday_hours: int) -> None:
    now_ms = round(now.timestamp() * 1000)
    today = questions.today_of(now_ms, BERLIN, None)
    assert today.ends_ms - today.starts_ms == hours * HOUR_MS
    assert today.starts_ms - questions.started(today, "yesterday", BERLIN) == yesterday_hours * HOUR_MS
    assert datetime.fromtimestamp(questions.started(today, "last_week", BERLIN) / 1000, BERLIN).hour == 0
    assert today.until_ms == now_ms + MINUTE_MS
    assert today.starts_ms % DAY_MS != 0
