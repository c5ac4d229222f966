"""What the dashboard remembers of each replica: when it was last heard, and the last minutes of its figures."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.status.replica_status import ReplicaStatus

SLOT_MS: Final = 5_000
SLOTS: Final = 60
"""Slots of a curve: the last five minutes."""

_UNWATCHED_MS: Final = 5_000
"""After a longer gap between two looks, the arrival time of a report is unknown."""

Curve = Mapping[int, float]
"""Slot (epoch ms // SLOT_MS) → mean of the figures seen in it."""


@dataclass(frozen=True, slots=True)
class Curves:
    """The last minutes of one replica."""

    cpu_share: Curve = field(default_factory=dict)
    memory_bytes: Curve = field(default_factory=dict)
    events_per_second: Curve = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watched:
    """A replica's latest report, when it was last heard (epoch ms), and its curves."""

    status: ReplicaStatus
    heard_ms: int
    curves: Curves


class Watch:
    """Follows the reports from look to look. Not thread-safe."""

    def __init__(self) -> None:
        self._looked_ms: int | None = None
        self._is_interrupted = False
        self._heard: dict[tuple[str, str], tuple[int, int]] = {}  # replica → reported_at_ms, heard_ms
        self._slots: dict[tuple[str, str], deque[_Slot]] = {}

    def interrupted(self) -> None:
        """Redis did not answer: the time until it does must not count as a replica's silence."""
        self._is_interrupted = True

    def look(self, statuses: Iterable[ReplicaStatus], now_ms: int) -> list[Watched]:
        """Record the reports as of `now_ms` and forget replicas without one.

        A replica is heard when its report changes between two looks, whatever its clock says. After a gap in watching,
        the report's own time counts.
        """
        since_look_ms = now_ms - (self._looked_ms or now_ms)
        watched, heard, slots = [], {}, {}
        for status in statuses:
            replica = (status.service, status.replica)
            reported_ms, heard_ms = self._heard.get(replica, (None, status.reported_at_ms))
            is_new = reported_ms != status.reported_at_ms
            if is_new:
                was_watched = reported_ms is not None and since_look_ms <= _UNWATCHED_MS
                # A report from the future is heard now, or its replica would never be gone.
                heard_ms = now_ms if was_watched else min(status.reported_at_ms, now_ms)
            elif self._is_interrupted:
                heard_ms += since_look_ms
            heard[replica] = (status.reported_at_ms, heard_ms)
            slots[replica] = self._slots.get(replica) or deque(maxlen=SLOTS)
            if is_new:
                _add(slots[replica], status, now_ms // SLOT_MS)
            watched.append(Watched(status, heard_ms, _curves(slots[replica])))
        self._heard, self._slots = heard, slots
        self._looked_ms, self._is_interrupted = now_ms, False
        return watched


@dataclass(slots=True)
class _Slot:
    number: int
    looks: int = 0
    cpu_share: float = 0.0
    memory_bytes: float = 0.0
    events_per_second: float = 0.0


def _add(slots: deque[_Slot], status: ReplicaStatus, number: int) -> None:
    if not slots or slots[-1].number != number:
        slots.append(_Slot(number))
    slot = slots[-1]
    slot.looks += 1
    slot.cpu_share += status.cpu_share
    slot.memory_bytes += status.memory_bytes
    slot.events_per_second += status.events_per_second


def _curves(slots: Iterable[_Slot]) -> Curves:
    return Curves(
        cpu_share={slot.number: slot.cpu_share / slot.looks for slot in slots},
        memory_bytes={slot.number: slot.memory_bytes / slot.looks for slot in slots},
        events_per_second={slot.number: slot.events_per_second / slot.looks for slot in slots},
    )
