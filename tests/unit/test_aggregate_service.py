"""The aggregate service as a listener: partitions come, come again after a failed start, and go."""

from pathlib import Path
from threading import Event

from services.aggregate.sender import Publication
from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from shared.health import Health
from shared.streams import Assignment, FromTime
from tests.memory_producer import MemoryProducer

NOW_S = 1_795_343_400


def service(state_dir: Path) -> AggregateService:
    offered: list[Publication] = []
    return AggregateService(
        AggregateSettings(state_dir=state_dir),
        producer=MemoryProducer(),
        offer=offered.append,
        health=Health("test"),
        clock=lambda: float(NOW_S),
        stop=Event(),
    )


def test_a_partition_that_is_assigned_again_after_a_failed_start_is_opened_anew(tmp_path: Path) -> None:
    listener = service(tmp_path)
    assignment = Assignment(partition=0, begin_offset=0, end_offset=0)
    first = listener.on_assigned(assignment)
    assert isinstance(first, FromTime)
    assert listener.on_assigned(assignment) == first  # and does not wait for a lock of its own
    listener.on_revoked(0)


def test_another_owner_finds_the_state_free_once_it_is_revoked(tmp_path: Path) -> None:
    assignment = Assignment(partition=0, begin_offset=0, end_offset=0)
    for _ in range(2):
        listener = service(tmp_path)
        listener.on_assigned(assignment)
        listener.on_revoked(0)
    listener.on_revoked(0)  # twice is once
