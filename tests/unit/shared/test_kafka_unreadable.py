"""The end of a batch that the client cannot unpack, and that no record is skipped for an error that was none."""

from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, TopicPartition

from shared.streams.kafka.unreadable import end_of_unreadable


class Arrived(NamedTuple):
    place: int
    code: int | None

    def offset(self) -> int:
        return self.place

    def error(self) -> KafkaError | None:
        return None if self.code is None else KafkaError(self.code)


class Observer:
    """A partition of ten records, of which one batch cannot be unpacked."""

    def __init__(self, bad: range) -> None:
        self._bad = bad
        self._next = 0

    def get_watermark_offsets(self, _: TopicPartition, timeout: float) -> tuple[int, int]:  # noqa: ARG002
        return 0, 10

    def assign(self, places: list[TopicPartition]) -> None:
        self._next = places[0].offset

    def consume(self, _: int, timeout: float) -> list[Arrived]:  # noqa: ARG002
        return [Arrived(self._next, KafkaError._BAD_MSG if self._next in self._bad else None)]  # noqa: SLF001


@pytest.mark.parametrize(
    ("bad", "end"),
    [
        (range(3, 6), 6),
        (range(3, 4), 4),
        (range(0), 3),  # the error was about an answer that was damaged on its way
    ],
)
def test_only_what_cannot_be_read_is_skipped(bad: range, end: int) -> None:
    class OneBatch(Observer):
        def consume(self, most: int, timeout: float) -> list[Arrived]:
            (found,) = super().consume(most, timeout)
            return [found if found.code is None else found._replace(place=bad.start)]

    observer: Any = OneBatch(bad)
    assert end_of_unreadable(observer, "clicks", 0, 3) == end
