"""The clicks of the simulated shop. Pure: the clicks at an instant are a function of the instant and the world.

So a generator restarted with the same options sends the same clicks with the same ids for the same minutes, and they
count once.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, count
from operator import attrgetter
from random import Random
from typing import Final

from services.traffic.browsing import browse, crawl, draw_referrer
from services.traffic.visitors import BOT_ADDRESSES, Visitor, bot, person
from shared.events.schema import RawEvent
from shared.events.time_units import HALF_HOUR_MS, HOUR_MS

HOURLY_SHAPE: Final = (
    0.72, 0.60, 0.50, 0.44, 0.42, 0.46, 0.58, 0.76, 0.94, 1.06, 1.12, 1.16,
    1.20, 1.20, 1.18, 1.20, 1.26, 1.34, 1.44, 1.52, 1.50, 1.36, 1.14, 0.90,
)  # fmt: skip
"""Visits by hour of day in UTC, as a multiple of the mean; interpolated in between."""

_BLOCK_MS: Final = 10_000
"""Sessions are drawn in blocks of this length; each block has its own random generator."""
_HALF_HOUR_SPREAD: Final = 0.2  # a half hour deviates from the shape by up to this share

_PERSON_PAGES: Final = (30, 17, 13, 10, 8, 6, 5, 4, 3, 2, 1, 1)  # weight of 1, 2, … pages
_BOT_PAGES: Final = (10, 8, 8, 8, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3)
_PERSON_THINKS_SECONDS: Final = (2.0, 120.0)  # minimum and maximum
_BOT_WAITS_SECONDS: Final = (0.5, 6.0)
_BOT_SESSIONS: Final = 0.06
_RETURNING: Final = 1.5  # above 1, low-numbered people return more often
_LONGEST_SESSION_MS: Final = int(len(_PERSON_PAGES) * _PERSON_THINKS_SECONDS[1] * 1000)

_PERSON_WEIGHTS: Final = tuple(accumulate(_PERSON_PAGES))
_BOT_WEIGHTS: Final = tuple(accumulate(_BOT_PAGES))
_MEAN_SHAPE: Final = sum(HOURLY_SHAPE) / len(HOURLY_SHAPE)

_timestamp = attrgetter("timestamp")


def _mean_pages(weights: tuple[int, ...]) -> float:
    return sum(pages * weight for pages, weight in enumerate(weights, start=1)) / sum(weights)


_VIEWS_PER_SESSION: Final = (1 - _BOT_SESSIONS) * _mean_pages(_PERSON_PAGES) + _BOT_SESSIONS * _mean_pages(_BOT_PAGES)


@dataclass(frozen=True, slots=True)
class World:
    """A shop with its visitors. `rate` is the mean number of events per second over a day, bots included."""

    seed: int
    rate: float
    visitors: int  # people; bots are extra

    @property
    def name(self) -> str:
        """Eight hex digits unique to this world; its event ids start with them."""
        return hashlib.blake2s(f"{self.seed} {self.rate} {self.visitors}".encode(), digest_size=4).hexdigest()


def simulate(world: World, from_ms: int) -> Iterator[RawEvent]:
    """An endless stream of clicks from `from_ms` (epoch ms), in time order."""
    name = world.name
    pending: list[RawEvent] = []
    for block in count((from_ms - _LONGEST_SESSION_MS) // _BLOCK_MS):
        pending.extend(_block(world, name, block, from_ms))
        pending.sort(key=_timestamp)
        done = bisect_left(pending, (block + 1) * _BLOCK_MS, key=_timestamp)
        yield from pending[:done]
        del pending[:done]


def visit_shape(at_ms: int) -> float:
    """Visits at this time of day, as a multiple of the day's mean."""
    hour, within = divmod(at_ms, HOUR_MS)
    now, then = HOURLY_SHAPE[hour % 24], HOURLY_SHAPE[(hour + 1) % 24]
    return (now + (then - now) * within / HOUR_MS) / _MEAN_SHAPE


def _block(world: World, name: str, block: int, from_ms: int) -> Iterator[RawEvent]:
    """The clicks from `from_ms` of the sessions that start in the block."""
    rng = Random(f"{name} block {block}")
    begin_ms = block * _BLOCK_MS
    busyness = Random(f"{name} half hour {begin_ms // HALF_HOUR_MS}").uniform(-_HALF_HOUR_SPREAD, _HALF_HOUR_SPREAD)
    sessions_per_ms = world.rate * visit_shape(begin_ms) * (1 + busyness) / _VIEWS_PER_SESSION / 1000
    at_ms = rng.expovariate(sessions_per_ms)
    for number in count():
        if at_ms >= _BLOCK_MS:
            return
        # Its own generator keeps a session the same whether or not the previous one is needed.
        yield from _session(world, f"{name}-{block:x}-{number}", begin_ms + int(at_ms), rng.getrandbits(64), from_ms)
        at_ms += rng.expovariate(sessions_per_ms)


def _session(world: World, session_id: str, begin_ms: int, seed: int, from_ms: int) -> Iterator[RawEvent]:
    rng = Random(seed)
    is_bot = rng.random() < _BOT_SESSIONS
    times_ms = _view_times_ms(rng, begin_ms, is_bot)
    if times_ms[-1] < from_ms:
        return
    visitor = _draw_visitor(rng, world, is_bot)
    pages = crawl(rng) if is_bot else browse(rng, visitor)
    referrer = None if is_bot else draw_referrer(rng)
    for number, (time_ms, page) in enumerate(zip(times_ms, pages, strict=False)):
        if time_ms >= from_ms:
            yield RawEvent(
                timestamp=time_ms,
                userId=visitor.user_id,
                productId=page.product.product_id if page.product is not None else None,
                ip=visitor.ip,
                userAgent=visitor.user_agent,
                eventId=f"{session_id}-{number}",
                url=page.url,
                referrer=referrer,
            )
        referrer = None if is_bot else page.url


def _view_times_ms(rng: Random, begin_ms: int, is_bot: bool) -> list[int]:
    weights = _BOT_WEIGHTS if is_bot else _PERSON_WEIGHTS
    (pages,) = rng.choices(range(1, len(weights) + 1), cum_weights=weights)
    times_ms = [begin_ms]
    for _ in range(pages - 1):
        if is_bot:
            seconds = rng.uniform(*_BOT_WAITS_SECONDS)
        else:
            least, most = _PERSON_THINKS_SECONDS
            seconds = min(max(rng.lognormvariate(3.1, 0.9), least), most)  # median 22 s
        times_ms.append(times_ms[-1] + int(seconds * 1000))
    return times_ms


def _draw_visitor(rng: Random, world: World, is_bot: bool) -> Visitor:
    if is_bot:
        return bot(world.seed, rng.randrange(BOT_ADDRESSES))
    return person(world.seed, int(world.visitors * rng.random() ** _RETURNING))
