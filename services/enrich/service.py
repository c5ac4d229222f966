"""The loop: read a micro-batch of raw clicks, enrich it, send it with its dead letters and offsets in one step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from threading import Event
from typing import Final, Protocol, TypeVar, cast

from services.enrich.attributes.agent import agents
from services.enrich.attributes.country import Allocations, Countries
from services.enrich.lookups.catalogue import NO_PRODUCT, UNKNOWN_PRODUCT, UNKNOWN_VISITOR, ProductFacts, VisitorFacts
from services.enrich.privacy.truncation import truncated_ips
from services.enrich.tally import Tally
from services.enrich.transform.enrich import Enricher
from services.enrich.transform.fast_path import FastPath
from services.enrich.transform.rules import Rules
from shared.events.dead_letters import NewDeadLetter, dead_letter
from shared.events.enriched import encode_enriched
from shared.events.raw import RawDecoder
from shared.events.refusals import Origin, Reason, Refusal, dead_letter_topic
from shared.events.schema import EnrichedEvent, RawEvent
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.privacy.pseudonyms import Pseudonyms
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.redis_client import REDIS_UNAVAILABLE
from shared.status.health import Health
from shared.streams.event_log import LogUnavailable, NewRecord, Processor, Record, RecordBatch, Refused, ToAppend
from shared.streams.refused import send_dead_letter

SERVICE: Final = "enrich"

_POLL_SECONDS: Final = 0.5
Answer = TypeVar("Answer")

_user_id: Final[Callable[[RawEvent], str]] = attrgetter("userId")


@dataclass(frozen=True, slots=True)
class Route:
    """The topics to read and write, and the addresses of dependencies for messages."""

    raw_topic: str
    enriched_topic: str
    log_address: str
    redis_address: str
    batch_records: int


class KnownLookups(Protocol):
    """`Lookups`, or a wrapper of it."""

    @property
    def missed(self) -> int: ...
    @property
    def products(self) -> Mapping[str, ProductFacts]: ...
    @property
    def visitors(self) -> Mapping[str, VisitorFacts]: ...
    def learn(self, events: Sequence[RawEvent]) -> object: ...
    def exclude(self, is_forgotten: Callable[[str], bool]) -> None: ...


class EnrichService:
    """Enriches one topic into another until `stop` is set. One thread."""

    def __init__(
        self,
        processor: Processor,
        lookups: KnownLookups,
        route: Route,
        *,
        tally: Tally,
        health: Health,
        stop: Event,
        countries: Countries | None = None,
        pseudonyms: Pseudonyms | None = None,
        rules: Rules | None = None,
        current_erasures: Callable[[], Erasures] = lambda: NO_ERASURES,
    ) -> None:
        self._processor = processor
        self._lookups = lookups
        self._countries = countries or Countries(Allocations())
        self._pseudonyms = pseudonyms
        self._current_erasures = current_erasures
        self._erasures = NO_ERASURES
        rules = rules or Rules()
        self._truncates_ip = rules.truncates_ip
        self._decode = RawDecoder(rules.limits).decode
        self._enrich = Enricher(rules).enrich
        self._append_answers = FastPath(rules).append_answers
        self._route = route
        self._dead_letters = dead_letter_topic(route.raw_topic)
        self._tally = tally
        self._log = Dependency(f"the event log at {route.log_address}", health, "log")
        self._redis = Dependency(f"Redis at {route.redis_address}", health, "redis")
        self._stop = stop

    def run(self) -> None:
        """Process batches. After `stop` is set, finishes the current one if all dependencies answer.

        Raises Fenced when another process has taken over the work.
        """
        try:
            while not self._stop.is_set():
                self._log.wait_for(self.work, LogUnavailable, self._stop)
        except Stopped:
            pass
        finally:
            self._tally.close()

    def work(self) -> None:
        """Process one batch. After LogUnavailable the log delivers the same records again."""
        self._countries.refresh()
        self._follow_erasures()
        records = self._processor.poll(self._route.batch_records, _POLL_SECONDS)
        if records:
            self._finish(records)
        self._tally.report(self._processor.lag)

    def _finish(self, records: RecordBatch) -> None:
        """Send the outputs of the records. If the log refuses one, find it by halves: a dead letter replaces it."""
        outputs, reasons = self._outputs(records)
        try:
            self._processor.send(outputs, records.next_offsets())
        except Refused as refused:
            if len(records) > 1:
                for half in records.halves():
                    self._finish(half)
                return
            letter, reason = self._replaced(records[0], outputs[0], refused)
            send_dead_letter(partial(self._processor.send, next_offsets=records.next_offsets()), letter)
            reasons = [reason]
        self._tally.add(len(records) - len(reasons), reasons, self._lookups.missed)

    def _outputs(self, batch: RecordBatch) -> tuple[Sequence[ToAppend], Sequence[Reason]]:
        """An enriched click or dead letter for each record, in order, and the reasons of the dead letters.

        A record of a forgotten visitor from before the erasure has none: it was delivered again, or late.
        """
        self._ask_redis(partial(self._lookups.learn, ()))  # asks nothing; drops expired lookups
        if self._pseudonyms is not None:
            others, reasons = self._slow_outputs(batch)
            return [output for output in others if output is not None], reasons
        outputs, left = self._fast_outputs(batch.values, batch.timestamps_ms)
        if not left:
            return cast(list[ToAppend], outputs), []
        others, reasons = self._slow_outputs([batch[place] for place in left])
        for place, other in zip(left, others, strict=True):
            outputs[place] = other
        # The fast path left None only where the slow one has an answer, or an erasure.
        return [output for output in outputs if output is not None], reasons

    def _fast_outputs(
        self, values: Sequence[bytes], arrived_ms: Sequence[int]
    ) -> tuple[list[ToAppend | None], list[int]]:
        return self._append_answers(
            values,
            arrived_ms,
            self._route.enriched_topic,
            self._lookups.products,
            self._lookups.visitors,
            self._countries.by_ip,
            agents,
        )

    def _slow_outputs(self, records: Sequence[Record]) -> tuple[Sequence[ToAppend | None], list[Reason]]:
        """As `_outputs` for records that the fast path left, or for any, and with None for an erased record.

        Asks Redis once for all lookups of the records that are not cached. Most were left only for the lack of those,
        so they take the fast path then.
        """
        events = [self._decoded(record) for record in records]
        readable = [event for event in events if isinstance(event, RawEvent)]
        missed = self._lookups.missed
        if readable:
            self._ask_redis(partial(self._lookups.learn, readable))
        if self._pseudonyms is not None or self._lookups.missed == missed:
            return self._enriched(records, events)
        outputs, left = self._fast_outputs(
            [record.value for record in records], [record.timestamp_ms for record in records]
        )
        others, reasons = self._enriched([records[place] for place in left], [events[place] for place in left])
        for place, other in zip(left, others, strict=True):
            outputs[place] = other
        return outputs, reasons

    def _enriched(
        self, records: Sequence[Record], events: Sequence[RawEvent | Refusal | None]
    ) -> tuple[list[ToAppend | None], list[Reason]]:
        """As `_slow_outputs`, of records with what they hold. Asks Redis only for pseudonyms."""
        outputs: list[ToAppend | None] = []
        reasons: list[Reason] = []
        user_ids = iter(self._user_ids([event for event in events if isinstance(event, RawEvent)]))
        products, visitors, topic = self._lookups.products, self._lookups.visitors, self._route.enriched_topic
        country_by_ip, truncates_ip, enrich = self._countries.by_ip, self._truncates_ip, self._enrich
        for record, event in zip(records, events, strict=True):
            if isinstance(event, RawEvent):
                user_id = next(user_ids)
                outcome = enrich(
                    event,
                    user_id,
                    truncated_ips[event.ip] if truncates_ip else event.ip,
                    products.get(event.productId, UNKNOWN_PRODUCT) if event.productId is not None else NO_PRODUCT,
                    visitors.get(event.userId, UNKNOWN_VISITOR),
                    country_by_ip[event.ip],
                    agents[event.userAgent],
                    record.timestamp_ms,
                )
                if isinstance(outcome, EnrichedEvent):
                    outputs.append(NewRecord(topic, user_id.encode(), encode_enriched(outcome)))
                    continue
                refusal = outcome
            elif event is None:
                outputs.append(None)
                continue
            else:
                refusal = event
            outputs.append(NewRecord(*self._dead_letter(record, refusal)))
            reasons.append(refusal.reason)
        return outputs, reasons

    def _decoded(self, record: Record) -> RawEvent | Refusal | None:
        """What the record holds; None if an erasure covers it. A refused one has no visitor and no time but these."""
        event = self._decode(record.value)
        erasures = self._erasures
        if erasures:
            if isinstance(event, RawEvent):
                user_id, timestamp_ms = event.userId, event.timestamp
            else:
                user_id, timestamp_ms = (record.key or b"").decode("utf-8", "surrogateescape"), record.timestamp_ms
            if erasures.erases(user_id, timestamp_ms, record.timestamp_ms):
                return None
        return event

    def _follow_erasures(self) -> None:
        erasures = self._current_erasures()
        if erasures is not self._erasures:
            self._erasures = erasures
            self._lookups.exclude(erasures.includes)

    def _user_ids(self, events: Sequence[RawEvent]) -> Iterable[str]:
        """The `userId` to write for each event: its own, or its pseudonym."""
        pseudonyms = self._pseudonyms
        if pseudonyms is None:
            return map(_user_id, events)
        return self._ask_redis(lambda: pseudonyms.of(events))

    def _ask_redis(self, call: Callable[[], Answer]) -> Answer:
        """Call until Redis answers; unhealthy meanwhile. Raises Stopped."""
        return self._redis.wait_for(call, REDIS_UNAVAILABLE, self._stop)

    def _replaced(self, record: Record, output: ToAppend, refused: Refused) -> tuple[NewDeadLetter, Reason]:
        """What to send when the log refused the output: the same dead letter, or one about the record."""
        topic, *_, headers = output
        if topic == self._dead_letters:
            return NewDeadLetter(*output), Reason(dict(headers)["reason"].decode())
        refusal = Refusal(Reason.REFUSED_BY_LOG, str(refused))
        return self._dead_letter(record, refusal), refusal.reason

    def _dead_letter(self, record: Record, refusal: Refusal) -> NewDeadLetter:
        origin = Origin(SERVICE, self._route.raw_topic, record.partition, record.offset, record.timestamp_ms)
        return dead_letter(self._route.raw_topic, record.key, record.value, refusal, origin)
