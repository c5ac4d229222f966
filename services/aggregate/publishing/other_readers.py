"""Whether another replica of this service reads the log, by what the replicas report of themselves in Redis."""

import time
from collections.abc import Callable

import redis

from shared.status.keys import REPORT_SECONDS, replicas_of
from shared.status.replica_status import STARTING, ReplicaStatus

_CURRENT_MS = round(3 * REPORT_SECONDS * 1000)
_LOG = "log"  # the part of the health


class OtherReaders:
    """Call it while this replica cannot read the log itself. Not thread-safe."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        service: str,
        replica: str,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`replica` is the name of this one. `client` has a short timeout, because the caller waits."""
        self._client = client
        self._prefix = prefix
        self._service = service
        self._replica = replica
        self._now_ms = now_ms

    def __call__(self) -> bool:
        """False while Redis does not answer: nobody else publishes then."""
        try:
            statuses = replicas_of(self._client, self._service, self._prefix)
        except redis.RedisError:
            return False
        now_ms = self._now_ms()
        return any(_reads(status, now_ms) for status in statuses if status.replica != self._replica)


def _reads(status: ReplicaStatus, now_ms: int) -> bool:
    is_current = status.state == "running" and abs(now_ms - status.reported_at_ms) <= _CURRENT_MS
    return is_current and not any(
        trouble.fails for part, trouble in status.troubles.items() if part in {_LOG, STARTING}
    )
