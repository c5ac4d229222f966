"""The engine under test, driven from records to published figures and compared with the naive oracle."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from hypothesis import strategies as st
from msgspec import UNSET

from services.aggregate.columns.goals import Goal, Goals
from services.aggregate.rollups.merging import NameIndexes, merge
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.presentation import published
from services.aggregate.rollups.snapshot import Snapshot
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import DEVICE_TYPES, EnrichedEvent
from shared.rollups.contract import Rollup
from shared.rollups.model import AUDIENCES, Meta
from shared.streams.event_log import Record
from tests.support.oracle.naive_rollups import (
    NO_GOALS,
    OWN_SITES,
    SITES,
    TAGGED,
    Arrived,
    of_type,
    on_page,
    outcomes,
    rollups,
)
from tests.support.oracle.naive_rollups import Goals as NaiveGoals

BASE_S = 1_795_343_400 - 1800 * 3  # a half hour begins here

SECONDS_BACK = st.one_of(
    st.integers(-60, 120),
    st.sampled_from([299, 300, 301, 599, 600, 601, 899, 900, 1799, 1800, 1801, 3599, 3600, 3601, 7199, 7200]),
    st.integers(0, 9 * 3600),
    st.sampled_from([28_799, 28_800, 28_801, 16 * 1800, 17 * 1800, 17 * 1800 + 1]),
)


SALES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"value": st.sampled_from(["0", "19.99", "-19.99", "-0.000001", "100", "1000000000000", "-1000000000000"])},
    optional={"currency": st.sampled_from(["EUR", "USD", "JPY"]), "cost": st.just("7")},
)
GOALS = Goals(
    (
        Goal(name="Purchase", event_type="purchase"),
        Goal(name="Page A", page="/a*"),
    )
)
NAIVE_GOALS: NaiveGoals = {
    "Purchase": of_type("purchase"),
    "Page A": on_page("/a*"),
}


@st.composite
def events(
    draw: st.DrawFn,
    arrival_ms: int,
    users: Sequence[str],
    event_ids: Sequence[str],
    order_ids: Sequence[str] = ("o1", "o2"),
) -> EnrichedEvent:
    """An event that arrives at `arrival_ms`. Few names, so that visitors and products recur."""
    product = draw(st.sampled_from([None, "p1", "p2", "p3"]))
    event_type: Any = draw(st.sampled_from([UNSET, UNSET, "purchase", "signup"]))
    sale: dict[str, Any] = draw(st.one_of(st.just({}), SALES))
    if sale:
        sale["orderId"] = draw(st.one_of(st.just(UNSET), st.sampled_from(order_ids)))
        event_type = draw(st.sampled_from([event_type, event_type, "purchase_line", "refund_line"]))
    return EnrichedEvent(
        timestamp=arrival_ms - draw(SECONDS_BACK) * 1000 - draw(st.sampled_from([0, 0, 1, 999])),
        userId=draw(st.sampled_from(users)),
        productId=product,
        category=None if product is None else draw(st.sampled_from(["books", "shoes"])),
        title=product,
        country=draw(st.sampled_from(["France", "Kenya"])),
        deviceType=draw(st.sampled_from(DEVICE_TYPES)),
        eventId=draw(st.one_of(st.just(UNSET), st.sampled_from(event_ids))),
        referrer=draw(st.one_of(st.just(UNSET), st.sampled_from([*SITES, "https://shop.example/b"]))),
        url=draw(st.one_of(st.just(UNSET), st.sampled_from(["/a", "/a?b=c", "/d", "https://shop.example/a", *TAGGED]))),
        eventType=event_type,
        browser=draw(st.sampled_from(["Chrome", "Firefox", "Other"])),
        operatingSystem=draw(st.sampled_from(["Windows", "Other"])),
        site=draw(st.one_of(st.just(UNSET), st.sampled_from(sorted(OWN_SITES)))),
        **sale,
    )


def as_records(log: list[Arrived]) -> list[Record]:
    return [Record(a.partition, a.offset, a.arrival_ms, b"", encode_enriched(a.event)) for a in log]


def figures(rollup: Rollup) -> dict[str, Any]:
    found: dict[str, Any] = {audience: asdict(rollup.audiences[audience]) for audience in AUDIENCES}
    identity = [
        [(e["timestamp"], e["userId"], e["productId"]) for e in events]
        for events in (rollup.latest_events, rollup.latest_visitors)
    ]
    found["latest_events"], found["latest_visitors"] = identity
    found["newest_event_ms"] = rollup.meta.newest_event_ms
    found["seed_products"] = [((product, category), count) for product, category, count in rollup.seed.products_1h]
    return found


def published_at(partitions: list[Partition], now_s: int) -> Rollup:
    for partition in partitions:
        partition.advance(now_s)
    return published_of([partition.snapshot() for partition in partitions])


def published_of(of: Sequence[Snapshot], indexes: NameIndexes | None = None) -> Rollup:
    merged = merge(of, indexes)
    meta = Meta(
        as_of_ms=merged.now_s * 1000,
        newest_event_ms=merged.newest_event_ms,
        **asdict(merged.event_counts),
        read=merged.event_counts.read,
        coverage_8h_s=8 * 3600,
    )
    return published(merged, meta, expose_pii=True)


def without_zeros(popularity: Popularity) -> Popularity:
    """Only the names with events."""
    shown = np.flatnonzero(popularity.events.any(axis=0))
    return Popularity([popularity.names[place] for place in shown.tolist()], popularity.events[:, shown])


def fold(partition: Partition, records: list[Record]) -> None:
    if records:
        partition.receive(records)
        partition.build_batch()
        partition.fold()


def assert_equals_the_oracle(
    rollup: Rollup,
    log: list[Arrived],
    now_s: int,
    *,
    counters: bool = True,
    goals: NaiveGoals = NO_GOALS,
    most_sales: int | None = None,
    site: str | None = None,
) -> None:
    """`counters`: whether to compare those of Meta, which cover the whole log unless state was rebuilt.

    `site`: the only one that counts.
    """
    expected = outcomes(log, site)
    found, wanted = figures(rollup), rollups(expected["counted"], now_s, goals, most_sales)
    for audience in AUDIENCES:
        for name, figure in wanted[audience].items():
            assert found[audience][name] == figure, (audience, name)
    if not counters and wanted["newest_event_ms"] < (now_s - 8 * 3600) * 1000:
        wanted["newest_event_ms"] = found["newest_event_ms"]  # rebuilt state lacks it: it is in no window
    assert found == wanted
    assert rollup.meta.balances
    for outcome, arrived in expected.items():
        assert not counters or getattr(rollup.meta, outcome) == len(arrived), outcome
