"""Events of one slice as columns, before it is known which of them count. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints
from services.aggregate.columns.batch import NONE
from services.aggregate.columns.digester import Hashes
from services.aggregate.columns.digests import Digests
from services.aggregate.encoding.encoder import Encoder

_user_id_of: Final = attrgetter("userId")
_event_id_of: Final = attrgetter("eventId")
_age_of: Final = attrgetter("age")


@dataclass(frozen=True, slots=True)
class EventColumns:
    """One place per event, in log order."""

    timestamp_ms: Ints
    user_hashes: Hashes
    ages: Array  # int16, NONE where unknown
    places: list[Ints]
    """By group of the name encoder: the place of each event's combination."""
    has_event_id: Bools
    event_id_hashes: Hashes
    """Only of the events that have one."""

    def __len__(self) -> int:
        return len(self.timestamp_ms)


def columns_of(events: Sequence[Any], timestamps_ms: Sequence[int], encoder: Encoder) -> EventColumns:
    """The columns of decoded events. New names get their codes."""
    digester = encoder.digester
    event_ids = [event_id for event_id in map(_event_id_of, events) if event_id.__class__ is str]
    return EventColumns(
        np.array(timestamps_ms, np.int64),
        digester.hashes(map(_user_id_of, events)),
        np.array([NONE if age is None else age for age in map(_age_of, events)], np.int16),
        [np.array(group.places(events), np.int64) for group in encoder.names.combinations],
        np.ones(len(events), np.bool_)
        if len(event_ids) == len(events)
        else np.array([event_id.__class__ is str for event_id in map(_event_id_of, events)], np.bool_),
        digester.hashes(event_ids),
    )


def joined_columns(slices: Sequence[EventColumns], groups: int) -> EventColumns:
    """The slices one after the other; `groups` is the number of groups of the name encoder."""
    if not slices:
        nothing: Digests = np.empty((0, 2), np.uint64)
        none = np.empty(0, np.int64)
        return EventColumns(none, nothing, np.empty(0, np.int16), [none] * groups, np.empty(0, np.bool_), nothing)
    return EventColumns(
        np.concatenate([own.timestamp_ms for own in slices]),
        np.concatenate([own.user_hashes for own in slices]),
        np.concatenate([own.ages for own in slices]),
        [np.concatenate([own.places[group] for own in slices]) for group in range(groups)],
        np.concatenate([own.has_event_id for own in slices]),
        np.concatenate([own.event_id_hashes for own in slices]),
    )
