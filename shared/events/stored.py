"""What PostgreSQL holds of events, as `clickpulse prove` sees it. The history service implements it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, Protocol


class StoredEvent(NamedTuple):
    """An event as history stores it: texts as they were sent, and the names that history gives them."""

    timestamp_ms: int
    visitor: int  # the number of the visitor
    site: str
    event_type: str
    country: str
    device: str
    browser: str
    operating_system: str
    source: str | None
    channel: str | None
    product: str | None
    category: str | None
    title: str | None
    campaign: str | None
    page: str | None
    currency: str | None
    order_id: str | None
    value: Decimal | None


class StoredOffset(NamedTuple):
    """How far a partition is stored, and when the newest of its records arrived; None: nothing was read of it."""

    next_offset: int
    read_to_ms: int | None


class StoredFacts(NamedTuple):
    """What may set the events apart from those that aggregate counts. Times are epoch ms."""

    kept_from_ms: int  # events of before are gone
    differs_to_ms: int  # up to which event time aggregate may count an event otherwise, as far as history noticed
    others_to_ms: int  # when the newest record of another topic arrived
    has_repeats: bool  # whether a visitor's events of two days (UTC) have one id
    has_repeated_orders: bool  # whether a visitor's sales have one `orderId`


class StoredSnapshot(Protocol):
    """All of one instant. Its methods raise HistoryUnavailable."""

    @property
    def offsets(self) -> Mapping[int, StoredOffset]:
        """By partition of the topic."""
        ...

    def facts(self, since_ms: int, repeated_since_ms: int) -> StoredFacts:
        """The facts of events since an instant, and of what these repeat since an earlier one."""
        ...

    def events(self, since_ms: int, until_ms: int) -> Iterator[StoredEvent]:
        """The events from an instant to before another, in any order."""
        ...


class StoredHistory(Protocol):
    """The tables of history, which are only read."""

    @property
    def address(self) -> str:
        """The server and database without secrets, for messages."""
        ...

    def snapshot(self, topic: str) -> AbstractContextManager[StoredSnapshot]:
        """What is stored now, for as long as the block runs. Raises HistoryUnavailable."""
        ...


OpenStored = Callable[[str | None, Path], AbstractContextManager[StoredHistory | None]]
"""Takes HISTORY_URL and HISTORY_DIR. Yields None where neither names a database. Raises ConfigurationError."""
