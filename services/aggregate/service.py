"""The loop of the aggregate service: poll, store, fold, and every second on the second a rollup for the sender."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from threading import Event
from typing import Final, TypeVar

from services.aggregate.partition import Partition, open_partition
from services.aggregate.reports import PartitionReport
from services.aggregate.sender import Publication
from services.aggregate.settings import AggregateSettings
from services.aggregate.store import StateUnwritable
from shared.health import Health
from shared.logs import get_logger
from shared.refusals import Origin, Refusal, dead_letter_headers, dead_letter_topic
from shared.streams import Assignment, Consumer, LogUnavailable, NewRecord, Position, Producer, Record
from shared.waiting import Stopped, wait_for

logger = get_logger(__name__)

SERVICE: Final = "aggregate"
_LONGEST_POLL_SECONDS: Final = 0.25
_RATE_SECONDS: Final = 10

_Done = TypeVar("_Done")


@dataclass(slots=True)
class _Rate:
    """Events read from a partition per second, the mean of the last ten seconds."""

    marks: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_RATE_SECONDS + 1))

    def mark(self, now_s: int, read: int) -> float:
        self.marks.append((now_s, read))
        first_s, first_read = self.marks[0]
        return (read - first_read) / max(1, now_s - first_s)


class AggregateService:
    """Owns the assigned partitions and the publish instant; the listener of its consumer. Runs on one thread."""

    def __init__(
        self,
        settings: AggregateSettings,
        *,
        producer: Producer,
        offer: Callable[[Publication], None],
        health: Health,
        clock: Callable[[], float],
        stop: Event,
    ) -> None:
        """`clock` gives epoch seconds; `offer` takes what there is to publish, each second."""
        self._settings = settings
        self._producer = producer
        self._offer = offer
        self._health = health
        self._clock = clock
        self._stop = stop
        self._partitions: dict[int, Partition] = {}
        self._rates: dict[int, _Rate] = {}
        self._now_s = int(clock())

    def run(self, consumer: Consumer) -> None:
        """Fold and publish until asked to stop. Raises Fenced."""
        try:
            while not self._stop.is_set():
                self._tick(consumer)
                self._fold(self._poll(consumer))
        except Stopped:
            logger.info("stopped while waiting")
        self._commit(consumer)
        self._publish(consumer)  # the last, with all that was folded

    # --- the listener ------------------------------------------------------------------------------------------------

    def on_assigned(self, assignment: Assignment) -> Position:
        """Open the partition's state; reading goes on where it ends."""
        self.on_revoked(assignment.partition)  # a start that failed is made again, and the store has one owner
        directory = self._settings.state_dir / self._settings.enriched_topic
        kept_seconds = self._settings.segment_seconds
        partition = self._written(lambda: open_partition(directory, assignment, self._now_s, kept_seconds))
        self._partitions[assignment.partition] = partition
        self._rates[assignment.partition] = _Rate()
        return partition.position

    def on_revoked(self, partition: int) -> None:
        """Close the partition's state, with a checkpoint so that it opens quickly."""
        leaving = self._partitions.pop(partition, None)
        if leaving is None:
            return
        try:
            leaving.checkpoint()
        except StateUnwritable as error:
            logger.warning("no checkpoint on leaving a partition", partition=partition, error=str(error))
        leaving.close()

    # --- the loop ----------------------------------------------------------------------------------------------------

    def _tick(self, consumer: Consumer) -> None:
        now_s = int(self._clock())
        if now_s <= self._now_s:
            return
        self._now_s = now_s
        for partition in self._partitions.values():
            partition.advance(now_s)
        self._publish(consumer)
        self._commit(consumer)
        due = [partition for partition in self._partitions.values() if partition.is_checkpoint_due()]
        if due:
            self._written(due[0].checkpoint)  # one a second, so that no publish waits for all of them

    def _poll(self, consumer: Consumer) -> Sequence[Record]:
        until_next_second = self._now_s + 1 - self._clock()
        timeout_seconds = min(_LONGEST_POLL_SECONDS, max(0.0, until_next_second))
        try:
            records = consumer.poll(self._settings.aggregate_batch_records, timeout_seconds)
        except LogUnavailable as error:
            if self._health.is_working("log"):
                logger.warning("the event log does not answer, trying again", error=str(error))
            self._health.failing("log", str(error))
            self._stop.wait(_LONGEST_POLL_SECONDS)  # and on: the windows move with the clock meanwhile
            return []
        if not self._health.is_working("log"):
            logger.info("the event log answers again")
        self._health.working("log")
        return records

    def _fold(self, records: Sequence[Record]) -> None:
        in_partitions = sorted(records, key=attrgetter("partition"))  # stable: offsets stay in order
        for number, group in groupby(in_partitions, key=attrgetter("partition")):
            partition = self._partitions.get(number)
            if partition is None:
                continue  # revoked within the poll; its next owner reads these
            batch = list(group)
            intake = partition.take_in(batch)
            if intake.refused:
                self._send_dead_letters(intake.refused)
            last_arrival_ms = batch[-1].timestamp_ms
            self._written(lambda: partition.fold(intake, last_arrival_ms))  # noqa: B023 - called at once

    def _send_dead_letters(self, refused: list[tuple[Record, Refusal]]) -> None:
        """Send them before the offset moves on: a crash in between sends them twice, of one origin, and never not."""
        topic = self._settings.enriched_topic
        letters = [
            NewRecord(
                dead_letter_topic(topic),
                record.key,
                record.value,
                dead_letter_headers(
                    refusal, Origin(SERVICE, topic, record.partition, record.offset, record.timestamp_ms)
                ),
            )
            for record, refusal in refused
        ]
        wait_for(
            lambda: self._producer.send(letters),
            dependency="the event log",
            passing=LogUnavailable,
            stop=self._stop,
            on_failure=lambda reason: self._health.failing("log", reason),
        )
        record, refusal = refused[0]
        logger.warning(
            "events refused",
            count=len(refused),
            first_reason=refusal.reason.value,
            first_error=refusal.error,
            partition=record.partition,
            offset=record.offset,
        )

    def _written(self, write: Callable[[], _Done]) -> _Done:
        """Do what writes to the state, again and again while the disk refuses. Raises Stopped."""
        done = wait_for(
            write,
            dependency=f"the state in {self._settings.state_dir}",
            passing=StateUnwritable,
            stop=self._stop,
            on_failure=lambda reason: self._health.failing("state", reason),
        )
        self._health.working("state")
        return done

    # --- publishing --------------------------------------------------------------------------------------------------

    def _publish(self, consumer: Consumer) -> None:
        lag = consumer.lag()
        self._offer(
            Publication(
                self._now_s,
                {number: self._report(partition, lag.get(number)) for number, partition in self._partitions.items()},
                [partition.closed_minutes() for partition in self._partitions.values()]
                if self._settings.segment_seconds
                else [],
            )
        )

    def _report(self, partition: Partition, lag: int | None) -> PartitionReport:
        """`lag` is None while the partition's reading has not begun."""
        rollup = partition.roll_up()
        return PartitionReport(
            rollup,
            lag=lag or 0,
            events_per_second=self._rates[partition.number].mark(self._now_s, rollup.conservation.read),
            loaded_from_ms=partition.loaded_from_ms,
            loaded_until_ms=self._now_s * 1000 if lag == 0 else partition.loaded_until_ms,
        )

    def _commit(self, consumer: Consumer) -> None:
        """Tell the log how far we are, for those who watch its groups; the truth is the offset in the state."""
        offsets = {n: p.next_offset for n, p in self._partitions.items() if p.next_offset is not None}
        if not offsets:
            return
        try:
            consumer.commit(offsets)
        except LogUnavailable as error:
            logger.debug("offsets not committed", error=str(error))
