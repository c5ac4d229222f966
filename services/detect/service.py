"""The loop: read a batch of enriched clicks, advance the visitors' machines, send offers and offsets together."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Event
from typing import Final

import msgspec

from services.detect.detection import Click, Detection, detect
from services.detect.machines import MachineStore
from services.detect.offers import concerns, with_known_profile
from shared.events.dead_letters import NewDeadLetter, dead_letter
from shared.events.enriched import EnrichedDecoder
from shared.events.limits import Limits
from shared.events.refusals import Origin, Reason, Refusal
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.logs import get_logger
from shared.runtime.redis_client import REDIS_UNAVAILABLE
from shared.status.health import Health
from shared.streams.event_log import LogUnavailable, NewRecord, Processor, Record, RecordBatch, Refused
from shared.streams.refused import send_dead_letter

logger = get_logger(__name__)

SERVICE: Final = "detect"

_BATCH: Final = 5_000
_POLL_SECONDS: Final = 0.5


class DetectService:
    """Follows the visitors of one topic until stopped. One thread; `run` raises Fenced."""

    def __init__(
        self,
        processor: Processor,
        store: MachineStore,
        *,
        enriched_topic: str,
        offers_topic: str,
        window_ms: int,
        health: Health,
        stop: Event,
        now_ms: Callable[[], int],
        log_address: str,
        redis_address: str,
        current_erasures: Callable[[], Erasures] = lambda: NO_ERASURES,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        trusts_claims: bool = False,
    ) -> None:
        """`trusts_claims`: offers go by the gender and age that a click claims, where it claims any."""
        self._processor = processor
        self._store = store
        self._enriched_topic = enriched_topic
        self._offers_topic = offers_topic
        self._window_ms = window_ms
        self._stop = stop
        self._now_ms = now_ms
        self._current_erasures = current_erasures
        self._log = Dependency(f"the event log at {log_address}", health, "log")
        self._redis = Dependency(f"Redis at {redis_address}", health, "redis")
        self._decode = EnrichedDecoder(limits).decode
        self._trusts_claims = trusts_claims
        self._unreadable = 0

    def run(self) -> None:
        """Work batch by batch. After `stop` is set, finishes the current batch if Redis and the log answer."""
        try:
            while not self._stop.is_set():
                self.work()
        except Stopped:
            pass

    def work(self) -> None:
        """Read and finish one batch, waiting for any dependency that does not answer. Raises Stopped and Fenced."""
        records = self._log.wait_for(lambda: self._processor.poll(_BATCH, _POLL_SECONDS), LogUnavailable, self._stop)
        if not records:
            return
        try:
            self._finish(records)
        except LogUnavailable as error:
            self._log.failed(error, "offers not sent, reading the batch again")
            return
        self._log.answered()

    def _finish(self, records: RecordBatch) -> None:
        """Follow the clicks and send their offers. If the log refuses one, find it by halves, and send a dead letter.

        Machines before offers: after a crash or failed send between the two, the log delivers the batch again, and the
        machines' offsets say which clicks they have seen and which offers are still due. So do the halves.
        """
        detection = self._follow(self._read(records))
        offers = [
            NewRecord(self._offers_topic, offer.userId.encode(), msgspec.json.encode(offer))
            for offer in detection.offers
        ]
        try:
            self._processor.send(offers, records.next_offsets())
        except Refused as refused:
            if len(records) > 1:
                for half in records.halves():
                    self._finish(half)
                return
            letter = self._dead_letter(records[0], offers[0], refused)
            send_dead_letter(partial(self._processor.send, next_offsets=records.next_offsets()), letter)
            return
        if offers:
            logger.debug("offers sent", offers=len(offers))

    def _dead_letter(self, record: Record, offer: NewRecord, refused: Refused) -> NewDeadLetter:
        origin = Origin(SERVICE, self._enriched_topic, record.partition, record.offset, record.timestamp_ms)
        refusal = Refusal(Reason.REFUSED_BY_LOG, str(refused))
        return dead_letter(self._offers_topic, offer.key, offer.value, refusal, origin)

    def _read(self, records: Sequence[Record]) -> list[Click]:
        clicks = []
        erasures = self._current_erasures()
        refused: list[tuple[Record, Refusal]] = []
        for record in records:
            event = self._decode(record.value)
            if isinstance(event, Refusal):
                refused.append((record, event))
                continue
            if not self._trusts_claims:
                event = with_known_profile(event)
            if concerns(event) and not erasures.erases(event.userId, event.timestamp, record.timestamp_ms):
                clicks.append(Click(record.partition, record.offset, record.timestamp_ms, event))
        if refused:
            # Aggregate writes the dead letters, because it accounts for every event of this topic.
            self._unreadable += len(refused)
            record, refusal = refused[0]
            logger.warning(
                "unreadable events skipped",
                events=len(refused),
                so_far=self._unreadable,
                first_partition=record.partition,
                first_offset=record.offset,
                first_reason=refusal.reason.value,
            )
        return clicks

    def _follow(self, clicks: Sequence[Click]) -> Detection:
        if not clicks:
            return Detection({}, (), ())
        users = list(dict.fromkeys(click.event.userId for click in clicks))
        return self._redis.wait_for(
            lambda: self._store.update(
                users, lambda machines: detect(clicks, machines, self._window_ms), self._now_ms()
            ),
            REDIS_UNAVAILABLE,
            self._stop,
        )
