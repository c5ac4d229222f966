"""A batch of records that the client cannot unpack, such as one that grows beyond the client's limit of 100 MB.

The broker stores it, because it is small enough as it is. The client would read it again forever.
"""

import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaException, TopicPartition
from quixstreams.kafka import Consumer

from shared.runtime.logs import get_logger
from shared.streams.event_log import Record
from shared.streams.kafka.errors import UNREADABLE

logger = get_logger(__name__)

_ANSWER_SECONDS: Final = 2.0
_SLICE_SECONDS: Final = 0.1


def stand_in(topic: str, partition: int, begin: int, end: int, reason: str) -> Record:
    """The record to deliver for an unreadable batch: readers refuse it, so that it becomes a dead letter.

    Its value says what it stands for, because the bytes cannot be read. Its offset is the batch's last.
    """
    text = f"unreadable: offsets {begin} to {end - 1} of {topic} partition {partition}: {reason}"
    logger.error("unreadable records skipped", topic=topic, partition=partition, begin=begin, end=end, error=reason)
    return Record(partition, end - 1, time.time_ns() // 1_000_000, None, text.encode())


def end_of_unreadable(observer: Consumer, topic: str, partition: int, begin: int) -> int:
    """The offset after an unreadable batch, which begins at or before `begin`; `begin` if it can be read after all.

    The client reports the same error for an answer that was damaged on its way, and then no record may be skipped.
    `observer` reads nothing else. A broker that answers late makes the result too small, never too large, and then the
    rest of the batch is found again. Kafka's exceptions pass through.
    """
    if _delivers(observer, topic, partition, begin):
        return begin
    place = TopicPartition(topic, partition)
    _, log_end = observer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
    return first_true(
        begin + 1, max(log_end, begin + 1), lambda offset: _is_readable(observer, topic, partition, offset, begin)
    )


def first_true(least: int, most: int, is_true: Callable[[int], bool]) -> int:
    """The first number from `least` for which `is_true`; `most` counts as one. Asks near `least` first. Pure."""
    step, low = 1, least
    while low < most and not is_true(low):
        least, low, step = low + 1, min(low + step, most), 2 * step
    high = min(low, most)
    while least < high:
        middle = (least + high) // 2
        if is_true(middle):
            high = middle
        else:
            least = middle + 1
    return high


def _delivers(observer: Consumer, topic: str, partition: int, offset: int) -> bool:
    """Whether the record at this offset, or the next one that is left, arrives."""
    observer.assign([TopicPartition(topic, partition, offset)])
    deadline = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < deadline:
        for message in observer.consume(1, timeout=_SLICE_SECONDS):
            error = message.error()
            if error is None or error.code() in UNREADABLE:
                return error is None
            raise KafkaException(error)
    return False


def _is_readable(observer: Consumer, topic: str, partition: int, offset: int, begin: int) -> bool:
    observer.assign([TopicPartition(topic, partition, offset)])
    deadline = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < deadline:
        for message in observer.consume(1, timeout=_SLICE_SECONDS):
            error = message.error()
            if error is None:
                return True
            if error.code() in UNREADABLE:
                return (message.offset() or 0) > begin  # else it is still the same batch
            raise KafkaException(error)
    return True  # nothing comes: the end of the topic, or a marker
