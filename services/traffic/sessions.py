"""The clicks of one session of the simulated shop. Pure: they follow from its start and the world."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import exp
from random import Random
from typing import Final, NamedTuple

from services.traffic.acquisition import Arrival, draw_arrival
from services.traffic.browsing import browse, crawl
from services.traffic.intentions import (
    CART_SHARE,
    MEAN_STEPS,
    MOST_STEPS,
    ORDER_SHARE,
    REFUND_SHARE,
    Intention,
    Stage,
    draw_intention,
)
from services.traffic.shopping import event_of, shop
from services.traffic.visitors import BOT_ADDRESSES, bot, person
from services.traffic.weighted import draw
from services.traffic.world import World
from shared.events.schema import RawEvent

_PERSON_PAGES: Final = (30, 17, 13, 10, 8, 6, 5, 4, 3, 2, 1, 1)  # weight of 1, 2, … pages
_BOT_PAGES: Final = (10, 8, 8, 8, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3)
_PERSON_THINKS_SECONDS: Final = (2.0, 120.0)  # minimum and maximum
_BOT_WAITS_SECONDS: Final = (0.5, 6.0)
_BOT_SESSIONS: Final = 0.06
_RETURNING: Final = 1.5  # above 1, low-numbered people return more often
_SHOPPER_WAITS_SECONDS: Final = (3.0, 40.0)  # between the steps of a cart and an order
_REPORT_WAITS_SECONDS: Final = (0.2, 2.0)  # from the thank-you page to the first event of the order, and to each other

_LONGEST_BROWSING_MS: Final = int(len(_PERSON_PAGES) * _PERSON_THINKS_SECONDS[1] * 1000)
_LONGEST_WAIT_MS: Final = int(_SHOPPER_WAITS_SECONDS[1] * 1000)
LONGEST_SESSION_MS: Final = _LONGEST_BROWSING_MS + MOST_STEPS * _LONGEST_WAIT_MS

_PERSON_NUMBERS: Final = range(1, len(_PERSON_PAGES) + 1)
_BOT_NUMBERS: Final = range(1, len(_BOT_PAGES) + 1)
_PERSON_WEIGHTS: Final = tuple(accumulate(_PERSON_PAGES))
_BOT_WEIGHTS: Final = tuple(accumulate(_BOT_PAGES))


def _mean_pages(weights: tuple[int, ...]) -> float:
    return sum(pages * weight for pages, weight in enumerate(weights, start=1)) / sum(weights)


REFUNDS_PER_SESSION: Final = (1 - _BOT_SESSIONS) * CART_SHARE * ORDER_SHARE * REFUND_SHARE
EVENTS_PER_SESSION: Final = (
    (1 - _BOT_SESSIONS) * (_mean_pages(_PERSON_PAGES) + MEAN_STEPS)
    + _BOT_SESSIONS * _mean_pages(_BOT_PAGES)
    + REFUNDS_PER_SESSION
)
"""On average, a session's refunds included."""


class Start(NamedTuple):
    """The start of a session. From its seed follows all the rest."""

    session_id: str
    begin_ms: int
    seed: int


def session(world: World, start: Start, from_ms: int) -> Iterator[RawEvent]:
    """The clicks of a session from `from_ms`."""
    rng = Random(start.seed)
    if rng.random() < _BOT_SESSIONS:
        return _bot_session(world, start, rng, from_ms)
    arrival = draw_arrival(rng, start.begin_ms)
    return _person_session(world, start, rng, arrival, draw_intention(rng, arrival), from_ms)


def order_in(world: World, start: Start) -> Sequence[RawEvent]:
    """The events of the order of a session; none where nothing is ordered."""
    rng = Random(start.seed)
    if rng.random() < _BOT_SESSIONS:
        return ()
    arrival = draw_arrival(rng, start.begin_ms)
    intention = draw_intention(rng, arrival)
    if intention.stage is not Stage.ORDER:
        return ()
    session = _person_session(world, start, rng, arrival, intention, 0)
    return [event for event in session if event.value is not None]


def _bot_session(world: World, start: Start, rng: Random, from_ms: int) -> Iterator[RawEvent]:
    times_ms = _bot_times_ms(rng, start.begin_ms)
    if times_ms[-1] < from_ms:
        return
    visitor = bot(world.seed, rng.randrange(BOT_ADDRESSES))
    for number, (time_ms, page) in enumerate(zip(times_ms, crawl(rng), strict=False)):
        if time_ms >= from_ms:
            yield event_of(visitor, time_ms, f"{start.session_id}-{number}", page, page.url, None)


def _person_session(
    world: World, start: Start, rng: Random, arrival: Arrival, intention: Intention, from_ms: int
) -> Iterator[RawEvent]:
    if start.begin_ms + _LONGEST_BROWSING_MS + intention.steps * _LONGEST_WAIT_MS < from_ms:
        return
    view_times_ms, step_times_ms = _person_times_ms(rng, start.begin_ms, intention)
    if (step_times_ms or view_times_ms)[-1] < from_ms:
        return
    visitor = person(world.seed, int(world.visitors * rng.random() ** _RETURNING))
    query, referrer = arrival.query(rng), arrival.referrer
    liked = arrival.category
    number = 0
    for time_ms, page in zip(view_times_ms, browse(rng, visitor, arrival.category), strict=False):
        url = page.url if number or not query else f"{page.url}{'&' if '?' in page.url else '?'}{query}"
        if time_ms >= from_ms:
            yield event_of(visitor, time_ms, f"{start.session_id}-{number}", page, url, referrer)
        referrer = url
        liked = page.product.category if page.product is not None else liked
        number += 1
    if not step_times_ms:
        return
    for time_ms, (page, event_type, sale) in zip(step_times_ms, shop(rng, visitor, intention, liked), strict=True):
        if time_ms >= from_ms:
            event_id = f"{start.session_id}-{number}"
            if sale is None:
                yield event_of(visitor, time_ms, event_id, page, page.url, referrer, event_type)
            else:  # the shop remembers where the visit came from, and says so with the order
                url = f"{page.url}?{arrival.parameters}" if arrival.parameters else page.url
                yield event_of(visitor, time_ms, event_id, page, url, arrival.referrer, event_type, sale)
        referrer = page.url
        number += 1


def _person_times_ms(rng: Random, begin_ms: int, intention: Intention) -> tuple[list[int], list[int]]:
    """The times of the pages that are browsed, and of the steps after them."""
    pages = draw(rng, _PERSON_NUMBERS, _PERSON_WEIGHTS)
    least, most = _PERSON_THINKS_SECONDS
    times_ms = [begin_ms]
    for _ in range(pages - 1):
        seconds = min(max(exp(rng.gauss(3.1, 0.9)), least), most)  # log-normal, median 22 s
        times_ms.append(times_ms[-1] + int(seconds * 1000))
    at_ms, step_times_ms = times_ms[-1], []
    for number in range(intention.steps):
        waits_seconds = _REPORT_WAITS_SECONDS if intention.is_reported(number) else _SHOPPER_WAITS_SECONDS
        at_ms += int(rng.uniform(*waits_seconds) * 1000)
        step_times_ms.append(at_ms)
    return times_ms, step_times_ms


def _bot_times_ms(rng: Random, begin_ms: int) -> list[int]:
    pages = draw(rng, _BOT_NUMBERS, _BOT_WEIGHTS)
    times_ms = [begin_ms]
    for _ in range(pages - 1):
        times_ms.append(times_ms[-1] + int(rng.uniform(*_BOT_WAITS_SECONDS) * 1000))
    return times_ms
