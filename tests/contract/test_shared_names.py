"""Names that replicas share through Redis: what is published is the sum over all partitions, whoever publishes."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import fakeredis
import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.sender import Publication
from services.aggregate.publishing.shares import unpacked
from services.aggregate.settings import AggregateSettings
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from tests.unit.aggregate.test_report_exchange import Partition

Client = Any
T = 1_795_343_400
SHOWN = 100


class Site:
    """Replicas, each with its partitions, and what they published."""

    def __init__(self, clients: list[Client], partitions: int = 4) -> None:
        self.client = clients[0]
        self.partitions = [Partition() for _ in range(partitions)]
        self.owners = [number % len(clients) for number in range(partitions)]
        self.since_s = [T] * partitions
        self.replicas = [RedisPublisher(client, AggregateSettings(), f"r{n}") for n, client in enumerate(clients)]
        self.now_s = T
        self.published_s = 0
        for second in range(2):  # they learn of each other
            for replica in self.replicas:
                replica._replicas.share(T - 2 + second, {}, {})  # noqa: SLF001
        self._take_lease()

    def count(self, number: int, words: list[str], by: int = 1) -> None:
        self.partitions[number].count(words, by)

    def compact(self, number: int) -> None:
        self.partitions[number].compact()

    def move(self, number: int, owner: int) -> None:
        """Another replica owns the partition, and numbers its names anew."""
        if owner != self.owners[number]:
            counts = self.partitions[number].counts["popularity_1h/page"]
            self.partitions[number] = Partition()
            for word, count in (+counts).items():
                self.partitions[number].count([word], count)
            self.owners[number], self.since_s[number] = owner, self.now_s + 1

    def another_publisher(self) -> None:
        """Another replica takes the lease."""
        self.replicas.append(self.replicas.pop(0))
        self.owners = [(owner - 1) % len(self.replicas) for owner in self.owners]
        self._take_lease()

    def _take_lease(self) -> None:
        assert self.replicas[0]._lease.try_hold(by_force=True)  # noqa: SLF001

    def lose_share(self) -> None:
        """Nobody reads what is shared in this second."""
        self.second(is_lost=True)

    def second(self, *, is_lost: bool = False) -> None:
        self.now_s += 1
        for place in (*range(1, len(self.replicas)), 0):  # the others share before the publisher looks
            own = [number for number, owner in enumerate(self.owners) if owner == place]
            reports = {number: self.partitions[number].report(self.now_s) for number in own}
            since_s = {number: self.since_s[number] for number in own}
            if place == 0 and is_lost:
                self.client.delete(f"aggregate:reports:{self.now_s}")
            self.replicas[place].publish(Publication(self.now_s, reports, [], since_s))
        self.check()

    def check(self) -> None:
        snapshot = read(self.client, "all", "")
        if snapshot is None or snapshot.meta.as_of_ms != self.now_s * 1000:
            return
        self.published_s = self.now_s
        assert snapshot.meta.partitions == len(self.partitions)
        expected: Counter[str] = Counter()
        for partition in self.partitions:
            expected += partition.counts["popularity_1h/page"]
        ranked = sorted(expected.items(), key=lambda item: (-item[1], item[0].encode()))[:SHOWN]
        assert list(snapshot.windows.pages_1h.items()) == [(name, 3 * count) for name, count in ranked]


words = st.text("abc\u00e4\U0001f600", min_size=1, max_size=3)
places = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("count"), places, st.lists(words, max_size=90), st.sampled_from([1, 1, 2, -1, -5])),
        st.tuples(st.just("compact"), places),
        st.tuples(st.just("move"), places, places),
        st.tuples(st.sampled_from(["another_publisher", "lose_share", "second", "second", "second"])),
    ),
    max_size=25,
)


@settings(max_examples=25, phases=[Phase.generate])
@given(steps=STEPS)
def test_what_replicas_publish_is_the_sum_of_all_partitions(steps: list[Any]) -> None:
    server = fakeredis.FakeServer()
    site = Site([fakeredis.FakeRedis(server=server) for _ in range(3)])
    for step, *arguments in [*steps, ("second",), ("second",), ("second",)]:
        getattr(site, step)(*arguments)
    assert site.published_s == site.now_s


@pytest.fixture
def site(redis_url: str) -> Iterator[Site]:
    with connect(redis_url) as first, connect(redis_url) as second:
        yield Site([first, second])


def share_of(site: Site, name: str) -> bytes:
    return unpacked(site.client.hget(f"aggregate:reports:{site.now_s}", name))


def test_names_are_sent_once(site: Site) -> None:
    site.count(0, ["/of-the-publisher"])
    site.count(1, ["/a-page-that-does-not-change", "/another"])
    for _ in range(3):
        site.second()
    assert site.published_s == site.now_s
    site.count(1, ["/another", "/new"])
    site.second()
    assert site.published_s == site.now_s
    share = share_of(site, "r1")
    assert b"/a-page-that" not in share
    assert b"/another" not in share  # its count is, its name is known
    assert b"/new" in share
    assert b"/of-the-publisher" not in share_of(site, "r0")  # it publishes, so nobody asks for its names


def test_names_that_fill_several_shares_are_published_once_all_have_arrived(site: Site) -> None:
    for replica in site.replicas:
        vars(replica._replicas._exchange)["_most_changes_bytes"] = 20_000  # noqa: SLF001
    for number in range(4):
        site.count(number, [f"/{number}/{page}" for page in range(60)])
    for _ in range(25):
        site.second()
    assert site.published_s == site.now_s


def test_a_replica_that_never_sends_all_its_names_costs_a_pause(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    vars(site.replicas[1]._replicas._exchange)["_most_changes_bytes"] = 1  # noqa: SLF001
    monkeypatch.setattr(site, "check", lambda: None)  # what is missing is not published
    site.count(0, ["/of-the-publisher"])
    site.count(1, ["/one", "/another"])
    for _ in range(12):
        site.second()
    snapshot = read(site.client, "all", "")
    assert snapshot is not None
    assert list(snapshot.windows.pages_1h) == ["/of-the-publisher"]


def test_a_new_publisher_gets_all_names_after_a_second(site: Site) -> None:
    site.count(0, ["/of-the-old-publisher"])
    site.count(1, ["/of-the-new-one"])
    for _ in range(3):
        site.second()
    site.another_publisher()
    site.second()
    assert site.published_s == site.now_s - 1
    site.second()
    assert site.published_s == site.now_s
    assert b"/of-the-old-publisher" in share_of(site, "r0")


def test_lost_acknowledgements_cost_a_second(site: Site) -> None:
    site.count(1, ["/a"])
    for _ in range(3):
        site.second()
    site.client.delete("aggregate:acks")
    site.second()
    assert site.published_s == site.now_s - 1
    site.second()
    assert site.published_s == site.now_s
    assert b"/a" not in share_of(site, "r1")


def test_acknowledgements_expire(site: Site) -> None:
    for _ in range(3):
        site.second()
    assert 0 < site.client.ttl("aggregate:acks") <= 10
    ((_, acknowledged),) = [msgspec.msgpack.decode(ack) for ack in site.client.hvals("aggregate:acks")]
    assert set(msgspec.msgpack.decode(acknowledged, strict=False)) == {1, 3}
