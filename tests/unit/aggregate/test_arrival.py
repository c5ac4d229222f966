"""Arrival never moves back with the log's clock, also after a restart: duplicates depend on it."""

import pytest

from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore

START_S = 1_795_343_400


def read(into: Partition, event_id: str, appended_s: int) -> None:
    event = EnrichedEvent(appended_s * 1000, "v", eventId=event_id)
    into.advance(appended_s)
    into.receive([Record(0, into.next_offset or 0, appended_s * 1000, None, encode_enriched(event))])
    into.build_batch()
    into.fold()


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_a_duplicate_advances_arrival_also_after_a_restart(*, has_checkpoint: bool) -> None:
    store = MemoryStore()
    own = resume(store, Assignment(0, 0, 1 << 40), START_S)
    read(own, "a", START_S)
    read(own, "a", START_S + 600)
    if has_checkpoint:
        own.checkpoint()
    own = resume(store, Assignment(0, 0, 1 << 40), START_S)
    read(own, "b", START_S + 570)  # arrives at 600, like the record before it
    read(own, "b", START_S + 4199)
    assert own.snapshot().event_counts.duplicates == 2
    read(own, "b", START_S + 4200)
    assert own.snapshot().event_counts.duplicates == 2
