"""Kafka's errors: which are fatal, which mean that the broker is unreachable, and what they mean to callers."""

import time
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from shared.streams.event_log import Fenced, LogUnavailable

FATAL: Final = (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)  # noqa: SLF001 - its public name
AWAY: Final = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN)  # noqa: SLF001 - same
"""The broker did not receive the request, or did not answer it."""

REFUSED: Final = (
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_MSG,  # from brokers before 2.4, for INVALID_RECORD
    KafkaError.INVALID_RECORD,  # such as one without a key in a compacted topic
)
"""The broker or the client never takes the record, or another one of its batch."""

UNREADABLE: Final = (KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG)  # noqa: SLF001 - same
"""The client cannot unpack what the broker stored, and reads it again forever."""


class UnstableOffsets(KafkaException):  # type: ignore[misc]  # confluent_kafka has no types
    """The broker withholds committed offsets because a transaction that commits some has not ended."""


OUTAGE: Final = (*AWAY, KafkaError._RESOLVE, KafkaError._AUTHENTICATION, KafkaError._SSL)  # noqa: SLF001 - same
"""A client reports it of a connection that it makes again by itself."""

_RECENT_SECONDS: Final = 60.0


class LastCause:
    """Why the clients of this process lost their connection last, which their calls do not say: they time out."""

    def __init__(self) -> None:
        self._reported = ("", float("-inf"))  # swapped whole, because several threads report

    def note(self, error: KafkaError, now: float) -> None:
        """A client reported an error, at an instant of a monotonic clock."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name; it names no cause
            self._reported = (str(error.str()).partition(" (after ")[0], now)

    def recent(self, now: float) -> str:
        """The cause of an outage now; empty when none was reported lately."""
        cause, at = self._reported
        return cause if now - at <= _RECENT_SECONDS else ""


LAST_CAUSE: Final = LastCause()


class SessionOver(KafkaException):  # type: ignore[misc]  # same
    """The group received no heartbeat for a session and dropped this member. The next poll joins again."""

    def __init__(self) -> None:
        super().__init__(KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "the group's session expired, joining again"))


def translated(error: KafkaException, address: str) -> LogUnavailable | Fenced:
    """What an error of Kafka means to the caller."""
    reason: KafkaError = error.args[0]
    message = f"Kafka at {address}: {reason.str()} ({reason.name()})"
    if reason.code() == KafkaError.FENCED_INSTANCE_ID:
        return Fenced(f"another process joined the group with the same KAFKA_INSTANCE_ID; give each its own. {message}")
    if isinstance(error, UnstableOffsets):
        return LogUnavailable(
            f"{message}; a transaction withholds the group's offsets. If this lasts a minute, find it and abort it: "
            f"kafka-transactions.sh --bootstrap-server {address} find-hanging --max-transaction-timeout 1"
            " --topic __consumer_offsets"
        )
    cause = LAST_CAUSE.recent(time.monotonic()) if reason.code() in AWAY else ""
    return LogUnavailable(f"{message}; {cause}" if cause and cause not in message else message)
