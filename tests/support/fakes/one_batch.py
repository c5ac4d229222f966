"""A consumer whose log has a single batch."""

from collections.abc import Callable, Sequence
from threading import Event
from typing import Self

from shared.streams.event_log import Record


class OneBatch:
    """As `Consumer`, without `close`. The first poll returns the records, later ones nothing.

    Each poll first calls `on_poll` with its number, from 1: the test moves its clock there, or stops the service.
    """

    def __init__(self, records: Sequence[Record], on_poll: Callable[[int], object]) -> None:
        self._records = list(records)
        self._on_poll = on_poll
        self._polls = 0

    @classmethod
    def then_stop(cls, records: Sequence[Record], stop: Event) -> Self:
        """Stops the service once it has the records."""
        return cls(records, lambda _: stop.set())

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:  # noqa: ARG002 - part of the interface
        self._polls += 1
        self._on_poll(self._polls)
        records, self._records = self._records, []
        return records

    def commit(self, next_offsets: object) -> None:
        pass

    def lag(self) -> dict[int, int]:
        return {0: 0}
