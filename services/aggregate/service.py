"""The loop of the aggregate service: poll, store, fold, and offer the sender a rollup on every full second."""

import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Final

from services.aggregate.accounts import other_names_note, other_sales_note, set_accounts
from services.aggregate.columns.dimensions import SOURCE_FIELDS
from services.aggregate.columns.goals import NO_GOALS, Goals
from services.aggregate.dead_letters import DeadLetters
from services.aggregate.erasing import Erasing, KnownErasures, NoErasures
from services.aggregate.publishing.sender import Publication
from services.aggregate.read_rate import ReadRate
from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.database import StateUnwritable
from services.aggregate.state.opening import open_partition
from services.aggregate.state.partition import CHECKPOINT_SECONDS, Partition
from shared.events.counted import CountedDecoder
from shared.events.refusals import Refusal
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.free_memory import return_free_memory
from shared.runtime.logs import get_logger
from shared.runtime.tracebacks import error_text
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import (
    Assignment,
    Consumer,
    LogUnavailable,
    Position,
    Producer,
    Record,
    RecordBatch,
    as_batch,
)

logger = get_logger(__name__)

_LONGEST_POLL_SECONDS: Final = 0.25
_LINGER_SECONDS: Final = 0.02
_CUT_OFF_SECONDS: Final = 3
"""After an outage replicas come back one by one."""
_POLL_RECORDS: Final = 500
"""Records that are read and decoded together: few enough to stay in the processor's cache."""
_BATCH_BYTES: Final = 32 << 20
"""Records with this many bytes are folded at once: refused ones are kept until then."""


class AggregateService:
    """Owns the assigned partitions and the publish instant, and listens to its consumer. Runs on one thread."""

    def __init__(
        self,
        settings: AggregateSettings,
        *,
        producer: Producer,
        offer: Callable[[Publication], None],
        health: Health,
        clock: Callable[[], float],
        stop: Event,
        gauges: Gauges | None = None,
        erasures: KnownErasures | None = None,
        others_read: Callable[[], bool] = lambda: False,
        goals: Goals = NO_GOALS,
    ) -> None:
        """`clock` returns epoch seconds; `offer` takes each second's publication.

        `others_read` returns whether another replica reads the log. Asked while this one cannot.
        """
        self._settings = settings
        self._offer = offer
        self._health = health
        self._log = Dependency("the event log", health, "log")
        self._state = Dependency(f"the state in {settings.state_dir}", health, "state")
        self._clock = clock
        self._stop = stop
        self._gauges = gauges or Gauges()
        # Of one site, the group of all sites keeps them: a second copy would be replayed a second time.
        keeps_dead_letters = settings.site is None
        self._dead_letters = DeadLetters(
            settings.enriched_topic, producer if keeps_dead_letters else None, self._log, self._gauges
        )
        self._poll_records = min(_POLL_RECORDS, settings.aggregate_batch_records)
        self._partitions: dict[int, Partition] = {}
        self._since_s: dict[int, int] = {}  # when each was assigned last
        self._others_read = others_read
        self._cut_off_seconds = 0  # for how long others have read the log and this replica has not
        self._collected: list[RecordBatch] = []  # not received by the partitions yet
        self._collected_records = 0
        self._counted_events = CountedDecoder(SOURCE_FIELDS, settings.limits)
        self._unfolded = 0  # records read but not folded yet
        self._unfolded_bytes = 0  # of their values
        self._is_storing = True  # whether the last fold could be stored, and its dead letters sent
        self._rates: dict[int, ReadRate] = {}
        self._now_s = int(clock())
        self._next_checkpoint_s = 0
        self._goals = goals
        self._site = settings.site or ""
        self._erasing = Erasing(erasures or NoErasures(), settings.topic_state_dir, goals, self._site)

    def run(self, consumer: Consumer) -> None:
        """Fold and publish until asked to stop. Raises Fenced."""
        try:
            while not self._stop.is_set():
                self._tick(consumer)
                if self._is_storing:
                    self._collect(self._poll(consumer))
                else:
                    self._stop.wait(self._until_next_second())  # do not read what cannot be stored
            self._fold()
        except Stopped:
            logger.info("stopped while waiting")
        self._commit(consumer)
        self._publish(consumer, is_last=True)  # with everything folded

    # --- the listener ------------------------------------------------------------------------------------------------

    def on_assigned(self, assignment: Assignment) -> Position:
        """Open the partition's state; reading continues where it ends."""
        self.on_revoked(assignment.partition)  # a failed start is repeated, and the store has one owner
        partition = self._opened(assignment)
        self._partitions[assignment.partition] = partition
        self._since_s[assignment.partition] = self._now_s
        self._erasing.opened(partition)
        self._rates[assignment.partition] = ReadRate()
        return partition.position

    def on_revoked(self, partition: int) -> None:
        """Close the partition's state, with a checkpoint so that it opens quickly."""
        leaving = self._partitions.get(partition)
        if leaving is None:
            return
        try:
            self._receive()
            if self._try_send(leaving.build_batch()):  # if not, these records are read again
                leaving.fold()
                leaving.checkpoint()
        except StateUnwritable as error:
            logger.warning(
                "revoked partition closed without a checkpoint", partition=partition, error=error_text(error)
            )
        del self._partitions[partition]
        leaving.close()

    # --- the loop ----------------------------------------------------------------------------------------------------

    def _tick(self, consumer: Consumer) -> None:
        now_s = int(self._clock())
        if now_s <= self._now_s:
            return
        self._now_s = now_s
        for partition in self._partitions.values():
            partition.advance(now_s)
        self._fold()
        self._publish(consumer)
        self._commit(consumer)
        self._give_up_kept(consumer)
        self._erase(consumer)
        due = [partition for partition in self._partitions.values() if partition.is_checkpoint_due()]
        if due and self._is_storing and now_s >= self._next_checkpoint_s:
            # Far apart, because nothing is folded meanwhile: each takes up to a second, and the next publish waits.
            self._next_checkpoint_s = now_s + CHECKPOINT_SECONDS // (2 * len(self._partitions))
            self._store(due[0].checkpoint)
            return_free_memory()  # which encoding left, and the allocator would keep

    def _give_up_kept(self, consumer: Consumer) -> None:
        """Close what the group may have given to a replica that reads the log, and that waits for our state.

        An outage of the log moves nothing, so that we go on publishing. But if others read it, only we are cut off.
        """
        if self._log.is_available or not self._partitions or not self._others_read():
            self._cut_off_seconds = 0
            return
        self._cut_off_seconds += 1
        if self._cut_off_seconds >= _CUT_OFF_SECONDS:
            consumer.revoke_kept()

    def _erase(self, consumer: Consumer) -> None:
        try:
            self._erasing.work(self._partitions, self._now_s, consumer)
        except StateUnwritable as error:
            self._state.failed(error, "cannot delete state, trying again")

    def _until_next_second(self) -> float:
        return max(0.0, self._now_s + 1 - self._clock())

    def _poll(self, consumer: Consumer) -> Sequence[Record]:
        timeout_seconds = min(_LONGEST_POLL_SECONDS, self._until_next_second())
        try:
            records = consumer.poll(self._poll_records, timeout_seconds)
        except LogUnavailable as error:
            self._log.failed(error, "retrying")
            self._stop.wait(_LONGEST_POLL_SECONDS)  # the windows move on with the clock meanwhile
            return []
        self._log.answered()
        return records

    def _collect(self, records: Sequence[Record]) -> None:
        """Collect records until decoding is worthwhile, and their columns until folding is."""
        if records:
            batch = as_batch(records)
            self._collected.append(batch)
            self._collected_records += len(batch)
            self._unfolded += len(batch)
            self._unfolded_bytes += sum(map(len, batch.values))
        if self._collected_records >= self._poll_records:
            self._receive()
        if self._unfolded >= self._settings.aggregate_batch_records or self._unfolded_bytes >= _BATCH_BYTES:
            self._fold()
        elif len(records) < self._poll_records // 10:
            # Traffic is low: polling less often is just as good and far cheaper.
            self._stop.wait(min(_LINGER_SECONDS, self._until_next_second()))

    def _receive(self) -> None:
        collected, self._collected, self._collected_records = self._collected, [], 0
        if not collected:
            return
        first, *others = collected
        for number, records in first.followed_by(others).by_partition().items():
            if number in self._partitions:  # else revoked during the poll: its next owner reads these
                self._partitions[number].receive(records)

    def _fold(self) -> None:
        """Fold everything read. What cannot be stored or sent is retried next time, and reading pauses."""
        began_at = time.monotonic()
        self._receive()
        self._is_storing = True
        for partition in self._partitions.values():
            refused = partition.build_batch()
            self._is_storing &= self._try_send(refused) and self._store(partition.fold)
        if self._is_storing and self._unfolded:
            self._gauges.add_batch(self._unfolded, time.monotonic() - began_at)
            self._unfolded = self._unfolded_bytes = 0

    def _store(self, write: Callable[[], None]) -> bool:
        """Write the state. Returns whether that succeeded."""
        try:
            write()
        except StateUnwritable as error:
            self._state.failed(error, "cannot write the state, reading is paused")
            return False
        self._state.answered()
        return True

    def _try_send(self, refused: list[tuple[Record, Refusal]]) -> bool:
        return self._dead_letters.try_send(refused, self._now_s)

    def _opened(self, assignment: Assignment) -> Partition:
        """Open a partition; retries while the disk rejects writes. Raises Stopped."""
        directory = self._settings.topic_state_dir
        partition: Partition = self._state.wait_for(
            lambda: open_partition(
                directory,
                assignment,
                self._now_s,
                self._settings.segment_seconds,
                self._erasing.current(),
                self._goals,
                self._site,
            ),
            StateUnwritable,
            self._stop,
        )
        settings = self._settings
        partition.limit(self._counted_events, settings.max_names, settings.max_sales, settings.revenue_currency)
        return partition

    # --- publishing --------------------------------------------------------------------------------------------------

    def _publish(self, consumer: Consumer, *, is_last: bool = False) -> None:
        known = consumer.lag() if self._log.is_available else {}  # the client keeps the last value it received
        lag = {n: known[n] + partition.unfolded if n in known else None for n, partition in self._partitions.items()}
        self._gauges.lag = lag
        reports = {number: self._report(partition, lag[number]) for number, partition in self._partitions.items()}
        self._account_for_other_names()
        self._account_for_other_sales()
        set_accounts(self._gauges, {number: partition.read for number, partition in self._partitions.items()}, reports)
        self._offer(
            Publication(
                self._now_s,
                reports,
                # Without the log, we may not know that a partition and its next events belong to another replica.
                [partition.completed_minutes(is_last=is_last) for partition in self._partitions.values()]
                if self._settings.segment_seconds and self._log.is_available
                else [],
                {number: self._since_s[number] for number in self._partitions},
            )
        )

    def _account_for_other_names(self) -> None:
        """Count the events whose names did not fit, and degrade the health while the figures of the hour have any."""
        for partition in self._partitions.values():
            self._gauges.add_counted_as_other(partition.take_counted_as_other())
        shown = sorted({dimension for partition in self._partitions.values() for dimension in partition.others_shown()})
        if shown:
            self._health.degraded("names", other_names_note(shown, self._settings.max_names))
        else:
            self._health.working("names")

    def _account_for_other_sales(self) -> None:
        """The same for the sales beyond the limit."""
        partitions = self._partitions.values()
        self._gauges.sales_counted_as_other += sum(partition.take_sales_counted_as_other() for partition in partitions)
        if any(partition.shows_other_sales() for partition in partitions):
            note = other_sales_note(self._settings.max_sales, self._settings.revenue_currency)
            self._health.degraded("sales", note)
        else:
            self._health.working("sales")

    def _report(self, partition: Partition, lag: int | None) -> PartitionReport:
        """`lag` is None while it is unknown: reading has not started, or the log is unavailable."""
        snapshot = partition.snapshot()
        if lag == 0:
            partition.loaded_until_ms = self._now_s * 1000
        return PartitionReport(
            snapshot,
            lag=lag,
            events_per_second=self._rates[partition.number].mark(self._now_s, snapshot.event_counts.read),
            loaded_from_ms=partition.loaded_from_ms,
            loaded_until_ms=partition.loaded_until_ms,
            next_offset=partition.next_offset,
        )

    def _commit(self, consumer: Consumer) -> None:
        """Commit offsets for monitoring only; the authoritative offset is in the state."""
        offsets = {n: p.next_offset for n, p in self._partitions.items() if p.next_offset is not None}
        try:
            consumer.commit(offsets)
        except LogUnavailable as error:
            logger.debug("offsets not committed", error=error_text(error))
