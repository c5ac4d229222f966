"""Pages of sessions, the last minutes, the hour before and what rises, over enough events that all of them have some.

Two partitions read a dense log in batches of any size, late events included. They checkpoint, compact and restart, and
the clock jumps.
"""

import numpy as np
import pytest
from msgspec import UNSET

from services.aggregate.rollups import rising
from services.aggregate.rollups.merging import merge, name_indexes
from services.aggregate.rollups.presentation import published
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.schema import DEVICE_TYPES, EnrichedEvent
from shared.rollups.contract import AudienceRollup
from shared.rollups.model import RISING_COVERED_SECONDS, Meta
from shared.streams.event_log import Assignment, FromOffset
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import (
    BASE_S,
    as_records,
    assert_equals_the_oracle,
    fold,
    published_at,
    published_of,
)
from tests.support.oracle.naive_rollups import SITES, Arrived
from tests.support.oracle.timeline import NOON, Timeline, click

PARTITIONS = 2
EVENTS = 1_500
HOURS = 3
SEEDS = range(4)


def logs(seed: int) -> list[list[Arrived]]:
    """By partition, events of three hours with a burst in the last 15 minutes; one in eight arrives late."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(BASE_S + np.concatenate((rng.integers(0, HOURS * 3600, EVENTS), rng.integers(9900, 10800, 300))))
    found: list[list[Arrived]] = [[] for _ in range(PARTITIONS)]
    for number, second in enumerate(seconds.tolist()):
        late_s = int(rng.choice([0, 0, 0, 0, 0, 0, 59, 3599 * rng.random() * 2]))
        user = int(rng.integers(0, 60))
        own = found[user % PARTITIONS]
        product = None if rng.random() < 0.3 else f"p{rng.integers(0, 4)}"
        is_burst = number % 3 == 0 and second > BASE_S + 9900
        event = EnrichedEvent(
            timestamp=(second - late_s) * 1000 + int(rng.choice([0, 0, 999])),
            userId=f"u{user}",
            productId=product,
            category=None if product is None else str(rng.choice(["books", "shoes"])),
            title=product,
            country="France",
            deviceType=str(rng.choice(DEVICE_TYPES)),
            url=UNSET if rng.random() < 0.2 else "/hot" if is_burst else f"/{rng.integers(0, 9)}",
            referrer=UNSET if rng.random() < 0.5 else str(rng.choice(list(SITES))),
        )
        own.append(Arrived(event, second * 1000, user % PARTITIONS, len(own)))
    return found


def reopened(store: MemoryStore, number: int, now_s: int) -> tuple[Partition, int]:
    partition = resume(store, Assignment(number, 0, 1 << 60), now_s)
    position = partition.position
    return partition, position.offset if isinstance(position, FromOffset) else 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_trends_of_a_dense_log_equal_the_oracle_after_restarts_and_jumps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = logs(seed)
    stores = [MemoryStore() for _ in range(PARTITIONS)]
    opened = [reopened(store, number, BASE_S) for number, store in enumerate(stores)]
    indexes, now_s = name_indexes(), BASE_S
    steps = [int(step) for step in rng.choice([1, 17, 60, 300, 1300], 60)] + [4000, 60, 9000]
    for step in steps:
        now_s += step
        for number, (partition, read) in enumerate(opened):
            if rng.random() < 0.2:
                partition, read = reopened(stores[number], number, now_s)
            partition.advance(now_s)
            arrived = [own for own in log[number][read:] if own.arrival_ms <= now_s * 1000]
            while arrived:
                size = int(rng.integers(1, 200))
                fold(partition, as_records(arrived[:size]))
                read, arrived = read + len(arrived[:size]), arrived[size:]
            if rng.random() < 0.3:
                partition.checkpoint()
            opened[number] = partition, read
        read_so_far = [own for number, (_, read) in enumerate(opened) for own in log[number][:read]]
        rollup = published_of([partition.snapshot() for partition, _ in opened], indexes)
        assert_equals_the_oracle(rollup, read_so_far, now_s)


def test_the_dense_log_fills_every_figure() -> None:
    everyone = rollup_at_the_end()
    assert next(iter(everyone.rising_pages)) == "/hot"
    assert everyone.rising_pages["/hot"].events > 40
    assert everyone.rising_pages["/hot"].expected < 3
    for counts in (everyone.entry_pages_1h, everyone.exit_pages_1h, everyone.pages_5m, everyone.products_5m):
        assert len(counts) > 2
    assert len(everyone.previous["pages_1h"]) >= 9
    assert everyone.previous_events["countries_1h"] > 100


def rollup_at_the_end() -> AudienceRollup:
    partition, _ = reopened(MemoryStore(), 0, BASE_S)
    end_s = BASE_S + HOURS * 3600
    partition.advance(end_s)
    fold(partition, as_records([own for own in logs(0)[0] if own.arrival_ms <= end_s * 1000]))
    return published_at([partition], end_s).audiences["all"]


def test_nothing_rises_before_the_site_has_events_or_the_windows_are_loaded() -> None:
    partition, _ = reopened(MemoryStore(), 0, BASE_S)
    end_s = BASE_S + HOURS * 3600
    partition.advance(end_s)
    recent = [own for own in logs(0)[0] if end_s - 4000 < own.event.timestamp // 1000 <= end_s]
    fold(partition, as_records(recent))
    assert published_at([partition], end_s).audiences["all"].rising_pages == {}
    fold(partition, as_records(logs(0)[0]))
    merged = merge([partition.snapshot()])
    for covered_s, rises in ((RISING_COVERED_SECONDS - 1, False), (RISING_COVERED_SECONDS, True)):
        meta = Meta(as_of_ms=end_s * 1000, coverage_8h_s=covered_s)
        assert bool(published(merged, meta, expose_pii=False).audiences["all"].rising_pages) == rises


def test_a_visitor_of_two_variants_and_audiences_counts_once_for_the_product() -> None:
    shop = Timeline(NOON)
    for second, device, category in ((1, "Desktop", "books"), (2, "Bot", "shoes"), (3, "Desktop", "shoes")):
        shop.arrive(NOON + second, click(NOON + second, productId="p", category=category, deviceType=device))
    for audience in ("human", "bot", "all"):
        assert shop.publish(NOON + 4).audiences[audience].products_5m == {"p": 1}
    assert shop.publish(NOON + 301).audiences["bot"].products_5m == {"p": 1}
    assert shop.publish(NOON + 302).audiences["bot"].products_5m == {}
    assert shop.publish(NOON + 302).audiences["all"].products_5m == {"p": 1}
    assert shop.publish(NOON + 303).audiences["all"].products_5m == {}


def test_a_late_event_joins_two_sessions_and_moves_their_pages() -> None:
    shop = Timeline(NOON)
    for second, page in ((0, "/in"), (1799, "/a"), (3700, "/b"), (3701, "/out")):
        shop.arrive(NOON + max(second, 0), click(NOON + second, url=page))
    before = shop.everyone(NOON + 3710)
    assert before.entry_pages_1h == {"/b": 1}
    assert before.exit_pages_1h == {"/out": 1}
    shop.arrive(NOON + 3720, click(NOON + 3000, url="/between"))
    after = shop.everyone(NOON + 3721)
    assert after.entry_pages_1h == after.exit_pages_1h == {}


def test_of_events_in_one_millisecond_the_order_of_the_log_decides() -> None:
    shop = Timeline(NOON)
    shop.arrive(NOON + 1, *(click(NOON + 1, url=f"/{number}") for number in (2, 1, 3)))
    everyone = shop.everyone(NOON + 2)
    assert (everyone.entry_pages_1h, everyone.exit_pages_1h) == ({"/2": 1}, {"/3": 1})


def test_the_score_is_that_of_li_and_ma() -> None:
    # Their formula by hand, for 40 events in 15 minutes after 60 in the hour before them.
    score = rising.scores(np.array([40]), np.array([60]))
    assert round(float(score[0]), 3) == 4.575
    assert rising.scores(np.array([15]), np.array([60]))[0] == 0
    rows = rising.scores(np.arange(16, 60), np.full(44, 60))
    assert (np.diff(rows) > 0).all()
