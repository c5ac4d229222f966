"""The sender on a real Redis: atomic publishes, the newest one after an outage, and a last one at the end."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.engine.windows import Windows
from services.aggregate.publishing.lease import LEASE_KEY
from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.replicas import PUBLISHED_KEY
from services.aggregate.publishing.sender import Publication, Sender
from services.aggregate.publishing.timed_publisher import TimedPublisher
from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.rollups.snapshot import snapshot_of
from services.aggregate.settings import AggregateSettings
from shared.rollups.model import AUDIENCES, KEY_TTL_SECONDS, Meta
from shared.rollups.proof import Proof, Result
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.status.gauges import Gauges
from shared.status.health import Health
from tests.support.polling import eventually
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

NOW_S = 1_795_343_400
_numbers = count()


def publication(late: int, instant_s: int | None = None, newest_s: int = 0) -> Publication:
    """A publication of one partition with `late` late events, at NOW_S + `late` by default."""
    windows = Windows(NOW_S + late if instant_s is None else instant_s)
    windows.event_counts.late = late
    windows.newest_event_ms = newest_s * 1000
    report = PartitionReport(snapshot_of(windows, Dictionaries(), partition=0), 0, 0.0, 0, windows.now_s * 1000)
    return Publication(windows.now_s, {0: report}, [], {0: windows.now_s})


def publisher(client: Any, **options: Any) -> RedisPublisher:
    return RedisPublisher(client, AggregateSettings(**options), name=f"replica {next(_numbers)}")


def published_read(client: Any) -> int | None:
    snapshot = read(client, "all", "")
    return snapshot.meta.read if snapshot else None


def test_the_last_rollup_is_published_before_the_sender_ends(redis_url: str) -> None:
    client = connect(redis_url)
    with Sender(publisher(client), Health("test")) as sender:
        for number in range(50):
            sender.offer(publication(number))
    assert published_read(client) == 49


def test_after_an_outage_the_newest_rollup_is_published_and_health_returns(tmp_path: Path) -> None:
    port = free_port()
    client = connect(f"redis://127.0.0.1:{port}/0")
    health = Health("test")
    with Sender(publisher(client), health) as sender:
        sender.offer(publication(1))
        eventually(lambda: not health.is_working("redis"), "the outage noticed")
        sender.offer(publication(2))
        sender.offer(publication(3))
        with running_valkey(tmp_path, port):
            assert eventually(lambda: _answered(client), "a publish after the outage") == 3
            eventually(lambda: health.is_working("redis"), "healthy again")


def test_a_sender_without_redis_still_ends() -> None:
    with Sender(publisher(connect(f"redis://127.0.0.1:{free_port()}/0")), Health("test")) as sender:
        sender.offer(publication(1))


class Stuck:
    """A publisher whose call neither returns nor fails, until it is released."""

    def __init__(self) -> None:
        self.released = Event()

    def publish(self, _: Publication) -> None:
        self.released.wait(60)

    def leave(self) -> None:
        pass


def test_a_stuck_publish_makes_health_fail_until_it_ends() -> None:
    health, stuck = Health("test"), Stuck()
    with Sender(stuck, health, stuck_seconds=0.05) as sender:
        sender.offer(publication(1))
        assert health.is_working("sender")

        def is_noticed() -> bool:
            sender.offer(publication(2))  # as each second
            return not health.is_working("sender")

        eventually(is_noticed, "the stuck publish noticed")
        stuck.released.set()
        eventually(lambda: health.is_working("sender"), "works again")


class Measured:
    """A publisher that always leads."""

    leads = True

    def __init__(self) -> None:
        self.meta: Meta | None = None
        self.proof: Proof | None = None

    def publish(self, publication: Publication) -> None:
        self.meta = Meta(as_of_ms=publication.instant_s * 1000, coverage_1h_s=60, coverage_8h_s=70)

    def leave(self) -> None:
        pass


def test_the_time_from_click_to_publish_is_that_of_clicks_published_first() -> None:
    gauges = Gauges()
    timed = TimedPublisher(Measured(), gauges, now_ms=lambda: NOW_S * 1000 + 1500)
    for newest_s in (NOW_S - 3600, NOW_S - 3600, NOW_S, NOW_S, NOW_S + 60):  # restored, quiet, a click, quiet, ahead
        timed.publish(publication(0, newest_s=newest_s))
    assert [count for bound, count in gauges.click_to_publish_seconds.cumulative() if bound in (1.0, 1.5)] == [1, 2]
    assert gauges.click_to_publish_seconds.total == 1.5
    assert (gauges.rollup_at_s, gauges.coverage_s) == (NOW_S, {"1h": 60, "8h": 70})
    assert list(gauges.publish_seconds.cumulative())[-1][1] == 5


@pytest.mark.parametrize(("result", "differences"), [("equal", 0), ("different", 3), ("not_compared", None)])
def test_the_last_proof_is_a_metric_of_the_replica_that_publishes(result: Result, differences: int | None) -> None:
    gauges, measured = Gauges(), Measured()
    measured.proof = Proof(result=result, at_ms=5_000, differences=differences or 0)
    timed = TimedPublisher(measured, gauges)
    timed.publish(publication(0))
    assert (gauges.proof_at_s, gauges.proof_differences) == (5, differences)
    measured.leads = False
    timed.publish(publication(0))
    assert (gauges.proof_at_s, gauges.proof_differences) == (None, None)


class Broken:
    """A publisher with a bug."""

    def publish(self, publication: Publication) -> None:
        raise IndexError(publication.instant_s)

    def leave(self) -> None:
        """Shares nothing."""


def test_a_bug_in_the_sender_ends_the_service_instead_of_publishing_stale_numbers() -> None:
    with Sender(Broken(), Health("test")) as sender:

        def refused() -> bool:
            try:
                sender.offer(publication(1))
            except IndexError:
                return True
            return False

        eventually(refused, "the failure raised in the service's thread")


def test_the_gauges_show_how_long_a_publish_took_and_who_publishes(redis_url: str) -> None:
    first, second = Gauges(), Gauges()
    client = connect(redis_url)
    with Sender(TimedPublisher(publisher(client), first), Health("test")) as sender:
        sender.offer(publication(1))
        eventually(lambda: first.is_publisher, "the rollup published")
        assert first.publish_ms is not None
        assert 0 < first.publish_ms < 10_000
        with Sender(TimedPublisher(publisher(client), second), Health("test")) as other:
            other.offer(publication(1))
            eventually(lambda: second.is_publisher is not None, "the report shared")
        assert second.is_publisher is False
        assert second.publish_ms
    assert client.get("aggregate:publisher") is None  # released on exit


@pytest.mark.parametrize("prefix", ["", "site:"])
def test_every_key_expires_and_windows_without_events_are_published(redis_url: str, prefix: str) -> None:
    client: Any = connect(redis_url)
    with Sender(publisher(client, redis_prefix=prefix), Health("test")) as sender:
        sender.offer(publication(0))
    keys = {key.decode() for key in client.keys("*")}
    for audience in AUDIENCES:
        for name in ("visitors", "views", "views:1m", "visitors:1m", "views:30m", "visitors:30m", "devices:10m"):
            assert f"{prefix}rollup:{audience}:{name}" in keys
    assert client.hget(f"{prefix}rollup:all:views", "1h:prev") == b"0"
    assert client.hlen(f"{prefix}rollup:all:views:1m") == 60
    assert client.hlen(f"{prefix}rollup:all:views:30m") == 17
    assert all(0 < client.ttl(key) <= KEY_TTL_SECONDS for key in keys)
    assert list(client.hkeys(f"{prefix}rollup:all:views:30m"))[-1] == b"2026-11-22T10:30:00Z"  # oldest first


def _answered(client: Any) -> int | None:
    import redis

    try:
        return published_read(client)
    except redis.exceptions.ConnectionError:
        return None


class _Merging(Health):
    """The health of a publisher. Something happens while it merges."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__("aggregate")
        self._meanwhile = meanwhile
        self._happened = False

    def working(self, part: str) -> None:
        super().working(part)
        if part == "goals" and not self._happened:
            self._happened = True
            self._meanwhile()


def test_a_merge_that_outlasts_the_lease_is_published(redis_url: str) -> None:
    """Before: on a machine so busy that merging took more than the lease's two seconds, nothing was ever published."""
    client: Any = connect(redis_url)
    slow = RedisPublisher(client, AggregateSettings(), "slow", health=_Merging(lambda: client.delete(LEASE_KEY)))
    slow.publish(publication(3))
    assert published_read(client) == 3
    assert slow.leads


@pytest.mark.parametrize("holder", ["another replica", ""], ids=["still holds the lease", "has left"])
def test_a_merge_that_another_replica_overtook_is_not_published(redis_url: str, holder: str) -> None:
    client: Any = connect(redis_url)

    def meanwhile() -> None:  # the lease expires, and another replica publishes
        client.delete(LEASE_KEY)
        client.set(PUBLISHED_KEY, NOW_S + 4)
        if holder:
            client.set(LEASE_KEY, holder, px=2_000)

    slow = RedisPublisher(client, AggregateSettings(), "slow", health=_Merging(meanwhile))
    slow.publish(publication(3))
    assert published_read(client) is None
    assert not slow.leads
