"""Forgotten visitors in aggregate: the figures are those of a log that never held their erased events."""

from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.codec import SCHEMA, decode_block, decode_checkpoint
from services.aggregate.state.opening import ErasureDue, delete_unowned, open_partition, resume
from services.aggregate.state.partition import Partition
from services.aggregate.state.store import Store
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.privacy.erasures import NO_ERASURES, Erasure, Erasures, token_of
from shared.status.health import Health
from shared.streams.event_log import Assignment, FromOffset, FromTime, Record
from tests.support.fakes.memory_producer import MemoryProducer
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import BASE_S, as_records, assert_equals_the_oracle, events, fold, published_at
from tests.support.oracle.naive_rollups import Arrived

NOW_S = 1_795_343_400
FAR_MS = 1 << 45


def erasing(user: str, until_ms: int) -> Erasures:
    return Erasures({token_of(user): Erasure(until_ms, FAR_MS)})


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Arrived], int]:
    """A partition's log of few visitors, and the publish instant."""
    log: list[Arrived] = []
    arrival_ms = BASE_S * 1000
    for offset in range(draw(st.integers(0, 40))):
        arrival_ms += draw(st.sampled_from([0, 0, 1, 400, 1000, 61_000, 1_800_000]))
        log.append(Arrived(draw(events(arrival_ms, "abcd", ["e1", "e2"])), arrival_ms, 0, offset))
    return log, arrival_ms // 1000 + draw(st.sampled_from([0, 60, 1800]))


@given(scenario=logs(), data=st.data())
@settings(max_examples=60)
def test_rebuilt_figures_are_those_of_a_log_without_the_erased_events(
    scenario: tuple[list[Arrived], int], data: st.DataObject
) -> None:
    log, now_s = scenario
    until_ms = data.draw(st.sampled_from([BASE_S * 1000, *(a.arrival_ms + d for a in log for d in (-1, 0, 1))]))
    erasures = erasing("a", until_ms)
    store = MemoryStore()
    partition = resume(store, Assignment(0, 0, 1 << 60), BASE_S, erasures=erasures)
    cut = data.draw(st.integers(0, len(log)), label="killed after")
    fold(partition, as_records(log[:cut]))
    if data.draw(st.booleans(), label="checkpoint"):
        partition.checkpoint()
    partition = resume(store, Assignment(0, 0, 1 << 60), BASE_S, erasures=erasures)
    # A killed rebuild resumes after the last stored batch; records that it only left out come again.
    resumed = partition.next_offset or 0
    fold(partition, as_records(log[resumed:]))
    left = [a for a in log if a.event.userId != "a" or min(a.event.timestamp, a.arrival_ms) > until_ms]
    assert_equals_the_oracle(published_at([partition], now_s), left, now_s)


def test_a_refused_record_of_a_forgotten_visitor_is_no_dead_letter_again() -> None:
    partition = resume(MemoryStore(), Assignment(0, 0, 10), NOW_S, erasures=erasing("ann", NOW_S * 1000))
    at_ms = NOW_S * 1000
    bad = [Record(0, 0, at_ms, b"ann", b"no json"), Record(0, 1, at_ms, b"bob", b"no json"),
           Record(0, 2, at_ms + 1, b"ann", b"no json"), Record(0, 3, at_ms, None, b"no json")]  # fmt: skip
    good = Record(0, 4, at_ms, b"bob", encode_enriched(EnrichedEvent(timestamp=at_ms, userId="bob")))
    partition.receive([*bad, good])
    assert [record.offset for record, _ in partition.build_batch()] == [1, 2, 3]


def test_state_that_lacks_an_erasure_is_not_used() -> None:
    store = MemoryStore()
    resume(store, Assignment(0, 0, 10), NOW_S, erasures=erasing("ann", 5))
    with pytest.raises(ErasureDue):
        resume(store, Assignment(0, 0, 10), NOW_S, erasures=erasing("ann", 6))
    with pytest.raises(ErasureDue):
        resume(store, Assignment(0, 0, 10), NOW_S, erasures=erasing("bob", 5))
    kept = resume(store, Assignment(0, 0, 10), NOW_S)  # Redis lost the list: the state still honours it
    assert kept.erasures.by_token == erasing("ann", 5).by_token


# --- on disk ---------------------------------------------------------------------------------------------------------

ASSIGNMENT = Assignment(0, begin_offset=0, end_offset=10, topic_id="t1")


def a_state(directory: Path, user: str, erasures: Erasures = NO_ERASURES) -> Partition:
    partition = open_partition(directory, ASSIGNMENT, NOW_S, erasures=erasures)
    event = EnrichedEvent(timestamp=NOW_S * 1000, userId=user)
    partition.receive([Record(0, 0, NOW_S * 1000, user.encode(), encode_enriched(event))])
    assert partition.build_batch() == []
    partition.fold()
    return partition


def stored(directory: Path) -> str:
    """The latest events in every database below, which hold userIds as sent. Files hold them compressed."""
    found = []
    for path in [current.parent for current in directory.rglob("CURRENT")]:
        store = Store(path, SCHEMA)
        saved = store.read()
        store.close()
        found += [repr(decode_block(block)[0].latest) for block in (saved.blocks if saved else [])]
        if saved and saved.checkpoint:
            found.append(repr(decode_checkpoint(saved.checkpoint, saved.digest_key, 3600)[1].latest.events))
    return " ".join(found)


def test_an_erasure_leaves_no_state_of_the_visitor_on_disk(tmp_path: Path) -> None:
    a_state(tmp_path, "ann-of-long-ago").close()
    (tmp_path / "0").rename(tmp_path / "0.set-aside-1")  # of an earlier release
    a_state(tmp_path, "ann-of-long-ago").close()
    assert "ann-of-long-ago" in stored(tmp_path)
    partition = open_partition(tmp_path, ASSIGNMENT, NOW_S, erasures=erasing("ann-of-long-ago", NOW_S * 1000))
    assert isinstance(partition.position, FromTime)
    partition.close()
    assert "ann-of-long-ago" not in stored(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_a_killed_deletion_is_finished(tmp_path: Path) -> None:
    erasures = erasing("ann-of-long-ago", NOW_S * 1000)
    a_state(tmp_path, "ann-of-long-ago").close()
    (tmp_path / "0").rename(tmp_path / "0.deleted")  # killed here
    open_partition(tmp_path, ASSIGNMENT, NOW_S, erasures=erasures).close()
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_unusable_state_is_deleted_while_there_are_erasures(tmp_path: Path) -> None:
    a_state(tmp_path, "ann-of-long-ago").close()
    for manifest in (tmp_path / "0").glob("MANIFEST-*"):
        manifest.write_bytes(b"torn")
    open_partition(tmp_path, ASSIGNMENT, NOW_S, erasures=erasing("ann-of-long-ago", NOW_S * 1000)).close()
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert "ann-of-long-ago" not in stored(tmp_path)


def test_state_of_partitions_that_moved_away_is_deleted_too(tmp_path: Path) -> None:
    erasures = erasing("ann", NOW_S * 1000)
    a_state(tmp_path, "ann").close()
    (tmp_path / "0").rename(tmp_path / "3")
    (tmp_path / "4.set-aside-1").mkdir()
    (tmp_path / "notes.txt").write_text("of the operator")
    a_state(tmp_path, "bob", erasures).close()
    (tmp_path / "0").rename(tmp_path / "5")
    open_elsewhere = a_state(tmp_path, "ann")  # by another process, which deletes it itself
    owned_here = tmp_path / "1"
    owned_here.mkdir()
    delete_unowned(tmp_path, {1}, erasures)
    open_elsewhere.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "5", "notes.txt"]


# --- the service -----------------------------------------------------------------------------------------------------


class _Known:
    """The erasures, as a test gives them."""

    def __init__(self) -> None:
        self.erasures = NO_ERASURES
        self.honoured: dict[int, int] = {}

    def current(self) -> Erasures:
        return self.erasures

    def learn(self, erasures: Erasures) -> None:
        self.erasures = self.erasures.with_all(erasures)

    def honour(self, honoured_ms: object) -> None:
        self.honoured = dict(honoured_ms)  # type: ignore[call-overload] # a mapping


class _Log:
    """A consumer of two visitors' events. Each poll takes a second; `at` acts before a given poll."""

    def __init__(self, stop: Event, at: dict[int, object]) -> None:
        self.now_s = NOW_S
        self.listener: AggregateService | None = None
        self._records = [
            Record(0, n, NOW_S * 1000, user.encode(),
                   encode_enriched(EnrichedEvent(timestamp=NOW_S * 1000 - n, userId=user)))
            for n, user in enumerate(["ann", "bob", "ann", "bob"])
        ]  # fmt: skip
        self._stop = stop
        self._at = at
        self._next: int | None = None
        self.starts = 0

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:  # noqa: ARG002 - part of the interface
        self.now_s += 1
        act = self._at.get(self.now_s - NOW_S)
        if callable(act):
            act()
        if self.now_s >= NOW_S + 60:
            self._stop.set()
        if self._next is None:
            assert self.listener is not None
            position = self.listener.on_assigned(Assignment(0, 0, 4))
            self._next = position.offset if isinstance(position, FromOffset) else 0
            self.starts += 1
        records = self._records[self._next :]
        self._next = len(self._records)
        return records

    def rewind(self) -> None:
        self._next = None

    def commit(self, next_offsets: object) -> None:
        pass

    def lag(self) -> dict[int, int]:
        return {0: 0}


def test_a_running_service_erases_and_reports_it_once_for_the_erasures_of_a_moment(tmp_path: Path) -> None:
    known, stop = _Known(), Event()

    def forget(user: str) -> None:
        known.erasures = known.erasures.with_all(erasing(user, NOW_S * 1000))

    log = _Log(stop, {5: lambda: forget("ann"), 7: lambda: forget("eve"), 9: lambda: forget("kim")})
    visitors: list[int] = []
    log.listener = AggregateService(
        AggregateSettings(state_dir=tmp_path),
        producer=MemoryProducer(),
        offer=lambda publication: visitors.extend(
            int(report.snapshot.visitors[2][0]) for report in publication.reports.values()
        ),
        health=Health("test"),
        clock=lambda: float(log.now_s),
        stop=stop,
        erasures=known,
    )
    log.listener.run(log)  # type: ignore[arg-type] # without `close`
    log.listener.on_revoked(0)
    assert (visitors[2], visitors[-1]) == (2, 1)
    assert known.honoured == {0: NOW_S * 1000}
    assert log.starts == 3  # the first one, ann's erasure, and one for both of the others
    assert "bob" in stored(tmp_path)
    assert "ann" not in stored(tmp_path)
