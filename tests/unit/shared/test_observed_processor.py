"""A processor that updates the gauges: sent batches count, batches to read again do not."""

from collections.abc import Mapping, Sequence
from typing import Self

import pytest

from shared.status.gauges import Gauges
from shared.streams.event_log import LogUnavailable, Processor, Record, RecordBatch, ToAppend
from shared.streams.observed import ObservedProcessor


class _Batches(Processor):
    """Three records per poll. Sends fail while `is_away`."""

    is_away = False
    is_closed = False
    lag_asked = 0

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:  # noqa: ARG002 - given by the interface
        return RecordBatch([Record(0, offset, 0, None, b"{}") for offset in range(3)])

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:  # noqa: ARG002
        if self.is_away:
            raise LogUnavailable("away")

    def lag(self) -> dict[int, int]:
        self.lag_asked += 1
        if self.is_away:
            raise LogUnavailable("away")
        return {0: 7, 1: 0}

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_a_batch_counts_once_it_is_sent() -> None:
    gauges, inner = Gauges(), _Batches()
    with ObservedProcessor(inner, gauges) as processor:
        assert len(processor.poll(10, 0.1)) == 3
        assert (gauges.events, gauges.batch_ms) == (0, None)
        processor.send([], {0: 3})
        assert gauges.events == 3
        assert gauges.batch_ms is not None
        assert 0 <= gauges.batch_ms < 1000
        processor.poll(10, 0.1)
        processor.send([], {0: 3})
        assert gauges.events == 6
    assert inner.is_closed


def test_a_batch_that_is_read_again_counts_once() -> None:
    gauges, inner = Gauges(), _Batches()
    processor = ObservedProcessor(inner, gauges)
    processor.poll(10, 0.1)
    inner.is_away = True
    with pytest.raises(LogUnavailable):
        processor.send([], {0: 3})
    assert gauges.events == 0
    inner.is_away = False
    processor.poll(10, 0.1)
    processor.send([], {0: 3})
    assert gauges.events == 3


def test_the_lag_is_read_once_a_second_and_kept_through_an_outage() -> None:
    gauges, inner = Gauges(), _Batches()
    processor = ObservedProcessor(inner, gauges)
    for _ in range(100):
        processor.poll(10, 0.1)
    assert gauges.lag == {0: 7, 1: 0}
    assert inner.lag_asked == 1
    away = ObservedProcessor(inner, gauges)
    inner.is_away = True
    assert len(away.poll(10, 0.1)) == 3
    assert gauges.lag == {0: 7, 1: 0}
