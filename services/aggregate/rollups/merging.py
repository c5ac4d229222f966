"""Snapshots of several partitions as one. All events of a visitor are on one partition, so distinct visitors add up."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from heapq import nlargest
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.batch import EventCounts, LatestEvent
from services.aggregate.columns.digester import Digester, new_digest_key
from services.aggregate.engine.latest import one_per_visitor
from services.aggregate.rollups.goal_figures import merged_goals
from services.aggregate.rollups.name_index import NameIndex
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.sales_figures import merged_sales
from services.aggregate.rollups.snapshot import TABLES_BY_DIMENSION, Snapshot, tables_of, with_tables
from shared.rollups.model import LATEST_EVENTS_SHOWN

_SUMMED: Final = tuple(field.name for field in fields(Snapshot) if field.type is Ints)


NameIndexes = Mapping[str, NameIndex]
"""By dimension."""


def name_indexes() -> NameIndexes:
    """What `merge` remembers of one call in the next."""
    digester = Digester(new_digest_key())
    return {dimension: NameIndex(digester) for dimension in TABLES_BY_DIMENSION}


def merge(snapshots: Sequence[Snapshot], indexes: NameIndexes | None = None) -> Snapshot:
    """Sum the snapshots, of at least one partition and all of one instant. Associative and commutative.

    With `indexes` the result is valid until the next call with them.
    """
    indexes = indexes or name_indexes()
    assert len({snapshot.now_s for snapshot in snapshots}) == 1
    event_counts = EventCounts()
    for snapshot in snapshots:
        event_counts.add(snapshot.event_counts)
    latest_events = [event for snapshot in snapshots for event in snapshot.latest_events]
    latest_visitors = sorted(
        (event for snapshot in snapshots for event in snapshot.latest_visitors), key=_order, reverse=True
    )
    first_of_each = one_per_visitor([event for event, _ in latest_visitors])
    sums: dict[str, Any] = {
        name: np.sum([getattr(snapshot, name) for snapshot in snapshots], axis=0) for name in _SUMMED
    }
    tables = [tables_of(snapshot) for snapshot in snapshots]
    merged = Snapshot(
        now_s=snapshots[0].now_s,
        newest_event_ms=max(snapshot.newest_event_ms for snapshot in snapshots),
        event_counts=event_counts,
        **sums,
        popularity_1h={},
        spans={},
        visits={},
        goals=merged_goals([snapshot.goals for snapshot in snapshots]),
        sales=merged_sales([snapshot.sales for snapshot in snapshots]),
        latest_events=nlargest(LATEST_EVENTS_SHOWN, latest_events, key=_order),
        latest_visitors=[event for event in latest_visitors if event[0] in first_of_each],
    )
    names: dict[str, Popularity] = {}
    for dimension, index in indexes.items():
        names |= index.merged({key: [own[key] for own in tables] for key in TABLES_BY_DIMENSION[dimension]})
    return with_tables(merged, names)


def _order(event: tuple[LatestEvent, int]) -> tuple[int, int, int, int]:
    latest, partition = event
    return latest.timestamp_ms, latest.arrival_ms, partition, latest.offset
