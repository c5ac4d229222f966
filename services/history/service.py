"""The loop: read a batch of enriched events, and store it with its rollups and offsets in one SQL transaction."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, date, datetime
from functools import partial
from itertools import chain
from threading import Event
from typing import Final, Protocol

from services.history.failures import DatabaseUnavailable, RowsRefused, StaleOffsets
from services.history.rows import Batch, Outcomes, build_batch
from services.history.sql.store import Place
from shared.events.dead_letters import dead_letter
from shared.events.enriched import EnrichedDecoder
from shared.events.limits import Limits
from shared.events.refusals import Origin, Reason, Refusal
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.logs import get_logger
from shared.runtime.tracebacks import error_text
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.metrics import HISTORY_OUTCOMES, LOST
from shared.streams.event_log import (
    Assignment,
    Consumer,
    FromOffset,
    LogUnavailable,
    Producer,
    Record,
    RecordBatch,
    as_batch,
)
from shared.streams.kafka.start_offset import Verdict
from shared.streams.refused import send_dead_letter

logger = get_logger(__name__)

SERVICE: Final = "history"

_POLL_SECONDS: Final = 0.5
_RETIRE_SECONDS: Final = 600.0
_FEW_RECORDS: Final = 1_000
_LINGER_SECONDS: Final = 0.5
"""A transaction costs as much as hundreds of events: while few arrive, store them together."""
_REMEDY: Final = "keep records longer than any outage: RETENTION_HOURS for a new topic, retention.ms of an existing one"


class Store(Protocol):
    """What stores batches: `services.history.sql.store.Store`."""

    @property
    def erasures(self) -> Erasures: ...

    def claim(self, assignment: Assignment) -> Place: ...
    def write(self, batch: Batch, places: Mapping[int, Place]) -> dict[int, Outcomes]: ...
    def retire(self, today: date, *, raw_days: int, minute_days: int) -> list[date]: ...


class HistoryService:
    """Stores one topic until stopped. One thread, which is also the listener's. `run` raises Fenced."""

    def __init__(
        self,
        store: Store,
        producer: Producer,
        *,
        topic: str,
        batch_records: int,
        raw_days: int,
        minute_days: int,
        health: Health,
        gauges: Gauges,
        stop: Event,
        log_address: str,
        database_address: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        elapsed_seconds: Callable[[], float] = time.monotonic,
        current_erasures: Callable[[], Erasures] = lambda: NO_ERASURES,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._store = store
        self._producer = producer
        self._topic = topic
        self._batch_records = batch_records
        self._raw_days = raw_days
        self._minute_days = minute_days
        self._gauges = gauges
        self._stop = stop
        self._now = now
        self._elapsed_seconds = elapsed_seconds
        self._current_erasures = current_erasures
        self._log = Dependency(f"the event log at {log_address}", health, "log")
        # Degraded, not failing: the events wait in the log, and a restart would not help.
        self._database = Dependency(f"PostgreSQL at {database_address}", health, "postgres", is_optional=True)
        self._decode = EnrichedDecoder(limits).decode
        self._places: dict[int, Place] = {}
        self._retire_at = float("-inf")
        self._unchecked: set[int] = set()
        """The partitions that waited for PostgreSQL: the log may have dropped records since their last poll."""

    # --- the listener ------------------------------------------------------------------------------------------------

    def on_assigned(self, assignment: Assignment) -> FromOffset:
        """Continue where SQL is. Waits for PostgreSQL; raises Stopped."""
        place = self._database.wait_for(lambda: self._store.claim(assignment), DatabaseUnavailable, self._stop)
        self._unchecked.discard(assignment.partition)
        if place.verdict is Verdict.EXPIRED:
            self._report_expired(place, assignment.partition)
        elif place.verdict is Verdict.RECREATED:
            logger.warning(
                "topic recreated, reading it from the beginning; what was not read of the former one is lost",
                partition=assignment.partition,
                offset=place.next_offset,
            )
        self._places[assignment.partition] = place
        return FromOffset(place.next_offset)

    def _report_expired(self, place: Place, partition: int) -> None:
        where: dict[str, object] = {"partition": partition, "offset": place.next_offset, "remedy": _REMEDY}
        if place.lost is None:
            # On Redis, whose offsets have gaps, it may be that the last record that was read has expired, and no other.
            logger.warning("records may have left the topic before they were stored", **where)
        else:
            logger.error("records left the topic before they were stored", at_most=place.lost, **where)
            self._gauges.add_stored({LOST: place.lost})

    def on_revoked(self, partition: int) -> None:
        """Forget the partition: SQL knows where it is."""
        self._places.pop(partition, None)

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self, consumer: Consumer) -> None:
        """Work batch by batch. After `stop` is set, may give the current batch up, which the next run reads."""
        try:
            while not self._stop.is_set():
                self.work(consumer)
        except Stopped:
            pass

    def work(self, consumer: Consumer) -> None:
        """Read and store one batch, waiting for any dependency that does not answer. Raises Stopped and Fenced."""
        self._retire()
        records = self._log.wait_for(partial(self._poll, consumer), LogUnavailable, self._stop)
        if records:
            began_at = self._elapsed_seconds()
            try:
                outcomes = self._finish(records, lambda: self._note_lag(consumer, len(records)))
            except StaleOffsets as stale:
                logger.warning("not stored, reading again from SQL", reason=str(stale))
                consumer.rewind()
                return
            self._gauges.add_batch(len(records), self._elapsed_seconds() - began_at)
            self._gauges.add_stored(outcomes)
            self._commit(consumer)
        self._note_lag(consumer, 0)
        if sum(unread or 0 for unread in self._gauges.lag.values()) < _FEW_RECORDS:
            self._stop.wait(_LINGER_SECONDS)

    def _poll(self, consumer: Consumer) -> Sequence[Record]:
        polled = as_batch(consumer.poll(self._batch_records, _POLL_SECONDS)).by_partition()
        if self._unchecked and self._has_gap(polled):
            consumer.rewind()
            return []
        # Those of a partition that was revoked during the poll are for its next owner.
        return list(chain.from_iterable(own for number, own in polled.items() if number in self._places))

    def _has_gap(self, polled: Mapping[int, Sequence[Record]]) -> bool:
        """Whether offsets are left out where a partition goes on after an outage of PostgreSQL.

        They may be those of expired records, which the log skips without a word: only a new claim can tell.
        """
        due = self._unchecked & polled.keys() & self._places.keys()
        self._unchecked -= due
        return any(polled[number][0].offset > self._places[number].next_offset for number in due)

    def _finish(self, records: Sequence[Record], note_lag: Callable[[], None]) -> Counter[str]:
        """Store the records, and return what became of them.

        If PostgreSQL refuses a row, find it by halves, and send a dead letter.
        """
        batch = build_batch(records, self._decode, self._erases())
        try:
            outcomes = self._write(batch, note_lag)
        except RowsRefused as error:
            if len(records) > 1:
                halves = [self._finish(half, note_lag) for half in RecordBatch(records).halves()]
                return sum(halves, Counter())
            record = records[0]
            self._send_dead_letter(record, error)
            counts = {record.partition: Outcomes(refused=1)}
            # Aggregate counts it.
            differs_to = {number: row.ts for number, row in batch.rows}
            outcomes = self._write(Batch(batch.next_offsets, outcomes=counts, differs_to=differs_to), note_lag)
        for partition_number, next_offset in batch.next_offsets.items():
            self._places[partition_number] = Place(self._places[partition_number].topic_id, next_offset)
        counted = _counted(outcomes.values())
        logger.debug("stored", events=counted["stored"])
        return counted

    def _erases(self) -> Callable[[str, int, int], bool]:
        """As `Erasures.erases`, of the erasures in Redis and in SQL."""
        in_redis, in_sql = self._current_erasures().erases, self._store.erasures
        if not in_sql:
            return in_redis
        return lambda *event: in_redis(*event) or in_sql.erases(*event)

    def _write(self, batch: Batch, note_lag: Callable[[], None]) -> dict[int, Outcomes]:
        def attempt() -> dict[int, Outcomes]:
            note_lag()
            try:
                return self._store.write(batch, self._places)
            except DatabaseUnavailable:
                self._unchecked = set(self._places)
                raise

        return self._database.wait_for(attempt, DatabaseUnavailable, self._stop)

    def _send_dead_letter(self, record: Record, error: Exception) -> None:
        """Before the offset moves on: a crash in between sends it twice, with the same origin."""
        origin = Origin(SERVICE, self._topic, record.partition, record.offset, record.timestamp_ms)
        refusal = Refusal(Reason.REFUSED_BY_DATABASE, error_text(error))
        letter = dead_letter(self._topic, record.key, record.value, refusal, origin)
        self._log.wait_for(lambda: send_dead_letter(self._producer.send, letter), LogUnavailable, self._stop)
        self._gauges.add_dead_letters([refusal.reason])
        logger.warning(
            "event refused by PostgreSQL",
            error=refusal.error,
            partition=record.partition,
            offset=record.offset,
        )

    def _retire(self) -> None:
        if self._elapsed_seconds() < self._retire_at:
            return
        dropped = self._database.wait_for(
            lambda: self._store.retire(self._now().date(), raw_days=self._raw_days, minute_days=self._minute_days),
            DatabaseUnavailable,
            self._stop,
        )
        self._retire_at = self._elapsed_seconds() + _RETIRE_SECONDS
        if dropped:
            logger.info("days dropped", days=[day.isoformat() for day in dropped])

    def _note_lag(self, consumer: Consumer, pending: int) -> None:
        """`pending` are the events that were read and are not stored; those of several partitions count for each."""
        lag = consumer.lag() if self._log.is_available else {}
        self._gauges.lag = {number: lag[number] + pending if number in lag else None for number in self._places}

    def _commit(self, consumer: Consumer) -> None:
        """Commit offsets for monitoring only; those in SQL count."""
        try:
            consumer.commit({number: place.next_offset for number, place in self._places.items()})
        except LogUnavailable as error:
            logger.debug("offsets not committed", error=error_text(error))


def _counted(outcomes: Iterable[Outcomes]) -> Counter[str]:
    """Of all partitions, by the names of a status."""
    total: Counter[str] = Counter()
    for own in outcomes:
        total.update(dict(zip(HISTORY_OUTCOMES, astuple(own), strict=True)))
    return total
