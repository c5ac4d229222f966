"""Orders, refunds and campaigns of the simulated shop are believable, and repeatable."""

from collections import Counter, defaultdict
from decimal import Decimal
from functools import cache
from itertools import pairwise, takewhile
from random import Random
from statistics import mean
from urllib.parse import parse_qs, urlsplit

import pytest

from services.traffic.acquisition import ARRIVALS, Schedule, draw_arrival
from services.traffic.intentions import CART_SHARE, MEAN_STEPS, ORDER_SHARE, draw_intention
from services.traffic.shopping import ADD_TO_CART, NEWSLETTER, PURCHASE, REFUND
from services.traffic.simulation import simulate
from services.traffic.user_agents import BOTS
from services.traffic.world import World
from shared.events.amounts import ORDER_LINE
from shared.events.raw import decode_raw, encode_raw
from shared.events.schema import RawEvent

MIDNIGHT = 1_795_046_400_000
HOUR = 3_600_000
SHOP = World(seed=5, rate=2.0, visitors=30_000)
BOT_AGENTS = {bot.user_agent for bot in BOTS}


@cache
def eight_hours() -> list[RawEvent]:
    """The clicks from 10:00 to 18:00 UTC."""
    return between(MIDNIGHT + 10 * HOUR, MIDNIGHT + 18 * HOUR)


def between(from_ms: int, to_ms: int) -> list[RawEvent]:
    return list(takewhile(lambda event: event.timestamp < to_ms, simulate(SHOP, from_ms)))


@cache
def sessions() -> dict[str, list[RawEvent]]:
    """People's clicks by session; refunds stand for themselves."""
    found = defaultdict(list)
    for event in eight_hours():
        if event.userAgent not in BOT_AGENTS and event.eventId is not None:
            found[event.eventId.rpartition("-")[0] if event.eventType != REFUND else event.eventId].append(event)
    return found


def of_type(event_type: str) -> list[RawEvent]:
    return [event for event in eight_hours() if event.eventType == event_type]


def query(event: RawEvent) -> dict[str, list[str]]:
    return parse_qs(urlsplit(event.url or "").query)


def test_two_or_three_of_a_hundred_sessions_order_and_most_carts_are_abandoned() -> None:
    carts = sum(any(event.eventType == ADD_TO_CART for event in session) for session in sessions().values())
    orders = sum(any(event.eventType == PURCHASE for event in session) for session in sessions().values())
    assert 0.018 < orders / len(sessions()) < 0.032
    assert 0.6 < 1 - orders / carts < 0.8
    assert pytest.approx(0.0225) == CART_SHARE * ORDER_SHARE


def orders() -> dict[tuple[str, str], list[RawEvent]]:
    """The lines of each order, without those of a reload; by visitor and order."""
    found: dict[tuple[str, str], list[RawEvent]] = defaultdict(list)
    for event in eight_hours():
        if event.eventType in (PURCHASE, ORDER_LINE):
            lines = found[event.userId, (event.orderId or "").partition("-")[0]]
            if event.orderId not in {line.orderId for line in lines}:
                lines.append(event)
    # The first hour may begin within an order.
    return {key: lines for key, lines in found.items() if lines[0].eventType == PURCHASE}


def test_an_order_comes_after_its_cart_checkout_and_thanks() -> None:
    for session in sessions().values():
        types = [event.eventType for event in session]
        paths = [urlsplit(event.url or "").path for event in session]
        if PURCHASE in types and session[0].timestamp > eight_hours()[0].timestamp + HOUR:
            order = types.index(PURCHASE)
            assert types.index(ADD_TO_CART) < paths.index("/cart") < paths.index("/checkout") < order
            assert paths[order - 1] == paths[order] == "/checkout/thank-you"
            assert session[order].timestamp - session[order - 1].timestamp <= 2_000


def test_an_order_carries_all_its_fields_and_nothing_else_carries_money() -> None:
    for event in eight_hours():
        assert (event.value is None) == (event.eventType not in (PURCHASE, ORDER_LINE, REFUND))
    for order in of_type(PURCHASE) + of_type(ORDER_LINE):
        assert order.value is not None
        assert order.cost is not None
        assert 0 < Decimal(order.cost) < Decimal(order.value)
        assert (order.quantity or 0) >= 1
        assert order.currency in {"EUR", "GBP", "CHF"}
        assert order.platform in {"web", "app"}
    assert Counter(order.currency for order in of_type(PURCHASE)).most_common(1)[0][0] == "EUR"


def test_an_order_says_where_its_visit_came_from() -> None:
    for session in sessions().values():
        for order in session:
            if order.eventType == PURCHASE and (session[0].eventId or "").endswith("-0"):
                assert order.referrer == session[0].referrer
                assert query(order).get("utm_campaign") == query(session[0]).get("utm_campaign")
    assert sum("utm_campaign" in query(order) for order in of_type(PURCHASE)) > 20


def test_the_average_order_and_its_products_are_believable() -> None:
    values = [
        sum((Decimal(line.value or 0) for line in lines), Decimal(0))
        for lines in orders().values()
        if lines[0].currency == "EUR"
    ]
    assert 80 < mean(values) < 250
    alone = sum(len(lines) == 1 for lines in orders().values())
    assert 0.5 < alone / len(orders()) < 0.9


def test_an_order_of_several_products_has_a_line_for_each() -> None:
    several = [lines for lines in orders().values() if len(lines) > 1]
    assert {len(lines) for lines in several} == {2, 3}
    for lines in several:
        first = lines[0]
        assert [line.eventType for line in lines] == [PURCHASE] + [ORDER_LINE] * (len(lines) - 1)
        assert [line.orderId for line in lines[1:]] == [
            f"{first.orderId}-{number}" for number in range(2, len(lines) + 1)
        ]
        assert len({line.productId for line in lines} - {None}) == len(lines)
        assert all(0 <= line.timestamp - before.timestamp <= 2_000 for before, line in pairwise(lines))
        assert {(line.currency, line.platform, line.url, line.referrer) for line in lines} == {
            (first.currency, first.platform, first.url, first.referrer)
        }


def test_an_order_has_the_products_of_its_cart() -> None:
    for lines in orders().values():
        session = sessions()[(lines[0].eventId or "").rpartition("-")[0]]
        carted = [event.productId for event in session if event.eventType == ADD_TO_CART]
        if (session[0].eventId or "").endswith("-0"):
            assert carted == [line.productId for line in lines]


def test_a_reloaded_order_keeps_its_id_and_gets_another_event_id() -> None:
    by_id = defaultdict(list)
    for order in of_type(PURCHASE) + of_type(ORDER_LINE):
        by_id[order.userId, order.orderId].append(order)
    repeated = [orders for orders in by_id.values() if len(orders) > 1]
    assert 0.005 < len(repeated) / len(by_id) < 0.08
    assert {order.eventType for orders in repeated for order in orders} == {PURCHASE, ORDER_LINE}
    for orders in repeated:
        assert len({order.eventId for order in orders}) == len(orders)
        assert len({order.value for order in orders}) == 1


def test_refunds_are_of_earlier_orders_and_give_back_at_most_their_value() -> None:
    before = between(MIDNIGHT + 4 * HOUR, MIDNIGHT + 10 * HOUR)
    sold = {(own.userId, own.orderId): own for own in before + eight_hours() if own.value and own.eventType != REFUND}
    refunds = of_type(REFUND)
    assert 0.02 < len(refunds) / len(of_type(PURCHASE)) < 0.09
    for event in refunds:
        order = sold[event.userId, event.orderId]
        assert event.timestamp > order.timestamp
        assert event.productId == order.productId
        assert -Decimal(order.value or 0) <= Decimal(event.value or 0) < 0
        assert event.currency == order.currency
        assert (event.referrer, query(event)) == (order.referrer, query(order))


def test_sessions_take_as_many_steps_as_the_rate_is_made_for() -> None:
    rng = Random(20)
    steps = [draw_intention(rng, draw_arrival(rng, MIDNIGHT)).steps for _ in range(150_000)]
    assert mean(steps) == pytest.approx(MEAN_STEPS, rel=0.01)


def test_bots_never_buy() -> None:
    bots = [event for event in eight_hours() if event.userAgent in BOT_AGENTS]
    assert {event.eventType for event in bots} == {"page_view"}
    assert all("utm_" not in (event.url or "") for event in bots)


def test_some_sign_up_for_the_newsletter() -> None:
    assert 0.006 < len(of_type(NEWSLETTER)) / len(sessions()) < 0.02


def test_enrich_reads_every_click_as_it_was_sent() -> None:
    for event in eight_hours()[:5_000] + of_type(PURCHASE) + of_type(REFUND):
        assert decode_raw(encode_raw(event)) == event


def test_sessions_arrive_in_every_way_with_believable_shares() -> None:
    landings = [session[0] for session in sessions().values() if session[0].eventType == "page_view"]
    landings = [event for event in landings if event.eventId is not None and event.eventId.endswith("-0")]
    referrers = Counter(urlsplit(event.referrer or "").netloc for event in landings)
    shares = {site: number / len(landings) for site, number in referrers.items()}
    assert 0.25 < shares[""] < 0.5
    assert 0.2 < shares["www.google.com"] < 0.45
    for site in ("www.bing.com", "l.facebook.com", "mail.google.com", "chatgpt.com", "gear-reviews.example"):
        assert 0.001 < shares[site] < 0.15
    tagged = [query(event) for event in landings if "utm_source" in query(event)]
    assert 0.2 < len(tagged) / len(landings) < 0.5
    assert {"cpc", "email", "paid_social", "affiliate"} <= {tags["utm_medium"][0] for tags in tagged}
    assert 0.05 < sum("gclid" in tags for tags in map(query, landings)) / len(landings) < 0.25
    assert any("fbclid" in query(event) for event in landings)


def test_people_enter_and_leave_on_many_pages() -> None:
    whole = [session for session in sessions().values() if (session[0].eventId or "").endswith("-0")]
    for place in (0, -1):
        assert len({urlsplit(session[place].url or "").path for session in whole}) > 60


def test_campaigns_start_and_end() -> None:
    by_quarter: dict[int, Counter[str]] = defaultdict(Counter)
    for event in eight_hours():
        for campaign in query(event).get("utm_campaign", []):
            by_quarter[event.timestamp // (HOUR // 4)][campaign] += 1
    flash = [by_quarter[quarter]["flash-sale"] for quarter in sorted(by_quarter)]
    assert 0 in flash
    assert max(flash) > 20
    assert all(campaigns["brand"] for campaigns in by_quarter.values())


def test_a_schedule_repeats() -> None:
    schedule = Schedule(hours=3, offset_minutes=20, minutes=40)
    runs = [minute for minute in range(24 * 60) if schedule.is_running(MIDNIGHT + minute * 60_000)]
    assert runs == [minute for minute in range(24 * 60) if 20 <= minute % 180 < 60]


def test_a_campaign_leads_to_what_it_advertises() -> None:
    landings = [
        urlsplit(session[0].url or "").path
        for session in sessions().values()
        if query(session[0]).get("utm_campaign") == ["flash-sale"] and (session[0].eventId or "").endswith("-0")
    ]
    assert len(landings) > 50
    assert all(path.startswith(("/c/shoes", "/p/")) for path in landings)


def test_arrivals_are_told_apart() -> None:
    assert len({(arrival.referrer, arrival.parameters, arrival.click_id) for arrival in ARRIVALS}) == len(ARRIVALS)
