"""The reporter: a thread that writes this process's status to Redis each second. It never blocks the service."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final, Self

import redis

from shared.events.timestamps import iso_second
from shared.runtime.logs import get_logger
from shared.runtime.once import Once
from shared.runtime.redis_client import connect
from shared.runtime.settings import RedisSettings
from shared.runtime.tracebacks import error_text
from shared.status.complaints import kept_complaints
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.keys import REPORT_SECONDS, remove_departed, replicas_of, write
from shared.status.replica_status import ReplicaStatus, State, Transition, transitions
from shared.status.sampler import Sampler, replica_name

logger = get_logger(__name__)

_REDIS_SECONDS: Final = 1.0
"""Timeout of a report."""
_PARTING_SECONDS: Final = 2.5
"""How long the process waits for the last report when it ends."""
_TIDY_REPORTS: Final = 60
_SILENT_MS: Final = 2_000
"""A process of our name that reported since runs beside us."""
_MOST_PENDING: Final = 50


class Reporter:
    """Reports while its `with` block runs, and once more at its end.

    While Redis is unavailable it keeps the latest _MOST_PENDING transitions. Missed reports are not sent later.
    """

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        sample: Callable[[State], ReplicaStatus],
        interval_seconds: float = REPORT_SECONDS,
        degraded: Health | None = None,
    ) -> None:
        """`degraded` is degraded while Redis does not take a report."""
        self._degraded = degraded
        self.final_state: State = "stopped"
        """The state in the last report; `failed` when the block raises."""
        self._client = client
        self._prefix = prefix
        self._sample = sample
        self._interval_seconds = interval_seconds
        self._before: ReplicaStatus | None = None
        self._has_looked_back = False
        self._pending: deque[Transition] = deque(maxlen=_MOST_PENDING)
        self._reports = 0
        self._failure = Once()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="status", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        if error_type is not None:
            self.final_state = "failed"
        self._stop.set()
        self._thread.join(_PARTING_SECONDS)

    def _run(self) -> None:
        self.report("running")
        while not self._stop.wait(self._interval_seconds):
            self.report("running")
        self.report(self.final_state)

    def report(self, state: State) -> None:
        """Write one report. If that fails, the next one follows in a second."""
        status = self._sample(state)
        self._pending.extend(transitions(self._before, status))
        self._before = status
        try:
            self._look_back(status)
            write(self._client, status, list(self._pending), self._prefix)
            self._pending.clear()
            self._reports += 1
            if self._reports % _TIDY_REPORTS == 1:
                remove_departed(self._client, status.service, status.reported_at_ms, self._prefix)
        except redis.RedisError as error:
            if self._failure.is_new():
                logger.debug("cannot report the status, retrying each second", error=error_text(error))
            if self._degraded is not None:
                self._degraded.degraded("redis", f"Redis is unavailable: {error_text(error)}; showing the last numbers")
        else:
            if self._degraded is not None:
                self._degraded.working("redis")
            self._failure.forget()

    def _look_back(self, status: ReplicaStatus) -> None:
        """Report that a process of the same name ended without saying so: its last report is about to be replaced."""
        if self._has_looked_back:
            return
        named = replicas_of(self._client, status.service, self._prefix)
        self._has_looked_back = True
        for former in named:
            silent_ms = status.reported_at_ms - former.reported_at_ms
            if former.replica != status.replica or former.state != "running" or silent_ms < _SILENT_MS:
                continue
            last = iso_second(former.reported_at_ms)
            message = f"restarted after a crash: the process before it reported last at {last}"
            self._pending.appendleft(
                Transition(
                    at_ms=status.reported_at_ms,
                    service=status.service,
                    replica=status.replica,
                    level="warning",
                    message=message,
                )
            )
            logger.warning("restarted after a crash", last_report=last)


@contextmanager
def reporting(
    service: str,
    settings: RedisSettings,
    health: Health,
    gauges: Gauges,
    instance_id: str | None = None,
    *,
    degrades: bool = False,
) -> Iterator[Reporter]:
    """Report this process's status while the block runs. Configure the logs first.

    `degrades`: a Redis that takes no report degrades the service, which does not watch Redis itself.
    """
    with kept_complaints() as complaints, connect(settings.redis_url, timeout_seconds=_REDIS_SECONDS) as client:
        sampler = Sampler(service, replica_name(instance_id), health, gauges, complaints)
        with Reporter(client, settings.redis_prefix, sampler.sample, degraded=health if degrades else None) as reporter:
            yield reporter
