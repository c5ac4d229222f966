"""Whether a report that another process wrote to Redis can be merged and published. Pure."""

from dataclasses import fields
from functools import lru_cache
from math import isfinite
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.batch import EventCounts, LatestEvent
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.encoding.batch_builder import COUNTED_EVENTS
from services.aggregate.engine.windows import Windows
from services.aggregate.rollups.goal_figures import goal_shapes
from services.aggregate.rollups.snapshot import Snapshot, snapshot_of, tables_of
from shared.events.schema import MAX_EVENT_BYTES
from shared.events.time_units import MINUTE_SECONDS
from shared.rollups.codecs import GREATEST
from shared.rollups.commerce import MOST_GOALS
from shared.rollups.model import LATEST_EVENTS_SHOWN

_LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_ANY_MINUTE_S: Final = 1_800_000_000
_ARRAYS: Final = tuple(field.name for field in fields(Snapshot) if field.type is Ints)


def check_snapshot(snapshot: Snapshot) -> None:
    """Raise ValueError or msgspec.MsgspecError unless the figures have the shapes and ranges of our own.

    Names and their counts are checked by what copies them, see `name_copy`.
    """
    check_numbers(snapshot.now_s, snapshot.newest_event_ms)
    if max(snapshot.now_s * 1000, snapshot.newest_event_ms) > _LATEST_MS:
        raise ValueError("its time is out of range")
    check_numbers(*(getattr(snapshot.event_counts, field.name) for field in fields(EventCounts)))
    shapes = _shapes_at(snapshot.now_s % MINUTE_SECONDS)
    for name in _ARRAYS:
        _check_array(name, getattr(snapshot, name), shapes[name])
    goals = snapshot.goals
    if not len(goals.definitions) == len(goals.names) == len({*goals.definitions}) == len({*goals.names}) <= MOST_GOALS:
        raise ValueError("goals that are no set of goals")
    for name, shape in goal_shapes(len(goals.names)).items():
        _check_array(name, getattr(goals, name), shape)
    if max(len(snapshot.latest_events), len(snapshot.latest_visitors)) > LATEST_EVENTS_SHOWN:
        raise ValueError(f"more than {LATEST_EVENTS_SHOWN} latest events")
    for event, _ in (*snapshot.latest_events, *snapshot.latest_visitors):
        _check_event(event)


def check_numbers(*numbers: float) -> None:
    """Raise ValueError unless all are finite, from 0 to 2**53."""
    for number in numbers:
        if not (isfinite(number) and 0 <= number <= GREATEST):
            raise ValueError("a number is out of range")


def _check_array(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape[:4]}, expected {shape}")
    if array.size and not (array.min() >= 0 and array.max() <= GREATEST):
        raise ValueError(f"{name} has a number out of range")


def _check_event(event: LatestEvent) -> None:
    if len(event.value) > MAX_EVENT_BYTES:
        raise ValueError(f"an event of {len(event.value)} bytes")
    shown = COUNTED_EVENTS.decode_shown(event.value)
    if not 0 <= shown.timestamp <= _LATEST_MS:
        raise ValueError("an event's time is out of range")


@lru_cache(maxsize=1)
def rows_of_tables() -> dict[str, int]:
    """How many counts a name has, by the key of `tables_of`."""
    return {key: len(popularity.events) for key, popularity in tables_of(_empty(0)).items()}


@lru_cache(maxsize=MINUTE_SECONDS)
def _shapes_at(second: int) -> dict[str, tuple[int, ...]]:
    """The shapes at a second of any minute: on a full minute, fifteen minutes touch one fewer."""
    empty = _empty(second)
    return {name: np.shape(getattr(empty, name)) for name in _ARRAYS}


def _empty(second: int) -> Snapshot:
    return snapshot_of(Windows(_ANY_MINUTE_S + second), Dictionaries(), partition=0)
