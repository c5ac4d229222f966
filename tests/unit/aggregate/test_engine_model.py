"""The whole engine compared with the naive oracle: after any events in any order, every publish is correct.

Three replicas share two partitions. Events are appended to the log, replicas read batches of it, the clock ticks,
processes die, state is checkpointed, lost, and handed over; at each publish the merged figures are the oracle's. The
publisher gets from each replica what changed since its last publish, and another one may take over.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.aggregate.rollups.merging import name_indexes
from services.aggregate.rollups.report_exchange import ReportExchange
from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.rollups.snapshot import Snapshot
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.streams.event_log import Assignment, FromOffset, FromTime
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import (
    BASE_S,
    GOALS,
    NAIVE_GOALS,
    as_records,
    assert_equals_the_oracle,
    events,
    fold,
    published_of,
)
from tests.support.oracle.naive_rollups import Arrived

PARTITIONS = range(2)
REPLICAS = range(3)


class Engine(RuleBasedStateMachine):
    """The log, the clock, and the owner of each partition."""

    @initialize()
    def start(self) -> None:
        self.now_s = BASE_S
        self.log: dict[int, list[Arrived]] = {number: [] for number in PARTITIONS}
        # A replica's disk keeps a store of every partition it has owned, which may be stale when the partition returns.
        self.disks = {(replica, number): MemoryStore() for replica in REPLICAS for number in PARTITIONS}
        self.owner = dict.fromkeys(PARTITIONS, 0)
        self.partitions: dict[int, Partition] = {}
        self.read_until = dict.fromkeys(PARTITIONS, 0)
        self.exchanges = {replica: ReportExchange() for replica in REPLICAS}
        self.shared_s = 0
        self.another_publisher()
        for number in PARTITIONS:
            self._open(number)

    def _open(self, number: int) -> None:
        store = self.disks[self.owner[number], number]
        log = self.log[number]
        self.partitions[number] = resume(store, Assignment(number, 0, len(log)), self.now_s, goals=GOALS)
        match self.partitions[number].position:
            case FromOffset(offset):
                self.read_until[number] = offset
            case FromTime(timestamp_ms):
                self.read_until[number] = sum(arrived.arrival_ms < timestamp_ms for arrived in log)

    @rule(data=st.data(), number=st.sampled_from(PARTITIONS))
    def append(self, data: st.DataObject, number: int) -> None:
        """An event arrives in the log now; a visitor is always on the same partition."""
        log = self.log[number]
        users = [f"{name}{number}" for name in "abc"]
        event_ids = [
            f"{len(log) // 2}"
        ]  # an id occurs at most twice: a third one could start another hour in a rebuilt state
        event = data.draw(events(self.now_s * 1000, users, event_ids, [f"o{len(log) // 2}"]))
        log.append(Arrived(event, self.now_s * 1000, number, len(log)))

    @rule(number=st.sampled_from(PARTITIONS), most=st.integers(1, 20))
    def read(self, number: int, most: int) -> None:
        """The owner reads a micro-batch."""
        start = self.read_until[number]
        batch = as_records(self.log[number][start : start + most])
        if batch:
            fold(self.partitions[number], batch)
            self.read_until[number] += len(batch)

    @rule(seconds=st.sampled_from([1, 1, 2, 59, 60, 600, 1799, 1800, 3600, 30_600]))
    def tick(self, seconds: int) -> None:
        """Time passes, for every replica."""
        self.now_s += seconds
        for own in self.partitions.values():
            own.advance(self.now_s)

    @rule(number=st.sampled_from(PARTITIONS))
    def checkpoint(self, number: int) -> None:
        self.partitions[number].checkpoint()

    @rule()
    def crash(self) -> None:
        """Every process dies and restarts: memory is lost."""
        self.exchanges = {replica: ReportExchange() for replica in REPLICAS}
        for number in PARTITIONS:
            self._open(number)

    @rule()
    def another_publisher(self) -> None:
        """It has nothing of what the others shared."""
        self.publisher = ReportExchange()
        self.indexes = name_indexes()

    @rule(replica=st.sampled_from(REPLICAS))
    def lose_a_share(self, replica: int) -> None:
        """A replica shares what no publisher reads."""
        if self.shared_s < self.now_s:
            self.shared_s = self.now_s
            self._share(replica)

    def _share(self, replica: int) -> dict[int, bytes]:
        reports = {
            number: PartitionReport(self.partitions[number].snapshot(), 0, 0.0, 0, 0)
            for number in PARTITIONS
            if self.owner[number] == replica
        }
        acknowledged = self.publisher.acknowledgement(b"%d" % replica)
        return self.exchanges[replica].encode(self.now_s, reports, acknowledged)

    def _shared(self) -> list[Snapshot]:
        """The reports of all replicas as the publisher gets them."""
        offers = [
            self.publisher.decode(b"%d" % replica, self.now_s, number, encoded)
            for replica in REPLICAS
            for number, encoded in self._share(replica).items()
        ]
        assert all(offer.fits and offer.is_whole for offer in offers)
        return [offer.take().snapshot for offer in offers]

    @rule(number=st.sampled_from(PARTITIONS), replica=st.sampled_from(REPLICAS))
    def rebalance(self, number: int, replica: int) -> None:
        """A partition moves to a replica whose disk has no state of it, or an old one."""
        self.owner[number] = replica
        self._open(number)

    @rule(number=st.sampled_from(PARTITIONS))
    def lose_the_disk(self, number: int) -> None:
        """State is lost, and rebuilt from the log by time."""
        self.disks[self.owner[number], number] = MemoryStore()
        self._open(number)

    @rule()
    def publish(self) -> None:
        """Once everything is read, the figures equal the oracle's."""
        for number in PARTITIONS:
            while self.read_until[number] < len(self.log[number]):
                self.read(number, 7)
        rollup = published_of(self._shared(), self.indexes)
        log = [arrived for number in PARTITIONS for arrived in self.log[number]]
        # The counters restart with a rebuilt state.
        assert_equals_the_oracle(rollup, log, self.now_s, counters=False, goals=NAIVE_GOALS)


TestEngine = Engine.TestCase
TestEngine.settings = settings(max_examples=40, stateful_step_count=40)
