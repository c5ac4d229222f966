"""The operations page's door to Redis: the reports of a second for all viewers of the process, failures as values."""

import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread
from typing import Final

import redis

from services.dashboard.sources.single_flight import Malformed, SharedAnswer, Unreachable
from services.dashboard.sources.watch import Watch, Watched
from shared.status import keys as status_keys
from shared.status.keys import MalformedStatus
from shared.status.replica_status import Transition

_WATCH_SECONDS: Final = 2.5
"""Between two looks while nobody looks: two to each slot of a curve."""


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """Redis answered with what the replicas told, as of `at_ms`; nothing, when none ever reported."""

    replicas: list[Watched]
    unreadable: Mapping[str, str]  # key and field → why
    transitions: list[Transition]  # newest first
    at_ms: int


# Compared by identity: pages drawn from one observation are drawn once for all viewers.
StatusObservation = Reported | Unreachable[Reported] | Malformed[Reported]


class StatusReader:
    """Safe to use from any thread. `now_ms` tells the time of day, `elapsed_seconds` never goes back."""

    def __init__(
        self, client: redis.Redis, prefix: str, *, now_ms: Callable[[], int], elapsed_seconds: Callable[[], float]
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._now_ms = now_ms
        self._watch = Watch()
        self._shared = SharedAnswer[StatusObservation](self._ask, elapsed_seconds)

    def observe(self) -> StatusObservation:
        """What the replicas report, at most a second old. Blocks for one round trip at most."""
        return self._shared.get()

    def keep_watching(self) -> None:
        """Look now and then while nobody does, so that whoever comes sees the last minutes. Ends with this reader."""
        Thread(target=_keep_watching, args=(weakref.ref(self),), name="status watch", daemon=True).start()

    def _ask(self, before: StatusObservation | None) -> StatusObservation:
        now_ms = self._now_ms()
        try:
            reports = status_keys.read(self._client, self._prefix)
        except MalformedStatus as error:
            self._watch.interrupted()
            since_ms = before.since_ms if isinstance(before, Malformed) else now_ms
            return Malformed(since_ms, str(error), _last(before))
        except (redis.RedisError, OSError) as error:
            self._watch.interrupted()
            since_ms = before.since_ms if isinstance(before, Unreachable) else now_ms
            return Unreachable(since_ms, str(error), _last(before))
        return Reported(self._watch.look(reports.replicas, now_ms), reports.unreadable, reports.transitions, now_ms)


def _last(before: StatusObservation | None) -> Reported | None:
    return before if before is None or isinstance(before, Reported) else before.last


def _keep_watching(reference: "weakref.ref[StatusReader]") -> None:
    # Streamlit tells no one that it drops a resource or stops, so the thread holds nothing that would outlive it.
    while (reader := reference()) is not None:
        reader.observe()
        del reader
        time.sleep(_WATCH_SECONDS)
