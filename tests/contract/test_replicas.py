"""Replicas that merge their reports, on fakeredis and on a real Valkey.

A report in these tests is `(replica, partition, instant)`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import fakeredis
import msgspec
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.aggregate.publishing.replicas import FORGOTTEN_SECONDS, KEPT_SECONDS, LIVE_SECONDS, Replicas
from services.aggregate.publishing.shares import packed
from shared.runtime.redis_client import connect
from tests.support.servers.server_process import free_port

Client = Any  # redis-py's stubs make every reply an awaitable or a value
Report = tuple[str, int, int]

T = 1_795_343_400
OF_ANOTHER_VERSION = msgspec.msgpack.encode({"version": 2})


class Whole:
    """An offer that continues nothing."""

    fits = True
    is_whole = True

    def __init__(self, encoded: bytes) -> None:
        if encoded == OF_ANOTHER_VERSION:
            raise KeyError("version")
        self._report: Report = msgspec.msgpack.decode(encoded, type=Report)

    def take(self) -> Report:
        return self._report


class WholeReports:
    """An exchange of reports that continue nothing."""

    def encode(self, instant_s: int, reports: Mapping[int, Report], acknowledged: bytes | None) -> dict[int, bytes]:
        assert acknowledged in (None, b"")
        assert all(report[2] == instant_s for report in reports.values())
        return {partition: msgspec.msgpack.encode(report) for partition, report in reports.items()}

    def decode(self, replica: bytes, instant_s: int, partition: int, data: bytes) -> Whole:  # noqa: ARG002
        return Whole(data)

    def acknowledgement(self, replica: bytes) -> bytes:  # noqa: ARG002
        return b""

    def pause(self) -> None:
        pass

    def forget(self, replica: bytes) -> None:
        pass

    def keep_only(self, replicas: Mapping[bytes, Collection[int]]) -> None:
        pass


class Replica:
    """A replica with its clock. Each of its waits runs one entry of `meanwhile`: what happens elsewhere."""

    def __init__(self, client: Client, name: str, prefix: str = "") -> None:
        self.name = name
        self.client = client
        self.meanwhile: list[Callable[[], object]] = []
        self.waited_seconds = 0.0
        self.since_s: dict[int, int] = {}
        self.end: Replicas[Report] = Replicas(
            client,
            prefix,
            name,
            WholeReports(),
            sleep=self._sleep,
            monotonic=lambda: self.waited_seconds,
        )

    def share(self, instant_s: int, *partitions: int) -> None:
        self.since_s = {partition: self.since_s.get(partition, instant_s) for partition in partitions}
        reports = {partition: (self.name, partition, instant_s) for partition in partitions}
        self.end.share(instant_s, reports, self.since_s)

    def collect(self) -> tuple[int, str] | None:
        """The instant, and the owners of partitions 0, 1, 2, … as a string of their names, `-` for none."""
        collected = self.end.collect()
        if collected is None:
            return None
        instant_s, reports = collected
        assert list(reports) == sorted(reports)
        assert all(report[1:] == (partition, instant_s) for partition, report in reports.items())
        return instant_s, "".join(reports.get(n, "-")[0] for n in range(max(reports) + 1))

    def record(self, instant_s: int) -> None:
        with self.client.pipeline(transaction=True) as pipeline:
            self.end.record(pipeline, instant_s)
            pipeline.execute()

    def _sleep(self, seconds: float) -> None:
        self.waited_seconds += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture(params=["fake", "real"])
def new_client(request: pytest.FixtureRequest) -> Iterator[Callable[[], Client]]:
    """Connections to one server, one per replica."""
    server = fakeredis.FakeServer()
    url = "" if request.param == "fake" else request.getfixturevalue("redis_url")
    with ExitStack() as stack:
        yield lambda: stack.enter_context(connect(url) if url else fakeredis.FakeRedis(server=server))


@pytest.fixture
def client(new_client: Callable[[], Client]) -> Client:
    return new_client()


@pytest.fixture
def a(new_client: Callable[[], Client]) -> Replica:
    return Replica(new_client(), "a")


@pytest.fixture
def b(new_client: Callable[[], Client]) -> Replica:
    return Replica(new_client(), "b")


@pytest.fixture
def c(new_client: Callable[[], Client]) -> Replica:
    return Replica(new_client(), "c")


# --- alone -----------------------------------------------------------------------------------------------------------


def test_a_replica_alone_collects_its_own_reports_and_writes_none(a: Replica, client: Client) -> None:
    assert a.collect() is None
    for second in range(3):
        a.share(T + second, 0, 1)
        assert a.collect() == (T + second, "aa")
    assert client.keys("*") == [b"aggregate:replicas"]
    assert client.hgetall("aggregate:replicas") == {b"a": str(T + 2).encode()}
    assert 0 < client.ttl("aggregate:replicas") <= FORGOTTEN_SECONDS
    assert a.waited_seconds == 0


def test_an_instant_is_collected_once(a: Replica) -> None:
    a.share(T, 0)
    assert a.collect() == (T, "a")
    assert a.collect() is None
    assert a.waited_seconds == 0


def test_nothing_is_collected_while_no_replica_has_a_partition(a: Replica) -> None:
    a.share(T)
    assert a.collect() is None
    a.share(T + 1, 0)
    assert a.collect() == (T + 1, "a")


# --- together --------------------------------------------------------------------------------------------------------


def test_two_replicas_give_the_partitions_of_both_from_their_first_second_on(
    a: Replica, b: Replica, client: Client
) -> None:
    for second in range(3):
        a.share(T + second, 0, 2)
        b.share(T + second, 1)
        assert a.collect() == (T + second, "aba")
    assert a.waited_seconds == 0
    assert 0 < client.ttl(f"aggregate:reports:{T}") <= KEPT_SECONDS


def test_any_of_three_replicas_collects_the_same(a: Replica, b: Replica, c: Replica) -> None:
    for second in range(2):
        c.share(T + second)  # has no partition, and may still hold the lease
        a.share(T + second, 0, 2)
        b.share(T + second, 1)
    assert a.collect() == b.collect() == c.collect() == (T + 1, "aba")


def test_the_publisher_waits_for_a_replica_that_is_slightly_late(a: Replica, b: Replica) -> None:
    a.share(T, 0)
    b.share(T, 1)
    a.share(T + 1, 0)
    a.meanwhile = [lambda: None, lambda: None, lambda: b.share(T + 1, 1)]
    assert a.collect() == (T + 1, "ab")
    assert a.waited_seconds == pytest.approx(0.075)


def test_with_a_replica_one_second_late_the_previous_instant_is_published_every_second(a: Replica, b: Replica) -> None:
    #  a shares    T   T+1   T+2   T+3
    #  b shares        T     T+1   T+2
    #  published       T     T+1   T+2
    a.share(T, 0)
    for second in range(1, 4):
        b.share(T + second - 1, 1)
        a.share(T + second, 0)
        assert a.collect() == (T + second - 1, "ab")
    assert 1.2 <= a.waited_seconds < 1.4


def test_a_publisher_that_is_late_itself_does_not_publish_without_the_others(a: Replica, b: Replica) -> None:
    a.share(T, 0)
    b.share(T, 1)
    for second in range(1, 6):
        b.share(T + second, 1)
    a.share(T + 1, 0)  # delayed, by four seconds
    assert a.collect() == (T + 1, "ab")


def test_a_publisher_that_the_others_took_for_dead_does_not_publish_without_them(a: Replica, b: Replica) -> None:
    a.share(T, 0)
    for second in range(8):
        b.share(T + second, 1)  # from T+4 on without reports: it takes itself for the only one
    a.share(T + 4, 0)  # delayed, by three seconds
    assert a.collect() is None
    a.share(T + 8, 0)
    b.share(T + 8, 1)
    assert a.collect() == (T + 8, "ab")


def test_publishing_goes_on_without_a_replica_that_died_after_at_most_three_instants(a: Replica, b: Replica) -> None:
    #  b shares    T, dies
    #  published   T (ab)   -   -   T+3 (a)
    a.share(T, 0)
    b.share(T, 1)
    assert a.collect() == (T, "ab")
    for second in (1, 2):
        a.share(T + second, 0)
        assert a.collect() is None
    a.share(T + 3, 0)
    assert a.collect() == (T + 3, "a")


def test_a_replica_that_left_is_not_awaited_and_its_reports_count(a: Replica, b: Replica) -> None:
    for second in range(2):
        a.share(T + second, 0)
        b.share(T + second, 1)
    b.end.leave()
    assert a.collect() == (T + 1, "ab")
    a.share(T + 2, 0, 1)
    assert a.collect() == (T + 2, "aa")
    assert a.waited_seconds == 0


def test_a_replica_that_joins_counts_from_its_first_instant(a: Replica, b: Replica) -> None:
    a.share(T, 0, 1)
    assert a.collect() == (T, "aa")
    b.share(T + 1, 1)
    a.share(T + 1, 0)
    assert a.collect() == (T + 1, "ab")


def test_a_successor_waits_for_the_reports_of_a_replica_that_did_not_know_of_it(a: Replica, b: Replica) -> None:
    a.share(T, 0)
    b.share(T, 1)  # a learns of b in its next second
    assert b.collect() is None
    a.share(T + 1, 0)
    b.share(T + 1, 1)
    assert b.collect() == (T + 1, "ab")


def test_the_announcement_of_a_dead_replica_is_removed_after_a_minute(a: Replica, b: Replica, client: Client) -> None:
    b.share(T, 1)
    a.share(T + FORGOTTEN_SECONDS, 0)
    assert client.hexists("aggregate:replicas", "b")
    a.share(T + FORGOTTEN_SECONDS + 1, 0)
    a.share(T + FORGOTTEN_SECONDS + 2, 0)
    assert client.hkeys("aggregate:replicas") == [b"a"]
    b.share(T + FORGOTTEN_SECONDS + 3, 1)
    a.share(T + FORGOTTEN_SECONDS + 3, 0)
    assert set(client.hkeys("aggregate:replicas")) == {b"a", b"b"}
    assert a.collect() == (T + FORGOTTEN_SECONDS + 3, "ab")


# --- who owns a partition --------------------------------------------------------------------------------------------


def test_a_partition_that_moves_is_counted_at_each_instant_for_its_owner_then(a: Replica, b: Replica) -> None:
    a.share(T, 0, 1)
    b.share(T, 2)
    a.share(T + 1, 0, 1)
    b.share(T + 1, 2)
    b.share(T + 2, 1, 2)  # took it over; a has not reported its loss yet
    assert a.collect() == (T + 1, "aab")
    a.share(T + 2, 0)
    assert a.collect() == (T + 2, "abb")


@pytest.mark.parametrize("collector", ["a", "b", "c"])
def test_a_partition_that_two_replicas_report_belongs_to_the_one_that_took_it_over_later(
    a: Replica, b: Replica, c: Replica, collector: str
) -> None:
    # b was paused from T to T+3 and still reports partition 1, which c took over.
    for second in range(6):
        a.share(T + second, 0)
        if second in (0, 4, 5):
            b.share(T + second, 1)
        c.share(T + second, 2, *([1] if second >= 2 else []))
    assert {"a": a, "b": b, "c": c}[collector].collect() == (T + 5, "acc")


def test_a_partition_that_comes_back_is_owned_since_then(a: Replica, b: Replica) -> None:
    a.share(T, 0, 1)
    b.share(T, 2)
    a.share(T + 1, 0)
    b.share(T + 1, 1, 2)
    a.share(T + 2, 0, 1)
    b.share(T + 2, 1, 2)  # does not know yet
    assert a.collect() == (T + 2, "aab")


def test_of_two_owners_since_the_same_instant_the_greater_name_wins(a: Replica, b: Replica) -> None:
    for second in range(2):
        a.share(T + second, 0)
        b.share(T + second, 0)
    assert a.collect() == b.collect() == (T + 1, "b")


# --- clocks and past publishes ----------------------------------------------------------------------------------


def test_a_new_publisher_with_a_slower_clock_publishes_nothing_older(a: Replica, b: Replica, client: Client) -> None:
    for second in range(2):
        a.share(T + second, 0)
        b.share(T + second, 1)
    assert a.collect() == (T + 1, "ab")
    a.record(T + 1)
    assert 0 < client.ttl("aggregate:published") <= KEPT_SECONDS
    assert b.collect() is None
    b.share(T + 2, 1)
    a.share(T + 2, 0)
    assert b.collect() == (T + 2, "ab")


def test_a_replica_with_a_wrong_clock_does_not_stop_the_others(a: Replica, b: Replica, c: Replica) -> None:
    c.share(T + 3600, 2)
    with capture_logs() as logs:
        for second in range(3):
            a.share(T + second, 0)
            b.share(T + second, 1)
            assert a.collect() == (T + second, "ab")
    of_a, of_b = logs
    assert of_a == of_b
    assert (of_a["replica"], of_a["ahead_seconds"], of_a["log_level"]) == ("c", 3600, "warning")


# --- foreign data and outages of Redis ---------------------------------------------------------------------------


def test_prefixes_are_independent(new_client: Callable[[], Client], client: Client) -> None:
    a, b = Replica(new_client(), "a", "shop:"), Replica(new_client(), "b", "shop:")
    other = Replica(new_client(), "c", "blog:")
    for second in range(2):
        other.share(T + second, 2)
        a.share(T + second, 0)
        b.share(T + second, 1)
    assert a.collect() == (T + 1, "ab")
    a.record(T + 1)
    assert other.collect() == (T + 1, "--c")
    assert {key.split(b":")[0] for key in client.keys("*")} == {b"shop", b"blog"}
    assert not client.keys("blog:aggregate:reports:*")


@pytest.mark.parametrize("foreign", [b"", b"\xff\x00", b"not an instant", b"-5", b"9" * 5000])
def test_an_unreadable_announcement_is_ignored_with_one_warning(
    a: Replica, b: Replica, client: Client, foreign: bytes
) -> None:
    client.hset("aggregate:replicas", b"\xffnobody", foreign)
    client.set("aggregate:published", foreign)
    with capture_logs() as logs:
        for second in range(3):
            a.share(T + second, 0)
            b.share(T + second, 1)
            assert a.collect() == (T + second, "ab")
    replicas = [line["replica"] for line in logs if line.get("key") != "aggregate:published"]
    assert replicas == ["\\xffnobody"] * 2  # one of a, one of b
    assert not a.waited_seconds


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\xff",
        b"\xff" * 9,
        msgspec.msgpack.encode([1]),
        *(
            packed(msgspec.msgpack.encode(share))
            for share in ([1], {2: (T, b"no report")}, {2: (T, OF_ANOTHER_VERSION)})
        ),
    ],
)
def test_unreadable_reports_are_ignored_with_one_warning(
    a: Replica, b: Replica, client: Client, foreign: bytes
) -> None:
    with capture_logs() as logs:
        for second in range(3):
            a.share(T + second, 0)
            b.share(T + second, 1)
            client.hset("aggregate:replicas", "c", T + second)
            client.hset(f"aggregate:reports:{T + second}", "c", foreign)
            assert a.collect() == (T + second, "ab")
    assert [line["replica"] for line in logs] == ["c"]


def test_without_redis_its_error_is_raised_and_the_call_can_be_repeated(new_client: Callable[[], Client]) -> None:
    client = new_client()
    replica = Replica(client, "a")
    with connect(f"redis://127.0.0.1:{free_port()}/0") as away:
        replica.end._client = away  # noqa: SLF001 - Redis goes away
        with pytest.raises(redis.ConnectionError):
            replica.share(T, 0)
        with pytest.raises(redis.ConnectionError):
            replica.collect()
        with pytest.raises(redis.ConnectionError):
            replica.end.leave()
    replica.end._client = client  # noqa: SLF001 - and comes back
    replica.share(T, 0)
    assert replica.collect() == (T, "a")


# --- any order -------------------------------------------------------------------------------------------------------


class World:
    """Three replicas on one Redis, and the reports that they shared."""

    def __init__(self) -> None:
        server = fakeredis.FakeServer()
        self.replicas = {name: Replica(fakeredis.FakeRedis(server=server), name) for name in "abc"}
        self.now_s = T
        self.shared: dict[tuple[str, int], set[int]] = {}  # by replica and instant
        self.announced: dict[str, int] = {}
        self.published_s = 0

    def next_second(self) -> None:
        self.now_s += 1

    def share(self, name: str, partitions: set[int]) -> None:
        if (name, self.now_s) not in self.shared:
            self.replicas[name].share(self.now_s, *partitions)
            self.shared[name, self.now_s] = partitions
            self.announced[name] = self.now_s

    def leave(self, name: str) -> None:
        self.replicas[name].end.leave()
        self.announced.pop(name, None)

    def publish(self, name: str, meanwhile: list[tuple[str, set[int]]]) -> None:
        newest_s = max((at_s for who, at_s in self.shared if who == name), default=0)
        publisher = self.replicas[name]
        publisher.meanwhile = [partial(self.share, *other) for other in meanwhile if other[0] != name]
        collected = publisher.end.collect()
        publisher.meanwhile = []
        if collected is None:
            return
        instant_s, reports = collected
        assert self.published_s < instant_s <= newest_s
        for partition, (owner, reported, reported_s) in reports.items():
            assert (reported, reported_s) == (partition, instant_s)
            assert partition in self.shared[owner, instant_s]
        live = [who for who, at_s in self.announced.items() if at_s >= newest_s - LIVE_SECONDS]
        for who in (name, *live):
            assert self.shared[who, instant_s] <= reports.keys()
        self.published_s = instant_s
        publisher.record(instant_s)


WHO = st.sampled_from("abc")
OWNED = st.sets(st.integers(0, 3), max_size=3)
STEPS = st.one_of(
    st.builds(lambda: World.next_second),
    st.builds(lambda *given: lambda world: world.share(*given), WHO, OWNED),
    st.builds(lambda *given: lambda world: world.publish(*given), WHO, st.lists(st.tuples(WHO, OWNED), max_size=3)),
    st.builds(lambda name: lambda world: world.leave(name), WHO),
)


@settings(max_examples=150)
@given(steps=st.lists(STEPS, max_size=40))
def test_in_any_order_a_collection_is_complete_of_one_instant_and_never_older(
    steps: list[Callable[[World], None]],
) -> None:
    world = World()
    for step in steps:
        step(world)
