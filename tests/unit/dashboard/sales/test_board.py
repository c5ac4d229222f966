"""The Sales page as HTML: its figures, what it says in each state, and that untrusted text stays text."""

import re
from decimal import Decimal
from typing import Any, Final

import pytest

from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.theme import LIGHT
from services.dashboard.sales import board
from services.dashboard.sales.snapshot import Snapshot
from services.dashboard.sales.strip import Reports
from services.dashboard.sources.history.sales import Leading, SalesDay
from services.dashboard.sources.observations import FailingPart, Sold, SoldObservation, Unreachable
from tests.support.samples.rollup import NOON_MS
from tests.support.samples.sales_day import sales_day, sums
from tests.unit.dashboard.live.test_board import HOSTILE, Markup
from tests.unit.dashboard.operations.test_board import OWN, card, rows_of, text_of

ADDRESS: Final = "http://history.example:8090"
PRODUCTS: Final = {"P1": {"title": "A book", "category": "Books"}}
CONTEXT: Final = Context(palette=LIGHT, now_ms=NOON_MS)


def draw(observation: SoldObservation, reports: Reports | None = None, products: Any = PRODUCTS) -> Board:
    day = observation.day if isinstance(observation, Sold) else observation.last
    snapshot = None if day is None else Snapshot(day, products)
    return board.draw(observation, snapshot, reports or Reports(lag=0), ADDRESS, CONTEXT)


def drawn(day: SalesDay, **others: Any) -> Board:
    return draw(Sold(day), **others)


def figures(day: SalesDay) -> list[str]:
    return [text_of(figure) for figure in re.findall(r'<div class="kpi".*?</p></div>', drawn(day).key_figures)]


def test_each_figure_is_compared_with_the_days_that_history_knows() -> None:
    assert figures(sales_day()) == [
        "Revenue today €100.50 ▲ up 25 % on yesterday €0.00 by now last week",
        "Profit today €40.20 ▼ down 20 % on yesterday €0.00 by now last week",
        "Orders today 3 ▲ up 50 % on yesterday 0 orders by now last week",
        "Average order €40.17 sales ÷ orders ± changed by 0 % on yesterday",
        "Margin 40.0 % profit ÷ revenue",
        "Refunds €20.00 1 refund €0.00 by now yesterday",
        "Pieces 6 sold today 2.0 per order",
    ]


def test_without_earlier_days_nothing_is_compared() -> None:
    shown = figures(sales_day(yesterday=None, last_week=None))
    assert shown[:3] == ["Revenue today €100.50 since midnight", "Profit today €40.20 since midnight",
                         "Orders today 3 since midnight"]  # fmt: skip
    assert shown[5] == "Refunds €20.00 1 refund"


def test_a_profit_that_no_sale_tells_is_unknown_and_one_that_some_tell_says_so() -> None:
    unknown = figures(sales_day(total=sums("9", "9", 3, without_cost=3)))
    assert unknown[1] == "Profit today – no sale says its cost"
    assert unknown[4] == "Margin – profit ÷ revenue"
    assert figures(sales_day(total=sums("9", "3", 3, without_cost=2)))[4] == (
        "Margin 33.3 % profit ÷ revenue 2 without a cost"
    )


def test_a_day_without_sales_shows_zeros_and_no_other_currency() -> None:
    nothing = Leading([], 0)
    day = sales_day(total=sums("0", "0", 0), hours=[], categories=nothing, platforms=nothing, by_revenue=nothing,
                    by_profit=nothing, currencies=[])  # fmt: skip
    shown = drawn(day)
    assert figures(day)[0] == "Revenue today €0.00 ▼ down 100 % on yesterday €0.00 by now last week"
    assert [own.name for own in shown.cards] == ["by-hour", "categories", "platforms", "products-by-revenue",
                                                 "products-by-profit"]  # fmt: skip
    assert text_of(card(shown, "platforms")) == "Platforms Today No sale yet today."


def test_names_show_revenue_and_profit_and_what_has_none_is_the_rest() -> None:
    shown = drawn(sales_day())
    assert rows_of(card(shown, "categories")) == ["Books €70.00 €30.00 2", "All others €30.50 €10.20"]
    assert rows_of(card(shown, "platforms")) == ["web €100.50 €40.20 3"]


def test_bars_are_of_the_greatest_name_and_the_rest_has_none() -> None:
    leading = Leading([("Books", sums("20", "30")), ("Coats", sums("10", "15")), ("Hats", sums("-5", "-5"))], 1)
    html = card(drawn(sales_day(categories=leading)), "categories")
    assert re.findall(r"width:(\d+)%", html) == ["100", "50", "0", "0"]


def test_products_have_their_titles_and_ids_where_these_are_unknown() -> None:
    shown = drawn(sales_day(titles={"P1": "Not that of Live", "P2": ""}))
    assert rows_of(card(shown, "products-by-revenue")) == ["A book €70.00 €30.00 2", "Product P2 €30.50 €10.20 1"]
    assert "Products by profit Today · 1 of 2" in text_of(card(shown, "products-by-profit"))


def test_a_product_that_live_does_not_know_has_the_title_of_its_sales() -> None:
    shown = drawn(sales_day(titles={"P2": "A coat"}))
    assert rows_of(card(shown, "products-by-revenue"))[1] == "A coat €30.50 €10.20 1"


def test_refunds_are_shown_by_product_beside_what_it_sold() -> None:
    shown = drawn(sales_day(titles={"P2": "A coat"}))
    assert rows_of(card(shown, "refunds")) == ["A coat €15.00 2 €45.50 1", "All others €5.00"]
    all_named = Leading([("P1", sums("0", "0", 0, refunds=1, refunded=Decimal(20)))], 0)
    assert rows_of(card(drawn(sales_day(by_refunded=all_named)), "refunds")) == ["A book €20.00 1 €20.00 0"]


def test_refunds_of_no_product_are_the_rest() -> None:
    assert rows_of(card(drawn(sales_day(by_refunded=Leading([], 0))), "refunds")) == ["All others €20.00"]


def test_other_currencies_are_apart() -> None:
    assert rows_of(card(drawn(sales_day()), "currencies")) == ["USD $9.99 – 1"]


@pytest.mark.parametrize(
    ("reports", "standing", "words"),
    [
        (Reports(lag=0), "live", "Sales are up to the second."),
        (Reports(), "live", "Sales are up to the second."),
        (Reports(lag=7), "behind", "7 events not stored yet"),
        (
            Reports(lag=7, failing=FailingPart("history", "postgres", NOON_MS - 5_000, "is away")),
            "behind",
            "clickpulse history fails: postgres, since 11:59:55 UTC (1 min); sales wait to be stored. is away",
        ),
        (Reports(failing=FailingPart("history", None, NOON_MS, "")), "behind", "clickpulse history has stopped, since"),
    ],
)
def test_the_strip_says_whether_history_keeps_up(reports: Reports, standing: str, words: str) -> None:
    observation = Sold(sales_day(as_of_ms=NOON_MS))
    snapshot = Snapshot(observation.day)
    context = Context(palette=LIGHT, now_ms=NOON_MS + 60_000)
    strip = board.draw(observation, snapshot, reports, ADDRESS, context).strip
    assert f'data-standing="{standing}"' in strip
    assert words in text_of(strip).replace(" ,", ",").replace(" .", ".")


def test_events_that_arrived_just_now_are_not_behind() -> None:
    assert 'data-standing="live"' in drawn(sales_day(as_of_ms=NOON_MS - 2_000), reports=Reports(lag=7)).strip


def test_history_without_events_waits() -> None:
    strip = drawn(sales_day(as_of_ms=None, since_ms=None)).strip
    assert 'data-standing="waiting"' in strip
    assert "Kept since –" in text_of(strip)


def test_without_history_the_page_says_how_to_get_it() -> None:
    shown = draw(Unreachable(NOON_MS, "Connection refused", None))
    assert "History unreachable" in shown.strip
    assert "history.example:8090 has not answered since" in text_of(shown.strip)
    assert "clickpulse history" in text_of(shown.notice)
    assert shown.cards == ()


def test_a_refusal_asks_for_a_key() -> None:
    shown = draw(Unreachable(NOON_MS, "401: no key", None, is_refused=True))
    assert "History refuses to answer" in shown.strip
    assert "HISTORY_API_KEY" in shown.notice


def test_the_last_numbers_stay_while_history_is_away() -> None:
    shown = draw(Unreachable(NOON_MS, "Connection refused", sales_day()))
    assert 'data-standing="unreachable"' in shown.strip
    assert "The numbers below are from 12:00:00 UTC" in text_of(shown.strip)
    assert "€100.50" in shown.key_figures


def test_untrusted_text_stays_text() -> None:
    hostile = Leading([(HOSTILE, sums("1", "1"))], 0)
    refunded = Leading([(HOSTILE, sums("1", "1", refunded=Decimal(1)))], 0)
    day = sales_day(categories=hostile, platforms=hostile, by_revenue=hostile, by_profit=hostile, by_refunded=refunded,
                    currencies=[(HOSTILE, sums("1", "1"))])  # fmt: skip
    shown = drawn(day, products={HOSTILE: {"title": HOSTILE, "category": HOSTILE}})
    failing = drawn(day, reports=Reports(failing=FailingPart("history", HOSTILE, NOON_MS, HOSTILE)))
    refused = draw(Unreachable(NOON_MS, HOSTILE, day))
    tables = [card(shown, own.name) for own in shown.cards]
    for html in (shown.strip, failing.strip, refused.strip, shown.key_figures, *tables):
        markup = Markup()
        markup.feed(html)
        markup.close()
        assert set(markup.foreign) <= OWN | {"h1"}, html
    assert [html for html in (failing.strip, refused.strip, *tables[1:]) if "&lt;" not in html] == []


def test_amounts_are_exact() -> None:
    total = sums("12345678901234567890.12", "0.10", 1, refunded=Decimal(0))
    assert "€12,345,678,901,234,567,890.12" in drawn(sales_day(total=total)).key_figures
