"""Goals and revenue of several partitions and replicas: merged exactly, and refused when they are nonsense."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fakeredis
import numpy as np
import pytest

from services.aggregate.columns.goals import NO_GOALS, Goal, Goals
from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.sender import Publication
from services.aggregate.rollups.merging import merge
from services.aggregate.rollups.reports import PartitionReport, decode_figures, encode_figures
from services.aggregate.rollups.snapshot import Snapshot, tables_of, with_tables
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.opening import open_partition, resume
from shared.rollups.reading import read
from shared.status.health import Health
from shared.streams.event_log import Assignment, FromOffset, FromTime
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import as_records, fold, published_of
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.timeline import T, click

PURCHASE = Goal(name="Purchase", event_type="purchase")
SIGNUP = Goal(name="Sign-up", page="/welcome")
GREATEST = "1000000000000"


def snapshot(goals: Goals = NO_GOALS, number: int = 0, later: int = 0) -> Snapshot:
    """A partition in which every visitor bought something and signed up, `later` seconds ago."""
    partition = resume(MemoryStore(), Assignment(number, 0, 1 << 60), T, goals=goals)
    events = [
        click(T, f"{number} {user}", eventType="purchase", url="/welcome", value=GREATEST, productId=f"p{user}")
        for user in range(3 + number)
    ]  # fmt: skip
    fold(partition, as_records([Arrived(event, T * 1000, number, place) for place, event in enumerate(events)]))
    partition.advance(T + later)
    return partition.snapshot()


def report(own: Snapshot) -> PartitionReport:
    return PartitionReport(own, 0, 0.0, 0, own.now_s * 1000)


def shared(own: Snapshot) -> Snapshot:
    """As another replica reads it."""
    figures = decode_figures(encode_figures(report(own))).snapshot
    sales = replace(figures.sales, by_name=own.sales.by_name)
    return replace(with_tables(figures, tables_of(own)), sales=sales)


def test_what_another_replica_reports_is_what_was_counted() -> None:
    goals = Goals((PURCHASE, SIGNUP))
    own = [snapshot(goals, number) for number in range(3)]
    rollup = published_of([shared(one) for one in own])
    assert rollup.audiences == published_of(own).audiences
    everyone = rollup.audiences["all"]
    assert everyone.goals_1h == {"Purchase": 12, "Sign-up": 12}
    assert everyone.revenue.revenue_1h == 12 * int(GREATEST)
    assert [(name, sold.orders) for name, sold in everyone.revenue_products_1h.items()] == [
        ("p0", 3), ("p1", 3), ("p2", 3), ("p3", 2), ("p4", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ((PURCHASE, SIGNUP), (PURCHASE,), {"Purchase": 7}),
        ((PURCHASE,), (SIGNUP,), {}),
        ((PURCHASE,), (), {}),
        ((PURCHASE, SIGNUP), (SIGNUP, replace(PURCHASE, event_type="order")), {"Sign-up": 7}),
        ((SIGNUP, PURCHASE), (PURCHASE, SIGNUP), {"Purchase": 7, "Sign-up": 7}),
    ],
)
def test_only_goals_that_all_partitions_have_are_published(
    one: tuple[Goal, ...], other: tuple[Goal, ...], common: dict[str, int]
) -> None:
    merged = merge([shared(snapshot(Goals(one), 0)), shared(snapshot(Goals(other), 1))])
    everyone = published_of([merged]).audiences["all"]
    assert everyone.goals_1h == common
    assert set(everyone.goals) == set(common)


def test_replicas_with_different_goals_degrade_the_health_until_they_agree() -> None:
    client, health = fakeredis.FakeRedis(), Health("aggregate")
    publisher = RedisPublisher(client, AggregateSettings(), "one", health=health)

    def publish(later: int, *goals: tuple[Goal, ...]) -> None:
        reports = {number: report(snapshot(Goals(own), number, later)) for number, own in enumerate(goals)}
        publisher.publish(Publication(T + later, reports, [], dict.fromkeys(reports, T)))

    publish(0, (PURCHASE,), (PURCHASE, SIGNUP))
    found = read(client, "all", "")
    assert found is not None
    assert set(found.windows.goals) == {"Purchase"}
    assert "different GOALS_FILEs" in health.troubles()["goals"].reason
    assert health.report()["status"] == "degraded"
    publish(1, (PURCHASE, SIGNUP), (PURCHASE, SIGNUP))
    assert health.troubles() == {}


def test_the_reporting_currency_is_a_setting_of_whoever_publishes() -> None:
    client = fakeredis.FakeRedis()
    publisher = RedisPublisher(client, AggregateSettings(revenue_currency="chf"), "one")
    publisher.publish(Publication(T, {0: report(snapshot())}, [], {0: T}))
    found = read(client, "all", "")
    assert found is not None
    assert (found.windows.revenue.currency, found.windows.revenue.orders_1h) == ("CHF", 3)


def change(own: Snapshot, edit: Callable[[Any], Any]) -> Snapshot:
    return replace(own, sales=edit(own.sales))


def totals(keys: list[int], figures: Any) -> Callable[[Any], Any]:
    def edit(sales: Any) -> Any:
        sums = sales.totals["1h"]._replace(keys=np.array(keys, np.int64), figures=np.array(figures, np.int64))
        return replace(sales, totals={**sales.totals, "1h": sums})

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        totals([1, 1], np.ones((2, 6))),
        totals([2, 1], np.ones((2, 6))),
        totals([-1], np.ones((1, 6))),
        totals([1 << 62], np.ones((1, 6))),
        totals([1], np.ones((1, 5))),
        totals([1], np.ones((2, 6))),
        totals([1], -np.ones((1, 6))),
        totals([1], np.full((1, 6), 2**60)),
        lambda sales: replace(sales, totals={}),
        lambda sales: replace(sales, by_bucket={}),
        lambda sales: replace(sales, others={}),
    ],
)  # fmt: skip
def test_sales_that_no_replica_of_ours_reports_are_refused(edit: Callable[[Any], Any]) -> None:
    own = change(shared(snapshot()), edit)
    encoded = encode_figures(report(own))
    with pytest.raises((ValueError, KeyError)):
        decode_figures(encoded)


@pytest.mark.parametrize(
    "goals",
    [
        {"names": ["a"]},
        {"definitions": ["a", "a"]},
        {"definitions": ["x"] * 40, "names": [f"{n}" for n in range(40)]},
        {"conversions": np.ones((1, 3, 4), np.int64)},
        {"visitors": -np.ones((2, 3, 5), np.int64)},
        {"by_minute": np.ones((2, 3, 61), np.int64)},
    ],
)
def test_goals_that_no_replica_of_ours_reports_are_refused(goals: dict[str, Any]) -> None:
    own = snapshot(Goals((PURCHASE, SIGNUP)))
    with pytest.raises((ValueError, TypeError)):
        shared(replace(own, goals=replace(own.goals, **goals)))


def test_state_that_was_folded_under_other_goals_is_rebuilt_from_the_log(tmp_path: Any) -> None:
    assignment = Assignment(0, 0, 10, "t1")
    partition = open_partition(tmp_path, assignment, T, goals=Goals((PURCHASE,)))
    fold(partition, as_records([Arrived(click(T, eventType="purchase"), T * 1000, 0, 0)]))
    partition.close()
    again = open_partition(tmp_path, assignment, T, goals=Goals((PURCHASE,)))
    assert again.position == FromOffset(1)
    again.close()
    for goals in (Goals((PURCHASE, SIGNUP)), NO_GOALS):
        other = open_partition(tmp_path, assignment, T, goals=goals)
        assert isinstance(other.position, FromTime)
        assert other.loaded_from_ms < T * 1000 - 8 * 3_600_000
        other.close()
