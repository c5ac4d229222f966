"""Sends refused records to the dead letter topic."""

from typing import Final

from services.aggregate.settings import SERVICE
from shared.events.dead_letters import NewDeadLetter, dead_letter
from shared.events.refusals import Origin, Refusal
from shared.runtime.dependency import Dependency
from shared.runtime.logs import get_logger
from shared.status.gauges import Gauges
from shared.streams.event_log import LogUnavailable, NewRecord, Producer, Record, Refused
from shared.streams.refused import send_dead_letter

logger = get_logger(__name__)

_RETRY_SECONDS: Final = 3
"""Between two attempts: each takes seconds while the log is unavailable, and blocks publishing meanwhile."""


class DeadLetters:
    """The dead letters of one topic. Used by one thread."""

    def __init__(self, topic: str, producer: Producer | None, log: Dependency, gauges: Gauges) -> None:
        """`topic` is the topic that the records were read from. `log` receives failed attempts.

        Without a producer they are only counted: another group keeps them.
        """
        self._topic = topic
        self._producer = producer
        self._log = log
        self._gauges = gauges
        self._retry_at_s = 0

    def try_send(self, refused: list[tuple[Record, Refusal]], now_s: int) -> bool:
        """Send the records and empty the list. Returns False, and keeps the list, while the log is unavailable.

        Called before the offset moves past the records: a crash in between sends them twice, with the same origin.
        """
        if not refused:
            return True
        if now_s < self._retry_at_s:
            return False
        try:
            self._send([self._letter(record, refusal) for record, refusal in refused])
        except LogUnavailable as error:
            self._log.failed(error, "cannot send dead letters, reading is paused")
            self._retry_at_s = now_s + _RETRY_SECONDS
            return False
        record, refusal = refused[0]
        logger.warning(
            "events refused",
            count=len(refused),
            first_reason=refusal.reason.value,
            partition=record.partition,
            offset=record.offset,
        )
        self._gauges.add_dead_letters([refusal.reason for _, refusal in refused])
        refused.clear()
        return True

    def _send(self, letters: list[NewRecord]) -> None:
        if self._producer is None:
            return
        try:
            self._producer.send(letters)
        except Refused as refused:  # the others are sent
            for letter in refused.records:
                send_dead_letter(self._producer.send, NewDeadLetter(*letter))

    def _letter(self, record: Record, refusal: Refusal) -> NewRecord:
        origin = Origin(SERVICE, self._topic, record.partition, record.offset, record.timestamp_ms)
        return NewRecord(*dead_letter(self._topic, record.key, record.value, refusal, origin))
