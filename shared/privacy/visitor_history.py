"""What PostgreSQL keeps of visitors, as `clickpulse forget` and `export` see it. The history service implements it."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class HistoryUnavailable(Exception):  # noqa: N818 - a condition of the server, as LogUnavailable
    """PostgreSQL cannot be reached, or rejected the call for a passing reason. It took effect as a whole or not."""


class VisitorErasure(NamedTuple):
    """A visitor to erase: the ids that its events may have, up to when, and the tokens of ids that may still arrive."""

    user_ids: Collection[str]
    until_ms: int
    tokens: Collection[str]


class VisitorHistory(Protocol):
    """All methods raise HistoryUnavailable."""

    @property
    def address(self) -> str:
        """The server and database without secrets, for messages."""
        ...

    def newest_ms(self, user_ids: Collection[str]) -> int | None:
        """The time of the newest event under these ids, epoch ms."""
        ...

    def events(self, user_ids: Collection[str]) -> Sequence[dict[str, Any]]:
        """The events under these ids, oldest first, without empty fields."""
        ...

    def count(self, user_ids: Collection[str], until_ms: int) -> int:
        """How many events `erase` would delete."""
        ...

    def erase(self, erasure: VisitorErasure) -> int:
        """Delete the events up to the erasure, and store no such event again. Returns how many were deleted."""
        ...


OpenHistory = Callable[[str | None, Path], AbstractContextManager[VisitorHistory | None]]
"""Takes HISTORY_URL and HISTORY_DIR. Yields None where neither names a database. Raises ConfigurationError."""
