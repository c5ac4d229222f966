"""A producer that keeps what is sent, and fails on request."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec

from shared.streams.event_log import LogUnavailable, NewRecord


class MemoryProducer:
    """A `Producer` in memory. The next `outages` sends fail, each after half of its records."""

    def __init__(self, outages: int = 0, on_send: Callable[[int], None] = lambda _: None) -> None:
        self.records: list[NewRecord] = []
        self.outages = outages
        self.is_closed = False
        self._on_send = on_send

    @property
    def events(self) -> list[dict[str, Any]]:
        """The values of the records."""
        return [msgspec.json.decode(record.value) for record in self.records]

    def send(self, records: Sequence[NewRecord]) -> None:
        if self.outages > 0:
            self.outages -= 1
            self.records.extend(records[: len(records) // 2])
            raise LogUnavailable("connection refused")
        self.records.extend(records)
        self._on_send(len(self.records))

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
