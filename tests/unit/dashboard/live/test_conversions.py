"""The panel of goals and revenue: exact amounts, currencies apart, and absent where there is nothing."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.dashboard.kit.cards.card import Card, Context
from services.dashboard.kit.theme import LIGHT
from services.dashboard.live.panels import conversions
from shared.rollups.commerce import GoalCounts, Revenue, Sales
from shared.rollups.contract import AudienceRollup, Snapshot
from tests.support.samples.rollup import NOON_MS, sample_rollup

ROLLUP = sample_rollup()
NOTHING: dict[str, Any] = {
    "goals": {},
    "goals_1h": {},
    "revenue": Revenue(currency="EUR"),
    "other_currencies": {},
    "revenue_as_other": {},
    "revenue_products_8h": {},
    "revenue_categories_8h": {},
    "revenue_sources_8h": {},
    "revenue_campaigns_8h": {},
}


def windows(**changes: Any) -> AudienceRollup:
    return replace(ROLLUP.audiences["all"], **{**NOTHING, **changes})


def drawn(**changes: Any) -> Card | None:
    snapshot = Snapshot(
        meta=ROLLUP.meta,
        windows=windows(**changes),
        products_info={"p1": {"title": "Tea & Co", "category": "Books"}, "p2": {"title": "Unknown", "category": None}},
        latest_visitors=[],
        latest_events=[],
        state_log=[],
    )
    return conversions.draw(snapshot, Context(palette=LIGHT, now_ms=NOON_MS))


def html(**changes: Any) -> str:
    card = drawn(**changes)
    assert card is not None
    return "".join(part for part in card.parts if isinstance(part, str))


def text(**changes: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html(**changes)).replace("\u00a0", " ").split())


def goal(conversions: int, visitors: int, rate: float) -> GoalCounts:
    return GoalCounts(
        conversions={"1h": conversions, "8h": 10 * conversions}, visitors={"1h": visitors}, rate={"1h": rate}
    )


SOLD = Revenue(
    currency="EUR",
    revenue_1h=Decimal("1240.5"),
    orders_1h=25,
    average_order_1h=Decimal("52.62"),
    refunds_1h=1,
    refunded_1h=Decimal("75"),
    revenue_8h=Decimal("-3.456"),
    orders_8h=0,
    refunds_8h=2,
    refunded_8h=Decimal("3.456"),
)


def test_a_site_without_goals_and_sales_has_no_such_panel() -> None:
    assert drawn() is None


def test_revenue_orders_average_and_refunds_of_both_windows_are_shown() -> None:
    shown = text(revenue=SOLD)
    assert "amounts in EUR" in shown
    assert "Revenue, last hour €1,240.50 25 orders €52.62 on average 1 refund · −€75.00" in shown
    assert "Revenue, last 8 hours −€3.46 0 orders 2 refunds · −€3.46" in shown
    assert "No goals." in shown


def test_goals_are_shown_without_any_sale_the_most_reached_first() -> None:
    goals = {"Sign-up": goal(2, 1, 0.0005), "Purchase": goal(30, 25, 0.025), "Never": goal(0, 0, 0.0)}
    shown = text(goals=goals, goals_1h={"Purchase": 30, "Sign-up": 2, "Never": 0})
    assert "Purchase 30 25 2.50 % 300 Sign-up 2 1 0.05 % 20 Never 0 0 0.00 % 0" in shown
    assert "No order in the last eight hours." in shown


def test_many_goals_are_cut_and_counted() -> None:
    goals = {f"goal {number:02}": goal(number, 1, 0.1) for number in range(32)}
    shown = text(goals=goals, goals_1h={name: counts.conversions["1h"] for name, counts in goals.items()})
    assert "8 of 32 goals" in shown
    assert "goal 31" in shown
    assert "goal 23" not in shown


def test_other_currencies_are_shown_apart_and_those_beyond_the_limit_without_an_amount() -> None:
    others = {
        "CHF": replace(SOLD, currency="CHF", revenue_1h=Decimal(5), revenue_8h=Decimal(70), orders_8h=9),
        "(other)": replace(SOLD, currency="(other)", orders_8h=4),
    }
    shown = text(other_currencies=others)
    assert "Revenue, last hour €0.00 0 orders No refunds" in shown  # never added
    assert "CHF CHF 5.00 CHF 70.00 9 All others – – 4" in shown


def test_sales_beyond_the_limit_are_said_where_revenue_is_shown() -> None:
    sold: dict[str, Any] = {"revenue": SOLD, "revenue_sources_8h": {"(other)": Sales(Decimal(3), 2)}}
    assert "MAX_SALES" not in text(**sold, revenue_as_other={"1h": 0, "8h": 0})
    shown = text(**sold, revenue_as_other={"1h": 0, "8h": 1234})
    assert "1,234 sales of the last 8 hours came beyond MAX_SALES. Orders and revenue in EUR are exact;" in shown
    assert 'title="All that came beyond MAX_NAMES names, or beyond MAX_SALES sales' in html(**sold)


def test_products_categories_sources_and_campaigns_are_ranked_by_revenue() -> None:
    products = {"p1": Sales(Decimal("99.9"), 3), "p2": Sales(Decimal(12), 1), "p3": Sales(Decimal(-4), 0)}
    shown = text(
        revenue=SOLD,
        revenue_products_8h=products,
        revenue_sources_8h={f"site-{number}.example": Sales(Decimal(9 - number), 1) for number in range(9)},
        revenue_categories_8h={"Books": Sales(Decimal("0.5"), 1)},
        revenue_campaigns_8h={"brand (google / cpc)": Sales(Decimal(7), 2)},
    )
    assert "Tea &amp; Co €99.90 3 Product p2 €12.00 1 Product p3 −€4.00 0" in shown
    assert "site-4.example €5.00 1" in shown
    assert "site-5.example" not in shown
    assert "Category, 8 hours Revenue Orders Books €0.50 1" in shown
    assert "Campaign, 8 hours Revenue Orders brand (google / cpc) €7.00 2" in shown


@pytest.mark.parametrize("hostile", ["<script>x</script>", '"><img src=x>'])
def test_untrusted_names_are_escaped(hostile: str) -> None:
    shown = html(
        goals={hostile: goal(1, 1, 0.1)},
        goals_1h={hostile: 1},
        revenue=SOLD,
        other_currencies={hostile: SOLD},
        revenue_sources_8h={hostile: Sales(Decimal(1), 1)},
    )
    assert hostile not in shown
    assert shown.count("&lt;") >= 3


def test_amounts_of_any_size_are_drawn() -> None:
    vast = Decimal("123456789012345678901234567890.123456")
    shown = text(revenue=replace(SOLD, revenue_1h=vast), revenue_1m={0: vast, 60_000: -vast, 120_000: vast})
    assert "€123,456,789,012,345,678,901,234,567,890.12" in shown


def test_curves_leave_out_the_running_bucket_and_say_their_range() -> None:
    minutes = {number * 60_000: Decimal(amount) for number, amount in enumerate(["0", "5.5", "-2", "900"])}
    assert 'aria-label="Revenue per minute, last hour: −€2.00 to €5.50"' in html(revenue=SOLD, revenue_1m=minutes)
