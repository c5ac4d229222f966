"""What replicas send each other of their names: a report that is used is the sender's, whatever got lost before."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.names import Names
from services.aggregate.columns.products import ProductVariant
from services.aggregate.engine.windows import Windows
from services.aggregate.rollups.merging import NameIndexes, name_indexes
from services.aggregate.rollups.name_changes import NOTHING, AsOf, NameChanges, NameFeed
from services.aggregate.rollups.name_copy import MOST_CODES, NameCopy
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.report_checks import rows_of_tables
from services.aggregate.rollups.report_exchange import ReportExchange
from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.rollups.snapshot import TABLES_BY_DIMENSION, Snapshot, snapshot_of, tables_of, with_tables

T = 1_795_343_400


@cache  # it takes ten milliseconds
def empty(second: int) -> Snapshot:
    return snapshot_of(Windows(T + second), Dictionaries(), 0)


class Partition:
    """Pages and products with counts, as a partition changes them."""

    def __init__(self) -> None:
        self.names: dict[str, Names[Any]] = {key: Names() for key in tables_of(empty(0))}
        self.counts = {key: Counter[Any]() for key in self.names}

    def count(self, words: list[str], by: int) -> None:
        for word in words:
            for key, name in self.named(word).items():
                self.names[key].codes[name]
                self.counts[key][name] = max(0, self.counts[key][name] + by)

    def named(self, word: str) -> dict[str, Any]:
        return {key: ProductVariant(word[:1], word, "") if "product" in key else word for key in self.names}

    def compact(self) -> None:
        for key, names in self.names.items():
            unused = [code for code, name in enumerate(names) if name is not None and not self.counts[key][name]]
            self.names[key] = names.without(np.array(unused, np.int64))

    def report(self, instant_s: int) -> PartitionReport:
        tables = {}
        for key, names in self.names.items():
            human = [0 if name is None else self.counts[key][name] for name in names]
            rows = rows_of_tables()[key]
            counts = np.arange(1, rows + 1)[:, np.newaxis] * np.array(human, np.int64)
            tables[key] = Popularity(names, counts if counts.max(initial=0) > 2**31 - 1 else counts.astype(np.int32))
        snapshot = with_tables(replace(empty(instant_s % 60), now_s=instant_s), tables)
        return PartitionReport(snapshot, 0, 0.0, 0, instant_s * 1000)


def counted(popularity: Popularity) -> Counter[Any]:
    human = popularity.events[0]
    assert all((row == (number + 1) * human).all() for number, row in enumerate(popularity.events))
    return Counter({popularity.names[code]: count for code, count in enumerate(human.tolist()) if count})


class World:
    """A sender with two partitions, two publishers, and what got lost between them."""

    def __init__(self, most_bytes: int) -> None:
        self.partitions = [Partition(), Partition()]
        self.sender = ReportExchange(most_changes_bytes=most_bytes)
        self.publishers = [(ReportExchange(), name_indexes()) for _ in range(2)]
        self.acknowledged: bytes | None = None
        self.now_s = T
        self.used = 0
        self.sent_bytes = 0

    def count(self, number: int, named: list[str], by: int) -> None:
        self.partitions[number].count(named, by)

    def compact(self, number: int) -> None:
        self.partitions[number].compact()

    def reopen(self, number: int) -> None:
        """The names are numbered anew."""
        counts = self.partitions[number].counts["popularity_1h/page"]
        self.partitions[number] = Partition()
        for word, count in counts.items():
            self.partitions[number].count([word], count)

    def another_publisher(self) -> None:
        self.publishers.reverse()

    def forget_acknowledgement(self) -> None:
        self.acknowledged = msgspec.msgpack.encode({})

    def clock_back(self) -> None:
        self.now_s -= 3

    def publish(self, luck: str = "") -> None:
        self.now_s += 1
        reports = {number: one.report(self.now_s) for number, one in enumerate(self.partitions)}
        asked = None if luck == "nobody asks" else self.acknowledged
        encoded = self.sender.encode(self.now_s, reports, asked)
        assert encoded == self.sender.encode(self.now_s, reports, asked)  # after an error of Redis
        self.sent_bytes = sum(map(len, encoded.values()))
        if luck == "share lost":
            return
        publisher, indexes = self.publishers[0]
        offers = {number: publisher.decode(b"a", self.now_s, number, data) for number, data in encoded.items()}
        if all(offer.fits and offer.is_whole for offer in offers.values()):
            self.check({number: offer.take() for number, offer in offers.items()}, indexes)
            self.used += 1
        else:
            for offer in offers.values():
                if offer.fits:
                    offer.take()
        if luck != "acknowledgement lost":
            self.acknowledged = publisher.acknowledgement(b"a")

    def check(self, taken: dict[int, PartitionReport], indexes: NameIndexes) -> None:
        tables = [tables_of(report.snapshot) for report in taken.values()]
        for dimension, keys in TABLES_BY_DIMENSION.items():
            merged = indexes[dimension].merged({key: [own[key] for own in tables] for key in keys})
            for key in keys:
                expected = [+self.partitions[number].counts[key] for number in taken]
                assert [counted(own[key]) for own in tables] == expected
                assert counted(merged[key]) == sum(expected, Counter())


words = st.text("abc\u00e4\U0001f600", min_size=1, max_size=4)
numbers = st.integers(0, 1)
STEPS_OF_COUNTS = [1, 1, 3, -1, -9, 2**31, -(2**31)]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("count"), numbers, st.lists(words, max_size=20), st.sampled_from(STEPS_OF_COUNTS)),
        st.tuples(st.sampled_from(["compact", "reopen"]), numbers),
        st.tuples(st.sampled_from(["another_publisher", "forget_acknowledgement", "clock_back"])),
        st.tuples(st.just("publish"), st.sampled_from(["share lost", "acknowledgement lost", "nobody asks"])),
        st.tuples(st.just("publish")),
        st.tuples(st.just("publish")),
    ),
    max_size=40,
)


@settings(max_examples=60, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes
@example(
    steps=[("count", 0, ["\U0001f600\U0001f600"], 1), ("publish",), ("count", 1, ["\U0001f600c\U0001f600", "b"], 1)],
    most_bytes=40,
)
@given(steps=STEPS, most_bytes=st.sampled_from([40, 400, 1_000_000]))
def test_a_report_that_is_used_has_the_senders_names_and_counts(steps: list[Any], most_bytes: int) -> None:
    world = World(most_bytes)
    for step, *arguments in steps:
        getattr(world, step)(*arguments)
    world.used = 0
    for _ in range(400):  # once nothing is lost, reports are used
        world.publish()
        if world.used == 3:
            break
    assert world.used == 3
    assert world.sent_bytes < 20_000, "nothing changed, so no names are sent"


def feed_of(*counts: tuple[str, int]) -> NameFeed:
    names = Names(name for name, _ in counts)
    feed = NameFeed()
    assert feed.follow(T, Popularity(names, np.array([[count for _, count in counts]] * 2, np.int64)))
    return feed


def test_changes_for_a_copy_that_has_some_of_them_already_fit() -> None:
    names: Names[Any] = Names(["a", "b"])
    feed, copy = NameFeed(), NameCopy(2)
    for second, counts in enumerate(([1, 0], [1, 5], [0, 5])):
        assert feed.follow(T + second, Popularity(names, np.array([counts, counts], np.int64)))
        if second < 2:
            copy.apply(feed.since(copy.as_of, 1000)[0])
    for since in (AsOf(T, 0, T), AsOf(T + 1, 0, T + 1)):  # the publisher is at T+1, whatever the sender knows
        changes, _ = feed.since(since, 1000)
        assert copy.fits(changes)
    copy.apply(changes)
    assert list(copy.popularity().names) == [None, "b"]
    assert copy.popularity().events.tolist() == [[0, 5]] * 2
    assert not copy.fits(feed.since(AsOf(T + 9, 0, T + 9), 1000)[0])


def test_memory_of_a_copy_is_that_of_the_names_it_has_now() -> None:
    names: Names[Any] = Names()
    feed, copy = NameFeed(), NameCopy(1)
    sizes = []
    for second in range(50):
        names.codes[f"/page-{second:04}"]
        counts = np.zeros((1, len(names)), np.int64)
        counts[0, -1] = 1  # the one before has none any more
        assert feed.follow(T + second, Popularity(names, counts))
        copy.apply(feed.since(copy.as_of, 1000)[0])
        sizes.append(copy.held_bytes - 12 * len(names))
    assert len(set(sizes)) == 1


def lies(honest: NameChanges) -> Iterator[NameChanges]:
    def but(**changed: Any) -> NameChanges:
        return msgspec.structs.replace(honest, **changed)

    yield but(codes=honest.codes[:-1])
    yield but(codes=honest.codes[:-4])
    yield but(codes=honest.codes[4:] + honest.codes[:4])
    yield but(codes=honest.codes[:4] * 2)
    yield but(codes=np.array([0, MOST_CODES], np.uint32).tobytes())
    yield but(codes=np.array([0, 2**32 - 1], np.uint32).tobytes())
    yield but(counts=honest.counts[:-1])
    yield but(counts=b"")
    yield but(counts=np.array([[-1, 1], [1, 1]], np.int32).tobytes())
    yield but(counts=np.array([[2**62, 1], [1, 1]], np.int64).tobytes())
    yield but(counts=np.array([[0, 1], [0, 1]], np.int32).tobytes())
    yield but(is_named=b"\x01")
    yield but(is_named=b"\x00\x01")
    yield but(is_named=b"\x00\x01", names=honest.names[1:])
    yield but(names=[])
    yield but(names=[*honest.names, "c"])
    yield but(until=AsOf(T, 0, -1))
    yield but(until=AsOf(2**70, 0, T))
    yield but(since=AsOf(0, -1, 0))


@pytest.mark.parametrize("number", range(19))
def test_changes_that_no_feed_makes_are_refused_and_change_nothing(number: int) -> None:
    honest, _ = feed_of(("a", 1), ("b", 2)).since(NOTHING, 1000)
    lie = list(lies(honest))[number]
    copy = NameCopy(2)
    with pytest.raises((ValueError, OverflowError)):
        copy.apply(lie)
    assert copy.as_of == NOTHING
    assert copy.held_bytes == 0
    copy.apply(honest)
    assert copy.popularity().events.tolist() == [[1, 2], [1, 2]]


def test_a_partition_that_does_not_fit_into_memory_is_refused() -> None:
    partition = Partition()
    partition.count([f"word {number}" for number in range(1000)], 1)
    (data,) = ReportExchange().encode(T, {3: partition.report(T)}, msgspec.msgpack.encode({})).values()
    small = ReportExchange(most_held_bytes=10_000)
    with pytest.raises(ValueError, match="bytes more"):
        small.decode(b"a", T, 3, data).take()
    assert msgspec.msgpack.decode(small.acknowledgement(b"a")) == {}


def test_the_tables_of_a_dimension_have_the_same_objects() -> None:
    partition, exchange = Partition(), ReportExchange()
    partition.count(["a long word", "another"], 1)
    for second in range(2):
        sent = partition.report(T + second)
        known = exchange.acknowledgement(b"a")
        (data,) = ReportExchange(lambda: b"same").encode(T + second, {3: sent}, known).values()
        tables = tables_of(exchange.decode(b"a", T + second, 3, data).take().snapshot)
        partition.count(["a third"], 1)
    for key, table in tables.items():
        of_dimension = tables[f"popularity_1h/{key.partition('/')[2]}"]
        assert list(map(id, table.names)) == list(map(id, of_dimension.names))
        assert len(table.names) == 3


def acknowledgement(*as_of: int) -> bytes:
    return msgspec.msgpack.encode({3: (b"x", {"popularity_1h/page": as_of})})


@pytest.mark.parametrize(
    "acknowledged",
    [b"", b"\xff", b"\x91\x01", acknowledgement(2**63, 0, 0), acknowledgement(5, -2, 0), acknowledgement(5, 0, 9)],
)
def test_an_acknowledgement_that_nobody_writes_counts_as_none(acknowledged: bytes) -> None:
    partition = Partition()
    partition.count(["a"], 1)
    (data,) = ReportExchange().encode(T, {3: partition.report(T)}, acknowledged).values()
    assert not ReportExchange().decode(b"a", T, 3, data).fits
