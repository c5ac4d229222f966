"""Floods of events for minutes that ended long ago, or for seconds that are still to come."""

import random
import time
from typing import Any

import fakeredis
import pytest

from services.aggregate.publishing.segment_writer import SegmentWriter
from services.aggregate.rollups.segments import encode_segment
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.schema import EnrichedEvent
from shared.rollups.model import LATEST_EVENTS_SHOWN, LATEST_VISITORS_SHOWN
from shared.streams.event_log import Assignment
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import as_records, assert_equals_the_oracle, fold, published_at
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.segment_check import REWRITE_SECONDS, assert_hold_at

SECONDS = 40
FIRST_S = int(time.time()) // 60 * 60  # segments expire by Redis' clock: an hour or more after this
START_S = FIRST_S + 3600


class Site:
    """A partition that has seen an event in each minute of the hour, and its log."""

    def __init__(self) -> None:
        self.log: list[Arrived] = []
        self.store = MemoryStore()
        self.partition: Partition = resume(self.store, Assignment(0, 0, 1 << 60), FIRST_S)
        for minute in range(60):
            self.arrive(FIRST_S + minute * 60 + 30, [0])

    def arrive(self, second: int, ahead_s: list[int]) -> None:
        """Events that arrive at a second, each so many seconds ahead of its arrival."""
        arrived = [
            Arrived(
                EnrichedEvent((second + ahead) * 1000 + place % 1000, f"u{place % 50}", deviceType="Desktop"),
                second * 1000,
                0,
                len(self.log) + place,
            )
            for place, ahead in enumerate(ahead_s)
        ]
        self.log += arrived
        self.partition.advance(second)
        fold(self.partition, as_records(arrived))


def test_late_events_in_every_minute_rewrite_two_segments_a_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def counted(*arguments: Any) -> bytes:
        written[-1] += 1
        return encode_segment(*arguments)

    monkeypatch.setattr("services.aggregate.publishing.segment_writer.encode_segment", counted)
    site, client = Site(), fakeredis.FakeRedis()
    writer = SegmentWriter(client, "", 3600, 100_000)

    def publish(second: int) -> None:
        written.append(0)
        site.partition.advance(second)
        writer.write(second, [site.partition.completed_minutes()])

    publish(START_S)
    for second in range(START_S + 1, START_S + SECONDS):
        site.arrive(second, [-minute * 60 for minute in range(59)])
        publish(second)
    # Sixty minutes in thirty seconds, and the one that ended; the first of each is spread over four publishes.
    assert max(written[5:]) <= 3
    assert_equals_the_oracle(published_at([site.partition], second), site.log, second)
    for quiet in range(second + 1, second + 2 * REWRITE_SECONDS):
        publish(quiet)
    assert_hold_at(client, site.log, quiet)


def test_events_of_coming_seconds_cost_a_bounded_number_of_candidates(*, long: bool) -> None:
    site, chance = Site(), random.Random(5)
    rate = 2000 if long else 120
    most = LATEST_EVENTS_SHOWN + LATEST_VISITORS_SHOWN
    for second in range(START_S, START_S + 10):
        site.arrive(second, [chance.randrange(1, 12) for _ in range(rate)])
        waiting = site.partition._windows.waiting  # noqa: SLF001 - what the flood fills
        assert len(waiting.latest) <= 12 * most
    assert len(waiting.latest) < len(waiting.rows)
    site.partition.checkpoint()
    site.partition = resume(site.store, Assignment(0, 0, 1 << 60), second)
    for instant in range(second, second + 13, 1 if long else 4):
        assert_equals_the_oracle(published_at([site.partition], instant), site.log, instant)
