"""The clicks of the simulated shop. Pure: the clicks at an instant are a function of the instant and the world.

So a generator restarted with the same options sends the same clicks with the same ids for the same minutes, and they
count once.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import count
from operator import attrgetter
from random import Random
from typing import Final

from services.traffic.sessions import (
    EVENTS_PER_SESSION,
    LONGEST_SESSION_MS,
    REFUNDS_PER_SESSION,
    Start,
    order_in,
    session,
)
from services.traffic.shopping import refund
from services.traffic.world import World
from shared.events.schema import RawEvent
from shared.events.time_units import HALF_HOUR_MS, HOUR_MS, MINUTE_MS

HOURLY_SHAPE: Final = (
    0.72, 0.60, 0.50, 0.44, 0.42, 0.46, 0.58, 0.76, 0.94, 1.06, 1.12, 1.16,
    1.20, 1.20, 1.18, 1.20, 1.26, 1.34, 1.44, 1.52, 1.50, 1.36, 1.14, 0.90,
)  # fmt: skip
"""Visits by hour of day in UTC, as a multiple of the mean; interpolated in between."""

_BLOCK_MS: Final = 10_000
"""Sessions are drawn in blocks of this length; each block has its own random generator."""
_HALF_HOUR_SPREAD: Final = 0.2  # a half hour deviates from the shape by up to this share

_REFUND_AFTER_MS: Final = (5 * MINUTE_MS, 5 * HOUR_MS)
_BLOCKS_SEARCHED: Final = 30  # for an order to refund
_MEAN_SHAPE: Final = sum(HOURLY_SHAPE) / len(HOURLY_SHAPE)

_timestamp = attrgetter("timestamp")


def simulate(world: World, from_ms: int) -> Iterator[RawEvent]:
    """An endless stream of clicks from `from_ms` (epoch ms), in time order."""
    name = world.name
    pending: list[RawEvent] = []
    for block in count((from_ms - LONGEST_SESSION_MS) // _BLOCK_MS):
        for start in _starts(world, name, block):
            pending.extend(session(world, start, from_ms))
        pending.extend(event for event in _refunds(world, name, block) if event.timestamp >= from_ms)
        pending.sort(key=_timestamp)
        done = bisect_left(pending, (block + 1) * _BLOCK_MS, key=_timestamp)
        yield from pending[:done]
        del pending[:done]


def visit_shape(at_ms: int) -> float:
    """Visits at this time of day, as a multiple of the day's mean."""
    hour, within = divmod(at_ms, HOUR_MS)
    now, then = HOURLY_SHAPE[hour % 24], HOURLY_SHAPE[(hour + 1) % 24]
    return (now + (then - now) * within / HOUR_MS) / _MEAN_SHAPE


def _sessions_per_ms(world: World, name: str, block: int) -> float:
    begin_ms = block * _BLOCK_MS
    busyness = Random(f"{name} half hour {begin_ms // HALF_HOUR_MS}").uniform(-_HALF_HOUR_SPREAD, _HALF_HOUR_SPREAD)
    return world.rate * visit_shape(begin_ms) * (1 + busyness) / EVENTS_PER_SESSION / 1000


def _starts(world: World, name: str, block: int) -> Iterator[Start]:
    """The sessions that start in the block."""
    rng = Random(f"{name} block {block}")
    sessions_per_ms = _sessions_per_ms(world, name, block)
    at_ms = rng.expovariate(sessions_per_ms)
    for number in count():
        if at_ms >= _BLOCK_MS:
            return
        # Its own generator keeps a session the same whether or not the previous one is needed.
        yield Start(f"{name}-{block:x}-{number}", block * _BLOCK_MS + int(at_ms), rng.getrandbits(64))
        at_ms += rng.expovariate(sessions_per_ms)


def _refunds(world: World, name: str, block: int) -> Iterator[RawEvent]:
    """The refunds in the block, of orders of the hours before."""
    rng = Random(f"{name} refunds {block}")
    refunds_per_ms = _sessions_per_ms(world, name, block) * REFUNDS_PER_SESSION
    at_ms = rng.expovariate(refunds_per_ms)
    for number in count():
        if at_ms >= _BLOCK_MS:
            return
        time_ms = block * _BLOCK_MS + int(at_ms)
        order = _order_before(world, name, rng, time_ms - int(rng.uniform(*_REFUND_AFTER_MS)))
        if order and (line := rng.choice(order)).timestamp < time_ms:
            yield refund(rng, line, time_ms, f"{name}-{block:x}-r{number}")
        at_ms += rng.expovariate(refunds_per_ms)


def _order_before(world: World, name: str, rng: Random, at_ms: int) -> Sequence[RawEvent]:
    """The events of a random order of a session that started shortly before `at_ms`; none without one."""
    last = at_ms // _BLOCK_MS
    for block in range(last, last - _BLOCKS_SEARCHED, -1):
        starts = list(_starts(world, name, block))
        first = rng.randrange(len(starts)) if starts else 0
        for start in starts[first:]:
            if order := order_in(world, start):
                return order
    return ()
