"""The aggregate service as a listener: partitions are assigned, assigned again after a failed start, and revoked."""

from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from services.aggregate.publishing.sender import Publication
from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import Assignment, FromTime, LogUnavailable, Record
from tests.support.fakes.memory_producer import MemoryProducer
from tests.support.fakes.one_batch import OneBatch

NOW_S = 1_795_343_400


def service(
    state_dir: Path, stop: Event | None = None, producer: MemoryProducer | None = None, **options: Any
) -> AggregateService:
    """The service, which publishes nowhere at NOW_S unless the options say otherwise."""
    defaults: dict[str, Any] = {"offer": lambda _: None, "clock": lambda: float(NOW_S)}
    return AggregateService(
        AggregateSettings(state_dir=state_dir),
        producer=producer or MemoryProducer(),
        health=Health("test"),
        stop=stop or Event(),
        **(defaults | options),
    )


def test_a_partition_assigned_again_after_a_failed_start_is_reopened(tmp_path: Path) -> None:
    listener = service(tmp_path)
    assignment = Assignment(partition=0, begin_offset=0, end_offset=0)
    first = listener.on_assigned(assignment)
    assert isinstance(first, FromTime)
    assert listener.on_assigned(assignment) == first  # and does not wait for its own lock
    listener.on_revoked(0)


def test_a_revoked_partition_is_free_for_another_owner(tmp_path: Path) -> None:
    assignment = Assignment(partition=0, begin_offset=0, end_offset=0)
    for _ in range(2):
        listener = service(tmp_path)
        listener.on_assigned(assignment)
        listener.on_revoked(0)
    listener.on_revoked(0)  # a second call does nothing


BAD_RECORD = Record(0, 0, NOW_S * 1000, None, b"no json")


class _LogAway(MemoryProducer):
    def send(self, records: object) -> None:  # noqa: ARG002 - part of the interface
        raise LogUnavailable("away")


def test_after_a_stop_records_with_unsent_dead_letters_are_read_again(tmp_path: Path) -> None:
    stop = Event()
    listener = service(tmp_path, stop, _LogAway())
    assignment = Assignment(partition=0, begin_offset=0, end_offset=1)
    start = listener.on_assigned(assignment)
    listener.run(OneBatch.then_stop([BAD_RECORD], stop))  # type: ignore[arg-type] # without `close`
    listener.on_revoked(0)
    assert service(tmp_path).on_assigned(assignment) == start


def test_the_gauges_count_folded_refused_and_unread_events(tmp_path: Path) -> None:
    stop, gauges = Event(), Gauges()
    listener = service(tmp_path, stop, gauges=gauges)
    listener.on_assigned(Assignment(partition=0, begin_offset=0, end_offset=1))
    listener.run(OneBatch.then_stop([BAD_RECORD], stop))  # type: ignore[arg-type] # without `close`
    assert (gauges.events, gauges.dead_letters, gauges.lag) == (1, {"not_json": 1}, {0: 0})
    assert gauges.batch_ms is not None
    assert 0 < gauges.batch_ms < 10_000
    listener.on_revoked(0)


class _LogAwayFor:
    """A consumer of an empty topic whose log is unavailable between two seconds. Each poll takes a second."""

    def __init__(self, away_s: int, back_s: int, stop_s: int, stop: Event) -> None:
        self.now_s = NOW_S
        self._away_s, self._back_s, self._stop_s = away_s, back_s, stop_s
        self._stop = stop

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:  # noqa: ARG002 - part of the interface
        self.now_s += 1
        if self.now_s >= NOW_S + self._stop_s:
            self._stop.set()
        if NOW_S + self._away_s <= self.now_s < NOW_S + self._back_s:
            raise LogUnavailable("away")
        return []

    def commit(self, next_offsets: object) -> None:
        pass

    def lag(self) -> dict[int, int]:
        return {0: 0}  # the client keeps the last value it received


@pytest.fixture
def offered(tmp_path: Path) -> dict[int, Publication]:
    """The publications by second, with the log unavailable from the tenth to the thirtieth."""
    stop = Event()
    log = _LogAwayFor(away_s=10, back_s=30, stop_s=40, stop=stop)
    offered: list[Publication] = []
    listener = service(tmp_path, stop, offer=offered.append, clock=lambda: float(log.now_s))
    listener.on_assigned(Assignment(partition=0, begin_offset=0, end_offset=0))
    listener.run(log)  # type: ignore[arg-type] # without `close`
    listener.on_revoked(0)
    return {offer.instant_s - NOW_S: offer for offer in offered}


def test_coverage_stops_while_the_log_is_unavailable(offered: dict[int, Publication]) -> None:
    covered_s = {second: offer.reports[0].coverage_s(3600) for second, offer in offered.items()}
    assert covered_s[9] == 3600
    assert [covered_s[second] for second in (12, 20, 29)] == [3597, 3589, 3580]
    assert covered_s[35] == 3600


def test_lag_is_unknown_while_the_log_is_unavailable(offered: dict[int, Publication]) -> None:
    assert [offered[second].reports[0].lag for second in (9, 12, 29, 35)] == [0, None, None, 0]


def test_no_segment_is_written_while_the_log_is_unavailable(
    offered: dict[int, Publication],
) -> None:
    assert [len(offered[second].segments) for second in (9, 12, 29, 35)] == [1, 0, 0, 1]


class _SecondsGoBy:
    """A consumer of one bad record. Each poll, and each wait between polls, takes a second."""

    def __init__(self, stop_s: int, stop: Event) -> None:
        self._stop_s = stop_s
        self._stop = stop
        self._seconds = 0
        self.polls = 0

    def clock(self) -> float:
        self._seconds += 1
        if self._seconds >= self._stop_s:
            self._stop.set()
        return float(NOW_S + self._seconds)

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:  # noqa: ARG002 - part of the interface
        self.polls += 1
        return [BAD_RECORD] if self.polls == 1 else []

    def commit(self, next_offsets: object) -> None:
        pass

    def lag(self) -> dict[int, int]:
        return {0: 0}


def test_windows_move_on_while_dead_letters_cannot_be_sent(tmp_path: Path) -> None:
    stop = Event()
    log, producer = _SecondsGoBy(60, stop), MemoryProducer(outages=4)
    offered: list[Publication] = []
    listener = service(tmp_path, stop, producer, offer=offered.append, clock=log.clock)
    listener.on_assigned(Assignment(partition=0, begin_offset=0, end_offset=1))
    listener.run(log)  # type: ignore[arg-type] # without `close`
    listener.on_revoked(0)
    assert [letter.value for letter in producer.records] == [b"no json"]
    waiting = [offer for offer in offered if offer.reports[0].lag is None]
    assert len(waiting) >= 3  # published during the outage, when nobody knows the lag
    assert offered[-1].reports[0].snapshot.event_counts.dead_letters == 1
    assert log.polls > 1  # reading continued


class _CutOff(_LogAwayFor):
    """The log is unavailable to this replica; records when it gave up what it kept."""

    given_up_s: int | None = None

    def revoke_kept(self) -> None:
        self.given_up_s = self.given_up_s or self.now_s - NOW_S


@pytest.mark.parametrize(("others_read_s", "given_up_s"), [(None, None), (13, 16)])
def test_partitions_are_kept_until_another_replica_reads_the_log_that_this_one_cannot(
    tmp_path: Path, others_read_s: int | None, given_up_s: int | None
) -> None:
    stop = Event()
    log = _CutOff(away_s=10, back_s=40, stop_s=40, stop=stop)
    listener = service(
        tmp_path,
        stop,
        clock=lambda: float(log.now_s),
        others_read=lambda: others_read_s is not None and log.now_s >= NOW_S + others_read_s,
    )
    listener.on_assigned(Assignment(partition=0, begin_offset=0, end_offset=0))
    listener.run(log)  # type: ignore[arg-type] # without `close`
    listener.on_revoked(0)
    assert log.given_up_s == (None if given_up_s is None else pytest.approx(given_up_s, abs=1))


class _AssignsAgain(_LogAwayFor):
    """Assigns the partition again when the log is back, as after an outage that ended the session."""

    listener: AggregateService

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        records = super().poll(max_records, timeout_seconds)
        if self.now_s == NOW_S + 30:
            self.listener.on_assigned(Assignment(partition=0, begin_offset=0, end_offset=0))
        return records


def test_a_partition_that_is_assigned_again_counts_as_taken_over_then(tmp_path: Path) -> None:
    stop = Event()
    log = _AssignsAgain(away_s=10, back_s=30, stop_s=40, stop=stop)
    offered: list[Publication] = []
    log.listener = service(tmp_path, stop, offer=offered.append, clock=lambda: float(log.now_s))
    log.listener.on_assigned(Assignment(partition=0, begin_offset=0, end_offset=0))
    log.listener.run(log)  # type: ignore[arg-type] # without `close`
    log.listener.on_revoked(0)
    since_s = {offer.instant_s - NOW_S: offer.since_s[0] - NOW_S for offer in offered}
    assert (since_s[9], since_s[29]) == (0, 0)
    assert since_s[35] >= 29


class _Busy:
    """A consumer that reads a record of each partition at every poll. Each poll takes a second."""

    def __init__(self, partitions: int, seconds: int, stop: Event) -> None:
        self.now_s = NOW_S
        self._partitions = partitions
        self._end_s = NOW_S + seconds
        self._stop = stop

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:  # noqa: ARG002 - part of the interface
        self.now_s += 1
        if self.now_s >= self._end_s:
            self._stop.set()
        event = encode_enriched(EnrichedEvent(self.now_s * 1000, "ada"))
        offset = self.now_s - NOW_S
        return [Record(number, offset, self.now_s * 1000, None, event) for number in range(self._partitions)]

    def commit(self, next_offsets: object) -> None:
        pass

    def lag(self) -> dict[int, int]:
        return dict.fromkeys(range(self._partitions), 0)


def test_checkpoints_are_apart_because_nothing_is_folded_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Event()
    consumer = _Busy(3, 200, stop)
    listener = service(tmp_path, stop, clock=lambda: float(consumer.now_s))
    for number in range(3):
        listener.on_assigned(Assignment(partition=number, begin_offset=0, end_offset=0))
    written: list[tuple[int, int]] = []
    checkpoint = Partition.checkpoint

    def noted(partition: Partition) -> None:
        written.append((consumer.now_s, partition.number))
        checkpoint(partition)

    monkeypatch.setattr(Partition, "checkpoint", noted)
    listener.run(consumer)  # type: ignore[arg-type] # without `close`
    instants = [now_s for now_s, _ in written]
    assert all(after - before >= 10 for before, after in pairwise(instants)), written
    for number in range(3):
        own = [now_s for now_s, partition in written if partition == number]
        assert len(own) >= 2
        assert all(after - before <= 90 for before, after in pairwise([NOW_S, *own])), written
        listener.on_revoked(number)
