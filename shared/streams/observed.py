"""A processor that updates a service's gauges: batches, their duration, and the lag of each partition."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

from shared.status.gauges import Gauges
from shared.streams.event_log import LogUnavailable, Processor, RecordBatch, ToAppend

_LAG_SECONDS: Final = 1.0


class ObservedProcessor:
    """Wraps a processor. Reads the clock twice per batch, and the lag once a second."""

    def __init__(self, processor: Processor, gauges: Gauges) -> None:
        self._processor = processor
        self._gauges = gauges
        self._records = 0  # of the pending batch
        self._began_at = time.monotonic()
        self._lag_at = float("-inf")

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:
        """As `Processor.poll`."""
        try:
            records = self._processor.poll(max_records, timeout_seconds)
        except LogUnavailable:
            self._gauges.lag = dict.fromkeys(self._gauges.lag)  # unknown, not what it was before
            raise
        self._began_at = time.monotonic()
        self._records = len(records)
        if self._began_at - self._lag_at >= _LAG_SECONDS:
            self._lag_at = self._began_at
            with suppress(LogUnavailable):
                self._gauges.lag = self._processor.lag()
        return records

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """As `Processor.send`."""
        self._processor.send(records, next_offsets)
        count, self._records = self._records, 0  # a batch that is sent in parts counts once
        self._gauges.add_batch(count, time.monotonic() - self._began_at)

    def lag(self) -> dict[int, int]:
        """As `Processor.lag`."""
        return self._processor.lag()

    def close(self) -> None:
        """As `Processor.close`."""
        self._processor.close()

    def __enter__(self) -> Self:
        self._processor.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
