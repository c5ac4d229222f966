"""One partition: its windows, the store they survive in, and where reading resumes."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import msgspec

from services.aggregate.encoding.batch_builder import BatchBuilder, Intake
from services.aggregate.encoding.compaction import compact
from services.aggregate.encoding.duplicates import REMEMBERED_SECONDS
from services.aggregate.encoding.encoder import Encoder
from services.aggregate.engine.segment_versions import OWNERS
from services.aggregate.engine.windows import Windows, oldest_second
from services.aggregate.rollups.segments import PartitionMinutes
from services.aggregate.rollups.snapshot import Snapshot, snapshot_of
from services.aggregate.state.codec import (
    SCHEMA,
    Checkpoint,
    decode_block,
    decode_checkpoint,
    encode_block,
    encode_checkpoint,
    mark_saved,
)
from services.aggregate.state.store import SavedState, StateUnusable, Store, set_aside
from shared.events.refusals import Refusal
from shared.events.time_units import HOUR_SECONDS
from shared.events.timestamps import FUTURE_TOLERANCE_MS, iso_second
from shared.runtime.logs import get_logger
from shared.streams.event_log import Assignment, FromOffset, FromTime, Position, Record

logger = get_logger(__name__)

CHECKPOINT_SECONDS: Final = 60
CHECKPOINT_EVENTS: Final = 2_000_000  # fold again in about two seconds


class PartitionStore(Protocol):
    """What a partition needs of its database. See `services.aggregate.state.store.Store`."""

    def begin(self, loaded_from_ms: int, topic_id: str = "") -> None: ...
    def read(self) -> SavedState | None: ...
    def append(self, block: bytes, next_offset: int) -> None: ...
    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None: ...
    def close(self) -> None: ...


class Partition:
    """The state of one partition while it is assigned. Used by one thread."""

    def __init__(
        self,
        number: int,
        store: PartitionStore,
        saved: SavedState,
        encoder: Encoder,
        windows: Windows,
        *,
        has_gap: bool = False,
    ) -> None:
        """See `resume`. `has_gap`: records after those in `saved` expired from the log before they were read."""
        self.number = number
        self.next_offset = saved.next_offset
        self.loaded_from_ms = saved.loaded_from_ms
        self.loaded_until_ms = windows.now_s * 1000 if saved.next_offset is not None else saved.loaded_from_ms
        self._topic_id = saved.topic_id
        self._has_gap = has_gap
        self._first_after_gap_ms: int | None = None
        if has_gap:  # until the next record shows when it was appended
            self.loaded_from_ms = windows.now_s * 1000
        self._encoder = encoder
        self._windows = windows
        self._store = store
        self._builder = BatchBuilder(encoder, windows)
        self._intake: Intake | None = None  # built and still to be folded
        self._pending_checkpoint: Checkpoint | None = None  # encoded, and rejected by the store
        self._folded_since_checkpoint = 0
        self._checkpoint_s = windows.now_s

    @property
    def position(self) -> Position:
        """Where reading resumes."""
        if self.next_offset is not None:
            return FromOffset(self.next_offset)
        return FromTime(self.loaded_from_ms - REMEMBERED_SECONDS * 1000)  # to recognise the duplicates among the rest

    @property
    def unfolded(self) -> int:
        """Records that were received and are still to be folded."""
        return len(self._builder)

    def receive(self, records: Sequence[Record]) -> None:
        """Add records, which follow those received before, to the next micro-batch."""
        if self._has_gap and self._first_after_gap_ms is None and records:
            self._first_after_gap_ms = records[0].timestamp_ms
        self._builder.add(records)

    def build_batch(self) -> list[tuple[Record, Refusal]]:
        """Build a micro-batch of what was received. Returns the records that were refused.

        The caller empties the list once they are stored elsewhere, and only then calls `fold`, so that none is lost.
        """
        if self._intake is None and len(self._builder):
            self._intake = self._builder.build()
        return self._intake.refused if self._intake is not None else []

    def fold(self) -> None:
        """Store and fold the micro-batch, if there is one. Raises StateUnwritable, and may then be called again."""
        intake = self._intake
        if intake is None:
            return
        self._write_pending_checkpoint()
        if self._first_after_gap_ms is not None:
            # Before the batch: after a crash between the two, the gap is found again.
            self._store.begin(self._first_after_gap_ms, self._topic_id)
            self.loaded_from_ms, self._first_after_gap_ms = self._first_after_gap_ms, None
            self._has_gap = False
        block = encode_block(intake.batch, intake.counts, self._windows.now_s)
        self._store.append(block, intake.next_offset)
        self._windows.fold(intake.batch, intake.counts)
        self.next_offset = intake.next_offset
        self.loaded_until_ms = max(self.loaded_until_ms, intake.last_arrival_ms)
        self._folded_since_checkpoint += max(1, intake.counts.read)
        self._intake, self._builder = None, BatchBuilder(self._encoder, self._windows)

    def advance(self, now_s: int) -> None:
        """Move the windows to end at `now_s`."""
        self._windows.advance(now_s)

    def is_checkpoint_due(self) -> bool:
        """Whether a restart would have too much to fold."""
        elapsed_s = self._windows.now_s - self._checkpoint_s
        return (
            self._pending_checkpoint is not None
            or self._folded_since_checkpoint >= CHECKPOINT_EVENTS
            or (self._folded_since_checkpoint > 0 and elapsed_s >= CHECKPOINT_SECONDS)
        )

    def checkpoint(self) -> None:
        """Compact the state and store all of it. Called only when nothing waits to be folded.

        Raises StateUnwritable; `fold` or the next call then writes this checkpoint first.
        """
        assert not len(self._builder)
        self._write_pending_checkpoint()
        if self._folded_since_checkpoint:
            compact(self._encoder, self._windows)
            self._pending_checkpoint = encode_checkpoint(self._encoder, self._windows)
            mark_saved(self._encoder, self._windows)
            self._builder = BatchBuilder(self._encoder, self._windows)  # names may have other codes now
            self._folded_since_checkpoint = 0
            self._write_pending_checkpoint()
        self._checkpoint_s = self._windows.now_s

    def _write_pending_checkpoint(self) -> None:
        """Write the checkpoint that the store rejected: later blocks have codes that only it explains."""
        if self._pending_checkpoint is not None:
            self._store.checkpoint(self._pending_checkpoint.parts, self._pending_checkpoint.oldest)
            self._pending_checkpoint = None

    def snapshot(self) -> Snapshot:
        """The figures as of the windows' end."""
        return snapshot_of(self._windows, self._encoder.names.names, self.number)

    def completed_minutes(self) -> PartitionMinutes:
        """The completed minutes, for their segments."""
        return PartitionMinutes(self.number, self._encoder.names.names, self._windows.completed_minutes())

    def close(self) -> None:
        """Close the store. What is folded is already stored."""
        self._store.close()


def open_partition(directory: Path, assignment: Assignment, now_s: int, kept_seconds: int = HOUR_SECONDS) -> Partition:
    """Open the state of a partition, in `directory/<partition>`, with its windows ending at `now_s`.

    `kept_seconds` is how far back the rows of minutes are kept, at least the trailing hour.

    Unusable state, or state of a topic that was recreated since, is moved aside. Reading then starts by time, early
    enough for every window. Raises StateUnwritable.
    """
    path = directory / str(assignment.partition)
    try:
        return resume(Store(path, SCHEMA), assignment, now_s, kept_seconds)
    except StateUnusable as reason:
        aside = set_aside(path, now_s)
        logger.warning(
            "state set aside, rebuilding from the log",
            partition=assignment.partition,
            reason=str(reason),
            moved_to=str(aside),
        )
        return resume(Store(path, SCHEMA), assignment, now_s, kept_seconds)


def resume(store: PartitionStore, assignment: Assignment, now_s: int, kept_seconds: int = HOUR_SECONDS) -> Partition:
    """Resume from what a store holds, or start empty. Closes the store when it raises StateUnusable."""
    try:
        saved = store.read()
        encoder, windows = (
            (Encoder(), Windows(now_s, kept_seconds))
            if saved is None
            else _restored(saved, assignment, now_s, kept_seconds)
        )
    except StateUnusable:
        store.close()
        raise
    windows.segment_versions.owner = secrets.randbelow(OWNERS)
    if saved is None:
        # An event may be appended a minute ahead of its time.
        saved = SavedState({}, [], None, oldest_second(now_s) * 1000 - FUTURE_TOLERANCE_MS, assignment.topic_id)
        store.begin(saved.loaded_from_ms, saved.topic_id)
    elif assignment.topic_id and not saved.topic_id:  # written by a release that did not store topic ids
        saved = replace(saved, topic_id=assignment.topic_id)
        store.begin(saved.loaded_from_ms, saved.topic_id)
    has_gap = saved.next_offset is not None and saved.next_offset < assignment.begin_offset
    if has_gap:
        assert saved.next_offset is not None
        logger.warning(
            "records expired from the topic before they were read; the windows lack them",
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
    return Partition(assignment.partition, store, saved, encoder, windows, has_gap=has_gap)


def _restored(saved: SavedState, assignment: Assignment, now_s: int, kept_seconds: int) -> tuple[Encoder, Windows]:
    """The state after the last block that was stored, advanced to `now_s`. Raises StateUnusable."""
    if saved.topic_id and assignment.topic_id and saved.topic_id != assignment.topic_id:
        raise StateUnusable("it belongs to a topic that has been deleted and recreated since")
    if saved.next_offset is not None and saved.next_offset > assignment.end_offset:
        raise StateUnusable(f"its next offset {saved.next_offset} is past the topic's end {assignment.end_offset}")
    try:
        blocks = [decode_block(block) for block in saved.blocks]
        first_s = blocks[0][2] if blocks else now_s
        encoder, windows = (
            decode_checkpoint(saved.checkpoint, kept_seconds)
            if saved.checkpoint
            else (Encoder(), Windows(first_s, kept_seconds))
        )
        for batch, counts, folded_s in blocks:
            windows.advance(folded_s)
            encoder.learn(batch)
            windows.fold(batch, counts)
        encoder.visitors.settle()
    except (KeyError, ValueError, IndexError, TypeError, msgspec.MsgspecError) as error:
        raise StateUnusable(f"it cannot be read: {error!r}") from error
    windows.advance(now_s)
    return encoder, windows
