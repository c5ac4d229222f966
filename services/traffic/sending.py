"""Sends events to the log in batches; waits and retries while the log is unreachable."""

import time
from collections.abc import Callable
from threading import Event
from typing import Final

from services.traffic.clock import now_ms
from shared.events.dead_letters import dead_letter
from shared.events.refusals import Origin, Reason, Refusal
from shared.runtime.dependency import Dependency
from shared.runtime.logs import get_logger
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import LogUnavailable, NewRecord, Producer, Refused
from shared.streams.parts import SEND_BYTES
from shared.streams.refused import send_dead_letter

logger = get_logger(__name__)

SERVICE: Final = "traffic"
BATCH_RECORDS: Final = 1000


class Outbox:
    """Collects events and sends them in order, BATCH_RECORDS or SEND_BYTES at a time or at `flush`. Not thread-safe.

    An interrupted batch is resent from its start: records may be in the log twice, but never missing. Each call raises
    `Stopped` when `stop` is set while the log is unreachable; `unsent` then counts the remaining events.
    """

    def __init__(
        self,
        open_producer: Callable[[], Producer],
        topic: str,
        log: str,
        stop: Event,
        health: Health,
        gauges: Gauges | None = None,
    ) -> None:
        """`log` names the log in messages; `open_producer` also creates the topics."""
        self._open_producer = open_producer
        self._topic = topic
        self._log = Dependency(log, health, "log")
        self._stop = stop
        self._gauges = gauges or Gauges()
        self._producer: Producer | None = None
        self._batch: list[NewRecord] = []
        self._bytes = 0  # of its values
        self.sent = 0

    @property
    def unsent(self) -> int:
        """Events collected but not sent yet."""
        return len(self._batch)

    @property
    def taken(self) -> int:
        """All events put in, sent or not."""
        return self.sent + len(self._batch)

    def connect(self) -> None:
        """Wait for the log."""
        self._try(self._connected)

    def put(self, user_id: str, value: bytes) -> None:
        """Add one event, keyed by its visitor."""
        self._batch.append(NewRecord(self._topic, user_id.encode("utf-8", "surrogatepass"), value))
        self._bytes += len(value)
        if len(self._batch) >= BATCH_RECORDS or self._bytes >= SEND_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send the collected events."""
        if not self._batch:
            return
        began_at = time.monotonic()
        self._try(self._send)
        self._gauges.add_batch(len(self._batch), time.monotonic() - began_at)
        self.sent += len(self._batch)
        self._batch, self._bytes = [], 0

    def close(self) -> None:
        """Close the producer. Unsent events stay unsent."""
        if self._producer is not None:
            self._producer.close()

    def _send(self) -> None:
        producer = self._connected()
        try:
            producer.send(self._batch)
        except Refused as refused:  # the others are sent
            logger.warning("the log refuses events", events=len(refused.records), error=str(refused))
            refusal = Refusal(Reason.REFUSED_BY_LOG, str(refused))
            origin = Origin(SERVICE, self._topic, -1, -1, now_ms())
            for record in refused.records:
                send_dead_letter(producer.send, dead_letter(self._topic, record.key, record.value, refusal, origin))

    def _connected(self) -> Producer:
        if self._producer is None:
            self._producer = self._open_producer()
        return self._producer

    def _try(self, call: Callable[[], object]) -> None:
        self._log.wait_for(call, LogUnavailable, self._stop)
