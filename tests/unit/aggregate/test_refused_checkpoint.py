"""A checkpoint that the store rejects: compaction changed codes of names and visitors, and only it has the new ones."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.aggregate.state.database import StateUnwritable
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import without_zeros

START_S = 1_795_343_400
NOW_S = START_S + 3700


class _Refusing(MemoryStore):
    """Accepts blocks, but checkpoints only when it has space."""

    has_space = True

    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None:
        if not self.has_space:
            raise StateUnwritable("no space left")
        super().checkpoint(parts, oldest)


def opened(store: MemoryStore) -> Partition:
    return resume(store, Assignment(0, 0, 1 << 40), START_S)


def receive(into: Partition, now_s: int, *products: str) -> None:
    into.advance(now_s)
    first = into.next_offset or 0
    events = [EnrichedEvent(now_s * 1000, f"visitor of {name}", productId=name, category="c") for name in products]
    into.receive([Record(0, first + n, now_s * 1000, None, encode_enriched(event)) for n, event in enumerate(events)])
    into.build_batch()


def products_of(of: Partition) -> dict[Any, int]:
    products = without_zeros(of.snapshot().popularity_1h["product"])
    return {member.product_id: int(n) for member, n in zip(products.names, products.events.sum(axis=0), strict=True)}


@pytest.fixture
def refused() -> tuple[Partition, _Refusing]:
    """A partition whose checkpoint, which drops fifty names, was rejected."""
    store = _Refusing()
    own = opened(store)
    receive(own, START_S, *(f"old {number}" for number in range(50)))
    own.fold()
    receive(own, NOW_S - 1, "a", "b")
    own.fold()
    store.has_space = False
    with pytest.raises(StateUnwritable):
        own.checkpoint()
    return own, store


def test_nothing_is_folded_before_it_is_written(refused: tuple[Partition, _Refusing]) -> None:
    own, store = refused
    assert own.is_checkpoint_due()
    receive(own, NOW_S, "c", "b")
    with pytest.raises(StateUnwritable):
        own.fold()
    after_a_crash = opened(store)
    after_a_crash.advance(NOW_S)
    assert products_of(after_a_crash) == products_of(own) == {"a": 1, "b": 1}
    assert after_a_crash.next_offset == 52


def test_everything_is_folded_once_there_is_space(refused: tuple[Partition, _Refusing]) -> None:
    own, store = refused
    receive(own, NOW_S, "c", "b")
    store.has_space = True
    own.fold()
    after_a_crash = opened(store)
    after_a_crash.advance(NOW_S)
    assert products_of(after_a_crash) == products_of(own) == {"a": 1, "b": 2, "c": 1}


def test_it_is_written_even_without_new_events(refused: tuple[Partition, _Refusing]) -> None:
    own, store = refused
    store.has_space = True
    own.checkpoint()
    assert not own.is_checkpoint_due()
    assert store.saved is not None
    assert not store.saved.blocks
