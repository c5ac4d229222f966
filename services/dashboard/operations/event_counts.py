"""What became of the events at each step of the pipeline, from the HTTP request to the number on screen. Pure.

A step adds up by itself. Two steps need not agree: they count from different instants, and others write to the raw
topic too. What lies between them is what the next one has not read yet.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.dashboard.operations.standings import Replica
from shared.events.collected import ACCEPTED
from shared.rollups.model import Meta
from shared.runtime.services import TRAFFIC
from shared.status.metrics import LOST
from shared.status.replica_status import ReplicaStatus

_OF_HISTORY: Final = {
    "stored": "stored",
    "duplicate": "sent twice",
    "expired": "of days not kept",
    "erased": "of forgotten visitors",
    "refused": "refused",
}
"""Outcome in its status → in words."""
_SENDERS: Final = tuple(service.name for service in TRAFFIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what it took, and what became of it, in words and numbers, without the parts that are 0."""

    name: str
    service: str
    events: int
    parts: Sequence[tuple[int, str]]
    unread: int | None = 0  # events before it that it has not read; None: unknown
    reasons: Sequence[tuple[int, str]] = ()  # why events were refused, the most frequent first
    lost: int = 0  # events before it that left the log unread, at most
    unaccounted: int = 0  # events without an outcome; negative: more outcomes than events
    replicas: int = 1
    counting_ms: int | None = None  # for how long the first of its processes has run; None: since the state began
    as_of_ms: int | None = None  # None: as the processes last reported


class _Service(NamedTuple):
    """A service of which replicas run, or have run."""

    name: str
    statuses: Sequence[ReplicaStatus]
    is_running: bool


def steps_of(replicas: Sequence[Replica], meta: Meta | None) -> list[Step]:
    """The steps whose service is known, in the order in which an event passes them."""
    found = [
        _step(_collect, "collect", replicas),
        *(_step(_sender, name, replicas) for name in _SENDERS),
        _step(_enrich, "enrich", replicas),
        _aggregate(meta),
        _step(_history, "history", replicas),
    ]
    return [step for step in found if step is not None]


def _step(build: Callable[[_Service], Step], name: str, replicas: Sequence[Replica]) -> Step | None:
    """The step of a service by its running replicas, or by the last ones that ran; None if it never ran."""
    own = [replica for replica in replicas if replica.service == name]
    running = [replica.watched.status for replica in own if replica.standing.is_running]
    statuses = running or [replica.watched.status for replica in own]
    return build(_Service(name, statuses, is_running=bool(running))) if statuses else None


def _collect(service: _Service) -> Step:
    own = service.statuses
    outcomes = _summed(status.collected for status in own)
    accepted = outcomes.pop(ACCEPTED, 0)
    received = sum(status.received for status in own)
    waiting = sum(status.waiting for status in own)
    refused = outcomes.total()
    return Step(
        name="Received over HTTP",
        service=service.name,
        events=received,
        parts=_parts(
            (accepted, "accepted"),
            (refused, "refused"),
            (waiting, "waiting for the log" if service.is_running else "without an answer"),
        ),
        reasons=[(count, reason) for reason, count in sorted(outcomes.items(), key=lambda item: (-item[1], item[0]))],
        unaccounted=received - accepted - refused - waiting,
        replicas=len(own),
        counting_ms=_counting_ms(own),
    )


def _sender(service: _Service) -> Step:
    own = service.statuses
    events = sum(status.events for status in own)
    return Step(
        name="Sent besides",
        service=service.name,
        events=events,
        parts=_parts((events, "written to the raw topic")),
        replicas=len(own),
        counting_ms=_counting_ms(own),
    )


def _enrich(service: _Service) -> Step:
    own = service.statuses
    read = sum(status.events for status in own)
    refused = sum(_summed(status.dead_letters for status in own).values())
    return Step(
        name="Read by enrich",
        service=service.name,
        events=read,
        parts=_parts((read - refused, "enriched"), (refused, _dead_letters(refused))),
        unread=_unread(service),
        replicas=len(own),
        counting_ms=_counting_ms(own),
    )


def _aggregate(meta: Meta | None) -> Step | None:
    if meta is None:
        return None
    outcomes = (
        (meta.counted, "counted"),
        (meta.late, "late"),
        (meta.duplicates, "sent twice"),
        (meta.dead_letters, _dead_letters(meta.dead_letters)),
        (meta.other_site, "of other sites"),
    )
    return Step(
        name="Read by aggregate",
        service="aggregate",
        events=meta.read,
        parts=_parts(*outcomes),
        unread=meta.lag,
        unaccounted=meta.unaccounted,
        as_of_ms=meta.as_of_ms,
    )


def _history(service: _Service) -> Step:
    own = service.statuses
    stored = _summed(status.stored for status in own)
    lost = stored.pop(LOST, 0)
    return Step(
        name="Read by history",
        service=service.name,
        events=stored.total(),
        parts=_parts(*((stored[outcome], word) for outcome, word in _OF_HISTORY.items())),
        unread=_unread(service),
        lost=lost,
        replicas=len(own),
        counting_ms=_counting_ms(own),
    )


def _unread(service: _Service) -> int | None:
    lags = [status.lag_sum for status in service.statuses]
    is_known = service.is_running and all(status.lag for status in service.statuses) and None not in lags
    return sum(lag or 0 for lag in lags) if is_known else None


def _summed(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for own in counts:
        total.update(own)
    return total


def _dead_letters(events: int) -> str:
    return "dead letter" if events == 1 else "dead letters"


def _parts(*parts: tuple[int, str]) -> list[tuple[int, str]]:
    return [(events, word) for events, word in parts if events]


def _counting_ms(own: Sequence[ReplicaStatus]) -> int:
    return max(status.reported_at_ms - status.started_at_ms for status in own)
