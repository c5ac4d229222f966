"""The simulated shop: repeatable, and realistic on the dashboard."""

from collections import Counter
from functools import cache
from itertools import islice, pairwise, takewhile
from pathlib import Path
from random import Random

import iptocc
import msgspec
import pytest
from is_bot import Bots

from services.traffic.addresses import COUNTRIES, Block, Country, draw_from
from services.traffic.catalogue import PRODUCTS
from services.traffic.lookups import PRODUCTS_FILE, VISITORS_FILE, write_lookups
from services.traffic.simulation import HOURLY_SHAPE, simulate, visit_shape
from services.traffic.user_agents import BOTS, BROWSERS
from services.traffic.visitors import person
from services.traffic.world import World
from shared.events.schema import RawEvent
from shared.events.time_units import HALF_HOUR_MS

MIDNIGHT = 1_795_046_400_000
HOUR = 3_600_000
SHOP = World(seed=1, rate=1.0, visitors=10_000)
SESSION_GAP = 1_800_000


@cache
def half_a_day() -> list[RawEvent]:
    """The clicks from 06:00 to 18:00 UTC."""
    return clicks(SHOP, MIDNIGHT + 6 * HOUR, MIDNIGHT + 18 * HOUR)


def clicks(world: World, from_ms: int, to_ms: int) -> list[RawEvent]:
    return list(takewhile(lambda event: event.timestamp < to_ms, simulate(world, from_ms)))


def is_bot(event: RawEvent) -> bool:
    return event.userAgent in {bot.user_agent for bot in BOTS}


def test_the_same_world_has_the_same_clicks_from_any_start() -> None:
    events = half_a_day()
    later = events[len(events) // 2].timestamp
    assert clicks(SHOP, later, later + 600_000) == [e for e in events if later <= e.timestamp < later + 600_000]


def test_other_worlds_share_no_event_id() -> None:
    worlds = (SHOP, World(2, 1.0, 10_000), World(1, 3.0, 10_000), World(1, 1.0, 30_000))
    ids = [{event.eventId for event in islice(simulate(world, MIDNIGHT), 300)} for world in worlds]
    assert len(set.union(*ids)) == 4 * 300


def test_clicks_are_in_time_order() -> None:
    assert all(before.timestamp <= after.timestamp for before, after in pairwise(half_a_day()))
    assert half_a_day()[0].timestamp >= MIDNIGHT + 6 * HOUR


def test_the_rate_is_the_mean_of_the_day() -> None:
    day = clicks(World(3, 0.25, 5_000), MIDNIGHT, MIDNIGHT + 24 * HOUR)
    assert len(day) / 86_400 == pytest.approx(0.25, rel=0.08)


def test_visits_follow_the_shape_of_the_day() -> None:
    assert sum(visit_shape(hour * HOUR) for hour in range(24)) == pytest.approx(24)
    assert visit_shape(MIDNIGHT + 20 * HOUR) > 2.5 * visit_shape(MIDNIGHT + 4 * HOUR)
    assert visit_shape(MIDNIGHT + HOUR // 2) == pytest.approx((visit_shape(0) + visit_shape(HOUR)) / 2)
    assert len(HOURLY_SHAPE) == 24


def test_half_hours_differ_and_none_is_empty() -> None:
    counts = Counter(event.timestamp // HALF_HOUR_MS for event in half_a_day())
    assert len(counts) == 24
    assert len(set(counts.values())) > 20
    assert max(counts.values()) < 3 * min(counts.values())


def test_longer_windows_have_more_visitors() -> None:
    end = MIDNIGHT + 18 * HOUR
    visitors = [
        len({event.userId for event in half_a_day() if event.timestamp >= end - minutes * 60_000})
        for minutes in (15, 60, 480)
    ]
    assert visitors[1] > 2 * visitors[0]
    assert visitors[2] > 3 * visitors[1]


def test_people_view_a_few_pages_and_some_return() -> None:
    sessions: list[int] = []
    last: dict[str, int] = {}
    views: Counter[str] = Counter()
    returned = 0
    for event in half_a_day():
        if is_bot(event):
            continue
        if event.timestamp - last.get(event.userId, -SESSION_GAP) >= SESSION_GAP:
            returned += event.userId in last
            sessions.append(0)
        views[event.userId] += 1
        last[event.userId] = event.timestamp
    views_per_session = sum(views.values()) / len(sessions)
    assert 2.5 < views_per_session < 6
    assert 0.1 < returned / len(sessions) < 0.6


def test_a_visitor_keeps_address_and_browser() -> None:
    events = half_a_day()
    assert len({(event.userId, event.ip, event.userAgent) for event in events}) == len({e.userId for e in events})


def test_some_are_bots_and_some_pages_show_no_product() -> None:
    events = half_a_day()
    assert 0.05 < sum(map(is_bot, events)) / len(events) < 0.25
    assert 0.3 < sum(event.productId is None for event in events) / len(events) < 0.6
    sold = {product.product_id for shelf in PRODUCTS.values() for product in shelf}
    assert {event.productId for event in events} == {None, *sold}


def test_pages_link_to_each_other() -> None:
    by_visitor: dict[str, list[RawEvent]] = {}
    for event in half_a_day()[:5000]:
        by_visitor.setdefault(event.userId, []).append(event)
    linked = [
        after.referrer == before.url
        for events in by_visitor.values()
        for before, after in pairwise(events)
        if not is_bot(before) and after.timestamp - before.timestamp < 120_000
    ]
    assert len(linked) > 500
    assert sum(linked) / len(linked) > 0.95


def test_visitors_come_from_many_countries() -> None:
    codes = iptocc.country_code([event.ip for event in half_a_day() if event.ip is not None])
    assert None not in codes
    counts = Counter(codes)
    assert len(counts) > 35
    assert counts.most_common(1)[0][0] == "US"


@pytest.mark.parametrize("country", COUNTRIES, ids=lambda country: country.code)
def test_address_blocks_lie_in_their_country(country: Country) -> None:
    rng = Random(7)
    blocks: tuple[Block, ...] = (*country.ipv4, *country.ipv6)
    addresses = [
        address
        for block in blocks
        for address in (
            *(str(block[block.num_addresses * part // 256]) for part in range(256)),
            str(block[-1]),
            *(draw_from(rng, block) for _ in range(200)),
        )
    ]
    assert set(iptocc.country_code(addresses)) == {country.code}


def test_bots_identify_themselves_and_browsers_do_not() -> None:
    known = Bots()
    assert [bot.user_agent for bot in BOTS if not known.is_bot(bot.user_agent)] == []
    assert [browser.user_agent for browser in BROWSERS if known.is_bot(browser.user_agent)] == []
    assert {browser.device for browser in BROWSERS} == {"Desktop", "Mobile", "Tablet"}


def test_the_catalogue_has_a_dozen_categories_and_unique_ids_and_pages() -> None:
    products = [product for shelf in PRODUCTS.values() for product in shelf]
    assert len(PRODUCTS) >= 12
    assert len({product.product_id for product in products}) == len(products)
    assert len({product.slug for product in products}) == len(products)


def test_lookups_cover_the_clicks(tmp_path: Path) -> None:
    write_lookups(SHOP, tmp_path / "lookups")
    products = msgspec.json.decode((tmp_path / "lookups" / PRODUCTS_FILE).read_bytes())
    visitors = [msgspec.json.decode(line) for line in (tmp_path / "lookups" / VISITORS_FILE).read_bytes().splitlines()]
    assert {tuple(product) for product in products} == {("productId", "category", "title")}
    assert {tuple(visitor) for visitor in visitors} == {("userId", "gender", "birthDate")}
    assert {event.productId for event in half_a_day()} - {None} <= {product["productId"] for product in products}
    known = {visitor["userId"] for visitor in visitors}
    people = {event.userId for event in half_a_day() if not is_bot(event)}
    assert 0.8 < len(people & known) / len(people) < 0.9
    assert {event.userId for event in half_a_day() if is_bot(event)}.isdisjoint(known)


def test_a_person_is_the_same_in_a_busier_shop() -> None:
    busier = {event.userId: event.ip for event in islice(simulate(World(1, 20.0, 10_000), MIDNIGHT), 8_000)}
    assert sum(busier.get(person(1, number).user_id) == person(1, number).ip for number in range(100)) > 20
