"""Since when a partition has read every record, which coverage is based on."""

from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import fold

START_S = 1_795_343_400


def records(first_offset: int, count: int, arrival_s: int) -> list[Record]:
    value = encode_enriched(EnrichedEvent(timestamp=arrival_s * 1000, userId="ada"))
    return [Record(0, first_offset + place, arrival_s * 1000, None, value) for place in range(count)]


def opened(store: MemoryStore, begin_offset: int, now_s: int) -> Partition:
    return resume(store, Assignment(0, begin_offset, 1000), now_s)


def stopped_at_10() -> tuple[MemoryStore, int]:
    """A store whose next offset is 10, and since when it has read every record (epoch ms)."""
    store = MemoryStore()
    partition = opened(store, 0, START_S)
    fold(partition, records(0, 10, START_S))
    return store, partition.loaded_from_ms


def test_coverage_continues_when_nothing_expired() -> None:
    store, loaded_from_ms = stopped_at_10()
    partition = opened(store, 10, START_S + 600)
    fold(partition, records(10, 5, START_S + 300))
    assert partition.loaded_from_ms == loaded_from_ms


def test_coverage_restarts_after_records_that_expired_unread() -> None:
    #   offset   0 ──── 9   10 ─ gone ─ 199   200 ──── 204
    #   arrival  0 s                          +300 s          opened at +600 s
    store, _ = stopped_at_10()
    partition = opened(store, 200, START_S + 600)
    assert partition.loaded_from_ms == (START_S + 600) * 1000  # the next record is still unknown
    fold(partition, records(200, 5, START_S + 300))
    assert partition.loaded_from_ms == (START_S + 300) * 1000
    fold(partition, records(205, 5, START_S + 301))
    assert partition.loaded_from_ms == (START_S + 300) * 1000
    assert opened(store, 200, START_S + 700).loaded_from_ms == (START_S + 300) * 1000


def test_the_gap_is_found_again_when_nothing_was_stored_after_it() -> None:
    store, _ = stopped_at_10()
    opened(store, 200, START_S + 600).receive(records(200, 5, START_S + 300))  # killed before the fold
    partition = opened(store, 200, START_S + 700)
    assert partition.loaded_from_ms == (START_S + 700) * 1000
    fold(partition, records(200, 5, START_S + 300))
    assert partition.loaded_from_ms == (START_S + 300) * 1000
