"""Counts what becomes of each event: `received = waiting + accepted + refused`, at every instant. One thread."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from services.collect.request import Rejected
from shared.events.collected import ACCEPTED, Collected, Refused
from shared.events.refusals import Reason
from shared.status.gauges import Gauges


class Tally:
    """The counts since the process started, shown as `Gauges.collected`, which readers get as a whole."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._received = 0
        self._waiting = 0
        self._outcomes: dict[str, int] = {}  # replaced, never changed: others read it

    def request(self) -> "Receipt":
        """The receipt of a request, whose block ends once each of its events has an outcome."""
        return Receipt(self)

    def receive(self, events: int) -> None:
        """Count events that arrived."""
        self._received += events
        self._waiting += events
        self._gauges.collected = Collected(self._received, self._waiting, self._outcomes)

    def note_signal(self, signal: str, events: int) -> None:
        """Count events that arrived with a privacy signal, whatever becomes of them."""
        counts = self._gauges.privacy_signals
        self._gauges.privacy_signals = {**counts, signal: counts.get(signal, 0) + events}

    def settle(self, accepted: int, refused: Mapping[str, int]) -> None:
        """Count what became of events that arrived."""
        outcomes = self._outcomes.copy()
        if accepted:
            outcomes[ACCEPTED] = outcomes.get(ACCEPTED, 0) + accepted
            self._gauges.events += accepted
            self._waiting -= accepted
        for reason, events in refused.items():
            name = str(reason)  # not a member of an enumeration
            outcomes[name] = outcomes.get(name, 0) + events
            self._waiting -= events
        self._outcomes = outcomes
        self._gauges.collected = Collected(self._received, self._waiting, outcomes)

    def keep(self, reasons: Iterable[Reason]) -> None:
        """Count dead letters that the log has acknowledged."""
        self._gauges.add_dead_letters(list(reasons))


_NONE: dict[str, int] = {}


class Receipt:
    """Counts the events of one request. However its block ends, each has exactly one outcome then."""

    __slots__ = ("_accepted", "_events", "_refused", "_tally")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._events = 0
        self._accepted = 0
        self._refused = _NONE

    def arrived(self, events: int) -> None:
        """The request is read and has so many events. One that cannot be read counts as one."""
        self._events = events
        self._tally.receive(events)

    def accept(self, events: int) -> None:
        """The log has acknowledged them."""
        self._accepted += events

    def refuse(self, reason: str, events: int = 1) -> None:
        """They are refused; `reason` is one of `shared.events.collected.OUTCOMES`."""
        self._refused = {**self._refused, reason: self._refused.get(reason, 0) + events}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.end(error)

    def end(self, error: BaseException | None = None) -> None:
        """Give the rest of the events an outcome; `error` is what kept the request from giving it."""
        if error is not None and not self._events:
            self.arrived(1)
        rest = self._events - self._accepted - (sum(self._refused.values()) if self._refused else 0)
        if rest:
            self.refuse(error.reason if isinstance(error, Rejected) else Refused.FAILED, rest)
        self._tally.settle(self._accepted, self._refused)
