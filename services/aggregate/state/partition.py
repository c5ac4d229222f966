"""One partition: its windows, the store they survive in, and where reading resumes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from services.aggregate.columns.names import MOST_NAMES
from services.aggregate.columns.sales import MOST_SALES
from services.aggregate.encoding.batch_builder import COUNTED_EVENTS, BatchBuilder, Intake
from services.aggregate.encoding.compaction import compact
from services.aggregate.encoding.duplicates import REMEMBERED_SECONDS
from services.aggregate.encoding.encoder import Encoder
from services.aggregate.encoding.own_site import OwnSite
from services.aggregate.engine.windows import Windows
from services.aggregate.rollups.segments import PartitionMinutes
from services.aggregate.rollups.snapshot import Snapshot, snapshot_of
from services.aggregate.state.codec import (
    Checkpoint,
    encode_block,
    encode_checkpoint,
    mark_saved,
)
from services.aggregate.state.store import SavedState
from shared.events.counted import CountedDecoder
from shared.events.refusals import Refusal
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.rollups.commerce import DEFAULT_CURRENCY
from shared.streams.event_log import FromOffset, FromTime, Position, Record, as_batch

CHECKPOINT_SECONDS: Final = 60
CHECKPOINT_EVENTS: Final = 2_000_000  # fold again in about two seconds


class PartitionStore(Protocol):
    """What a partition needs of its database. See `services.aggregate.state.store.Store`."""

    def begin(
        self, loaded_from_ms: int, topic_id: str = "", erasures: bytes | None = None, digest_key: bytes | None = None
    ) -> None: ...
    def erasures(self) -> bytes: ...
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
        erasures: Erasures = NO_ERASURES,
        site: str = "",
    ) -> None:
        """See `resume`. `has_gap`: records after those in `saved` expired from the log before they were read.

        `erasures`: those that the state honours. `site`: the one whose events count; empty: all.
        """
        self._own_site = OwnSite(site) if site else None
        self.erasures = erasures
        self._counted_events = COUNTED_EVENTS
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
        self._builder = self._new_builder()
        self._received = windows.event_counts.read  # and what came before
        self._intake: Intake | None = None  # built and still to be folded
        self._pending_checkpoint: Checkpoint | None = None  # encoded, and rejected by the store
        self._folded_since_checkpoint = 0
        self._checkpoint_s = windows.now_s
        self._counted_as_other: Counter[str] = Counter()
        self._sales_counted_as_other = 0

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

    @property
    def read(self) -> int:
        """Records that arrived and were folded, since the state began. What became of them adds up to this."""
        return self._received - self.unfolded

    def limit(
        self,
        counted_events: CountedDecoder,
        most_names: int = MOST_NAMES,
        most_sales: int = MOST_SALES,
        currency: str = DEFAULT_CURRENCY,
    ) -> None:
        """Decode records with these limits. Called before the first record.

        Know `most_names` of each dimension, and keep `most_sales` one by one; of the others only amounts in `currency`.
        """
        self._counted_events = counted_events
        self._encoder.names.names.limit(most_names)
        self._windows.sales.limit(most_sales, currency)
        self._builder = self._new_builder()

    def receive(self, records: Sequence[Record]) -> None:
        """Add records, which follow those received before, to the next micro-batch."""
        if self._has_gap and self._first_after_gap_ms is None and records:
            self._first_after_gap_ms = records[0].timestamp_ms
        self._received += len(records)
        self._builder.add(as_batch(records))

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
        self._counted_as_other.update(self._encoder.names.counted_as_other(intake.batch.rows))
        self._sales_counted_as_other += len(intake.batch.sold.others)
        self.next_offset = intake.next_offset
        self.loaded_until_ms = max(self.loaded_until_ms, intake.last_arrival_ms)
        self._folded_since_checkpoint += max(1, intake.counts.read)
        self._intake, self._builder = None, self._new_builder()

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
            self._builder = self._new_builder()  # names may have other codes now
            self._folded_since_checkpoint = 0
            self._write_pending_checkpoint()
        self._checkpoint_s = self._windows.now_s

    def _new_builder(self) -> BatchBuilder:
        return BatchBuilder(self._encoder, self._windows, self.erasures, self._counted_events, self._own_site)

    def _write_pending_checkpoint(self) -> None:
        """Write the checkpoint that the store rejected: later blocks have codes that only it explains."""
        if self._pending_checkpoint is not None:
            self._store.checkpoint(self._pending_checkpoint.parts, self._pending_checkpoint.oldest)
            self._pending_checkpoint = None

    def snapshot(self) -> Snapshot:
        """The figures as of the windows' end."""
        return snapshot_of(self._windows, self._encoder.names.names, self.number)

    def take_counted_as_other(self) -> Mapping[str, int]:
        """The events folded since the last call whose name did not fit into the limit, by dimension."""
        counted, self._counted_as_other = self._counted_as_other, Counter()
        return counted

    def take_sales_counted_as_other(self) -> int:
        """The sales folded since the last call that came beyond the limit."""
        counted, self._sales_counted_as_other = self._sales_counted_as_other, 0
        return counted

    def shows_other_sales(self) -> bool:
        """Whether there are such sales in the trailing eight hours."""
        return any(len(ledger.sums.keys) for ledger in self._windows.sales.others.values())

    def others_shown(self) -> list[str]:
        """The dimensions that have such events in the trailing hour."""
        shown = self._windows.popularity.others()
        names = {dimension: self._encoder.names.names.of(dimension) for dimension in shown}
        # Anybody may send a name that reads like the other ones.
        return [dimension for dimension, own in names.items() if own.has_refused or own.is_full]

    def completed_minutes(self, *, is_last: bool = False) -> PartitionMinutes:
        """The completed minutes, for their segments. `is_last`: this process stops."""
        minutes = self._windows.completed_minutes(is_last=is_last)
        return PartitionMinutes(self.number, self._encoder.names.names, minutes)

    def close(self) -> None:
        """Close the store. What is folded is already stored."""
        self._store.close()
