"""One partition: its windows, the store that they survive in, and where reading of it goes on."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import msgspec

from services.aggregate.engine.duplicates import REMEMBERED_SECONDS
from services.aggregate.engine.intake import Intake, Reception
from services.aggregate.engine.popularity import HOUR_SECONDS
from services.aggregate.engine.windows import OWNERS, Windows, oldest_second
from services.aggregate.rollups.partition_rollup import PartitionRollup, roll_up
from services.aggregate.rollups.segments import PartitionMinutes
from services.aggregate.state.codec import (
    SCHEMA_VERSION,
    Checkpoint,
    decode_block,
    decode_checkpoint,
    encode_block,
    encode_checkpoint,
)
from services.aggregate.state.store import SavedState, StateUnusable, Store, set_aside
from shared.events.refusals import Refusal
from shared.events.timestamps import FUTURE_TOLERANCE_MS, iso_second
from shared.runtime.logs import get_logger
from shared.streams.event_log import Assignment, FromOffset, FromTime, Position, Record

logger = get_logger(__name__)

CHECKPOINT_SECONDS: Final = 60
CHECKPOINT_EVENTS: Final = 2_000_000  # folded again in about two seconds


class PartitionStore(Protocol):
    """What a partition needs of the database that it survives in. See `services.aggregate.state.store.Store`."""

    def begin(self, loaded_from_ms: int, topic_id: str = "") -> None: ...
    def read(self) -> SavedState | None: ...
    def append(self, block: bytes, next_offset: int) -> None: ...
    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None: ...
    def close(self) -> None: ...


class Partition:
    """The state of one partition while it is assigned. Used by one thread."""

    def __init__(
        self, number: int, store: PartitionStore, saved: SavedState, windows: Windows, *, has_gap: bool = False
    ) -> None:
        """See `resume`. `has_gap`: records between those in `saved` and the next to be read are gone from the log."""
        self.number = number
        self.next_offset = saved.next_offset
        self.loaded_from_ms = saved.loaded_from_ms
        self.loaded_until_ms = windows.now_s * 1000 if saved.next_offset is not None else saved.loaded_from_ms
        self._topic_id = saved.topic_id
        self._has_gap = has_gap
        self._first_after_gap_ms: int | None = None
        if has_gap:  # until the next record tells when it was appended
            self.loaded_from_ms = windows.now_s * 1000
        self._windows = windows
        self._store = store
        self._reception = Reception(windows)
        self._intake: Intake | None = None  # sorted out and not folded yet
        self._owed: Checkpoint | None = None  # encoded, and refused by the store
        self._folded_since_checkpoint = 0
        self._checkpoint_s = windows.now_s

    @property
    def position(self) -> Position:
        """Where reading goes on."""
        if self.next_offset is not None:
            return FromOffset(self.next_offset)
        return FromTime(self.loaded_from_ms - REMEMBERED_SECONDS * 1000)  # to know the duplicates among the rest

    @property
    def unfolded(self) -> int:
        """Records that were received and are not folded yet."""
        return len(self._reception)

    def receive(self, records: Sequence[Record]) -> None:
        """Take records in, which follow those that were received before, for the next `fold`."""
        if self._has_gap and self._first_after_gap_ms is None and records:
            self._first_after_gap_ms = records[0].timestamp_ms
        self._reception.add(records)

    def sort_out(self) -> list[tuple[Record, Refusal]]:
        """Make a micro-batch of what was received. Returns the records that were refused.

        The caller empties the list once they are kept elsewhere, and only then calls `fold`, so that none is lost.
        """
        if self._intake is None and len(self._reception):
            self._intake = self._reception.sort_out()
        return self._intake.refused if self._intake is not None else []

    def fold(self) -> None:
        """Store and fold the micro-batch, if there is one. Raises StateUnwritable; may then be called again."""
        intake = self._intake
        if intake is None:
            return
        self._pay_checkpoint()
        if self._first_after_gap_ms is not None:
            # Before the batch: a crash between the two finds the gap again.
            self._store.begin(self._first_after_gap_ms, self._topic_id)
            self.loaded_from_ms, self._first_after_gap_ms = self._first_after_gap_ms, None
            self._has_gap = False
        block = encode_block(intake.batch, intake.conservation, self._windows.now_s)
        self._store.append(block, intake.next_offset)
        self._windows.fold(intake.batch, intake.conservation)
        self.next_offset = intake.next_offset
        self.loaded_until_ms = max(self.loaded_until_ms, intake.last_arrival_ms)
        self._folded_since_checkpoint += max(1, intake.conservation.read)
        self._intake, self._reception = None, Reception(self._windows)

    def advance(self, now_s: int) -> None:
        """Move the windows to end at `now_s`."""
        self._windows.advance(now_s)

    def is_checkpoint_due(self) -> bool:
        """Whether a restart would have to fold more than it should."""
        elapsed_s = self._windows.now_s - self._checkpoint_s
        return (
            self._owed is not None
            or self._folded_since_checkpoint >= CHECKPOINT_EVENTS
            or (self._folded_since_checkpoint > 0 and elapsed_s >= CHECKPOINT_SECONDS)
        )

    def checkpoint(self) -> None:
        """Compact the windows and store them whole, when nothing waits to be folded.

        Raises StateUnwritable; `fold` or the next call then writes it first.
        """
        assert not len(self._reception)
        self._pay_checkpoint()
        if self._folded_since_checkpoint:
            self._windows.compact()
            self._owed = encode_checkpoint(self._windows)
            self._windows.saved()
            self._reception = Reception(self._windows)  # names may have other codes now
            self._folded_since_checkpoint = 0
            self._pay_checkpoint()
        self._checkpoint_s = self._windows.now_s

    def _pay_checkpoint(self) -> None:
        """Write the checkpoint that the store refused: blocks to come have codes that only it explains."""
        if self._owed is not None:
            self._store.checkpoint(self._owed.parts, self._owed.oldest)
            self._owed = None

    def roll_up(self) -> PartitionRollup:
        """The figures as of the windows' end."""
        return roll_up(self._windows, self.number)

    def closed_minutes(self) -> PartitionMinutes:
        """The minutes that have ended, as their segments are to show them."""
        windows = self._windows
        minutes = {
            minute: (version, windows.recent.minute(minute)) for minute, version in windows.closed_minutes().items()
        }
        return PartitionMinutes(self.number, windows.names, minutes)

    def close(self) -> None:
        """Free the store. What is folded is stored already."""
        self._store.close()


def open_partition(directory: Path, assignment: Assignment, now_s: int, kept_seconds: int = HOUR_SECONDS) -> Partition:
    """Open the state of a partition, kept in `directory/<partition>`, with its windows ending at `now_s`.

    `kept_seconds` is how far back the rows of minutes are kept, at least the trailing hour.

    State that cannot be used, or that is of a topic made anew since, is moved aside; reading then starts by time, early
    enough for every window. Raises StateUnwritable.
    """
    path = directory / str(assignment.partition)
    try:
        return resume(Store(path, SCHEMA_VERSION), assignment, now_s, kept_seconds)
    except StateUnusable as reason:
        aside = set_aside(path, now_s)
        logger.warning(
            "state set aside, rebuilding from the log",
            partition=assignment.partition,
            reason=str(reason),
            moved_to=str(aside),
        )
        return resume(Store(path, SCHEMA_VERSION), assignment, now_s, kept_seconds)


def resume(store: PartitionStore, assignment: Assignment, now_s: int, kept_seconds: int = HOUR_SECONDS) -> Partition:
    """Go on with what a store holds, or begin with nothing. Closes the store when it raises StateUnusable."""
    try:
        saved = store.read()
        windows = Windows(now_s, kept_seconds) if saved is None else _restored(saved, assignment, now_s, kept_seconds)
    except StateUnusable:
        store.close()
        raise
    windows.owner = secrets.randbelow(OWNERS)
    if saved is None:
        # An event may be appended a minute before its time comes.
        saved = SavedState({}, [], None, oldest_second(now_s) * 1000 - FUTURE_TOLERANCE_MS, assignment.topic_id)
        store.begin(saved.loaded_from_ms, saved.topic_id)
    elif assignment.topic_id and not saved.topic_id:  # by a release that did not ask for it
        saved = replace(saved, topic_id=assignment.topic_id)
        store.begin(saved.loaded_from_ms, saved.topic_id)
    has_gap = saved.next_offset is not None and saved.next_offset < assignment.begin_offset
    if has_gap:
        assert saved.next_offset is not None
        logger.warning(
            "records left retention before they were read; the windows lack them",
            partition=assignment.partition,
            missing=assignment.begin_offset - saved.next_offset,
        )
    logger.info(
        "partition opened",
        partition=assignment.partition,
        next_offset=saved.next_offset,
        loaded_from=None if has_gap else iso_second(saved.loaded_from_ms),
        blocks=len(saved.blocks),
    )
    return Partition(assignment.partition, store, saved, windows, has_gap=has_gap)


def _restored(saved: SavedState, assignment: Assignment, now_s: int, kept_seconds: int) -> Windows:
    """The windows as they were when the last block was stored, moved on to `now_s`. Raises StateUnusable."""
    if saved.topic_id and assignment.topic_id and saved.topic_id != assignment.topic_id:
        raise StateUnusable("it is of a topic that was deleted and made anew since")
    if saved.next_offset is not None and saved.next_offset > assignment.end_offset:
        raise StateUnusable(f"its next offset {saved.next_offset} is past the topic's end {assignment.end_offset}")
    try:
        blocks = [decode_block(block) for block in saved.blocks]
        first_s = blocks[0][2] if blocks else now_s
        windows = (
            decode_checkpoint(saved.checkpoint, kept_seconds) if saved.checkpoint else Windows(first_s, kept_seconds)
        )
        for batch, conservation, folded_s in blocks:
            windows.advance(folded_s)
            windows.learn(batch)
            windows.fold(batch, conservation)
        windows.visitors.settle()
    except (KeyError, ValueError, IndexError, TypeError, msgspec.MsgspecError) as error:
        raise StateUnusable(f"it cannot be read: {error!r}") from error
    windows.advance(now_s)
    return windows
