"""What a source read from Redis or from history: an answer, or the reason for its absence. Pure.

Observations are compared by identity: each is drawn once for all viewers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.dashboard.sources.history.sales import SalesDay
from services.dashboard.sources.watch import Watched
from shared.rollups.contract import Snapshot
from shared.rollups.model import Meta
from shared.rollups.proof import Proof
from shared.status.replica_status import Transition

Seen = TypeVar("Seen", covariant=True)


@dataclass(frozen=True, eq=False)  # no slots: typing records the type argument on the instance
class Unreachable(Generic[Seen]):
    """Redis or history does not answer, or refuses to, as for a missing right. `last` is its previous answer."""

    since_ms: int
    reason: str
    last: Seen | None
    is_refused: bool = False


@dataclass(frozen=True, eq=False)
class Malformed(Generic[Seen]):
    """A key violates the contract. `last` is the previous valid answer."""

    since_ms: int
    reason: str
    last: Seen | None


@dataclass(frozen=True, slots=True)
class FailingPart:
    """A part of a service that fails since `since_ms`; without a part, no replica of the service runs."""

    service: str
    part: str | None
    since_ms: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """Redis answered with a snapshot."""

    snapshot: Snapshot
    partitions_before: int = 0  # in the latest snapshot that had them all; 0: none since this process started
    late_lately: int = 0  # events of the last minute that were late, as far as this process looked
    failing: tuple[FailingPart, ...] = ()  # of the services that the numbers need


@dataclass(frozen=True, slots=True, eq=False)
class Empty:
    """Redis answered, and nothing has been published under this prefix."""


Observation = Live | Empty | Unreachable[Snapshot] | Malformed[Snapshot]


def snapshot_of(observation: Observation) -> Snapshot | None:
    """The numbers that are shown, which may be from before an outage."""
    match observation:
        case Empty():
            return None
        case Unreachable(last=snapshot) | Malformed(last=snapshot) | Live(snapshot=snapshot):
            return snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """Redis answered with the replicas' reports as of `at_ms`; all empty when none has reported.

    `meta` is that of the rollup; None before the first, and while it cannot be read. `proof` is the last one, likewise.
    """

    replicas: list[Watched]
    unreadable: Mapping[str, str]  # key and field → why
    transitions: list[Transition]  # newest first
    at_ms: int
    meta: Meta | None = None
    proof: Proof | None = None


StatusObservation = Reported | Unreachable[Reported]


@dataclass(frozen=True, slots=True, eq=False)
class Sold:
    """History answered with the sales of a day."""

    day: SalesDay


SoldObservation = Sold | Unreachable[SalesDay]
