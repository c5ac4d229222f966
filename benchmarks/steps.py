"""One step of the benchmark as a process: `python -m benchmarks.steps STEP EVENTS`, settings from the environment."""

import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from services.aggregate.publisher import RedisPublisher
from services.aggregate.sender import Sender
from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from services.enrich.lookups import Lookups
from services.enrich.service import EnrichService, Route
from services.enrich.settings import EnrichSettings
from services.enrich.tally import Tally
from services.traffic.simulation import World, simulate
from shared.events import decode_enriched, decode_raw, encode_raw
from shared.health import Health
from shared.logs import configure_logs
from shared.redis_client import connect
from shared.refusals import dead_letter_topic
from shared.settings import ServiceSettings, read_settings
from shared.streams import Assignment, Consumer, FromTime, NewRecord, Position, Processor, Record, TopicSpec
from shared.streams.kafka import KafkaLog

SPAN_SECONDS = 8 * 3600
VISITORS = 50_000
BATCH_RECORDS = 10_000
POLL_SECONDS = 0.5


class Meter:
    """CPU time of this process, all its threads, over a number of events; the first batch only starts the clock."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._seen = 0
        self._first = 0
        self._started = 0.0
        self.us_per_event = 0.0
        self.done = Event()

    def saw(self, records: Sequence[Record]) -> None:
        """Count records that were read; `done` is set at the poll after the last, when they are worked off."""
        if self._seen >= self._events:
            if not self.done.is_set():
                self.us_per_event = (time.process_time() - self._started) / (self._seen - self._first) * 1e6
                self.done.set()
            return
        if not self._seen and records:
            self._first = len(records)
            self._started = time.process_time()
        self._seen += len(records)


class MeteredReading:
    """A consumer or a processor that tells a meter what it reads."""

    def __init__(self, reader: Consumer | Processor, meter: Meter) -> None:
        self._reader = reader
        self._meter = meter

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        records = self._reader.poll(max_records, timeout_seconds)
        self._meter.saw(records)
        return records

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)


class FromTheBeginning:
    """The listener of the steps that keep no state."""

    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - the interface's
        return FromTime(0)

    def on_revoked(self, partition: int) -> None:
        """Keeps nothing."""


def fill(log: KafkaLog, settings: ServiceSettings, events: int) -> None:
    """Clicks of the past eight hours in the raw topic, and the same enriched."""
    for topic in (settings.raw_topic, settings.enriched_topic, "bench-out", dead_letter_topic(settings.raw_topic)):
        log.ensure_topics([TopicSpec(topic, settings.partitions, 24 * 3_600_000)])
    # Twice the rate that is needed, as the night brings less: none of the clicks may be in the future.
    world = World(seed=1, rate=2 * events / SPAN_SECONDS, visitors=VISITORS)
    clicks = simulate(world, (int(time.time()) - SPAN_SECONDS) * 1000)
    with log.producer() as producer:
        while batch := list(islice(clicks, min(BATCH_RECORDS, events))):
            producer.send([NewRecord(settings.raw_topic, click.userId.encode(), encode_raw(click)) for click in batch])
            events -= len(batch)
            if not events:
                break


def floor(log: KafkaLog, settings: ServiceSettings, meter: Meter) -> None:
    """Read the enriched topic in batches and decode each event."""
    with log.consumer(settings.enriched_topic, _group(), FromTheBeginning()) as consumer:
        while not meter.done.is_set():
            records = consumer.poll(BATCH_RECORDS, POLL_SECONDS)
            meter.saw(records)
            for record in records:
                decode_enriched(record.value)


def passthrough(log: KafkaLog, settings: ServiceSettings, meter: Meter) -> None:
    """Read the raw topic, decode, encode and produce each event, without transactions."""
    with log.consumer(settings.raw_topic, _group(), FromTheBeginning()) as consumer, log.producer() as producer:
        while not meter.done.is_set():
            records = consumer.poll(BATCH_RECORDS, POLL_SECONDS)
            meter.saw(records)
            clicks = [decode_raw(record.value) for record in records]
            values = [encode_raw(click) for click in clicks]  # type: ignore[arg-type] # none is refused
            outputs = zip(records, values, strict=True)
            producer.send([NewRecord("bench-out", record.key, value) for record, value in outputs])


def enrich(log: KafkaLog, settings: ServiceSettings, meter: Meter, enriched_topic: str = "bench-out") -> None:
    """The enrich service, transactions included."""
    own = read_settings(EnrichSettings)
    lookups = Lookups(
        connect(own.redis_url),
        own.redis_prefix,
        found_seconds=own.lookup_cache_seconds,
        missing_seconds=own.lookup_missing_seconds,
        cache_entries=own.lookup_cache_entries,
        clock=time.monotonic,
    )
    route = Route(settings.raw_topic, enriched_topic, log.address, "", own.enrich_batch_records)
    with log.processor(settings.raw_topic, _group()) as processor:
        metered: Processor = MeteredReading(processor, meter)  # type: ignore[assignment] # by __getattr__
        tally = Tally(time.monotonic)
        EnrichService(metered, lookups, route, tally=tally, health=Health("bench"), stop=meter.done).run()


def aggregate(log: KafkaLog, settings: ServiceSettings, meter: Meter) -> None:
    """The aggregate service, RocksDB and every publish included."""
    own = read_settings(AggregateSettings)
    health = Health("bench")
    with ExitStack() as stack:
        state = Path(stack.enter_context(TemporaryDirectory(prefix="clickpulse-bench-")))
        sender = stack.enter_context(Sender(RedisPublisher(connect(own.redis_url), own, "bench"), health))
        service = AggregateService(
            own.model_copy(update={"state_dir": state}),
            producer=stack.enter_context(log.producer()),
            offer=sender.offer,
            health=health,
            clock=time.time,
            stop=meter.done,
        )
        consumer = stack.enter_context(log.consumer(settings.enriched_topic, _group(), service))
        service.run(MeteredReading(consumer, meter))  # type: ignore[arg-type] # by __getattr__


STEPS: Mapping[str, Callable[[KafkaLog, ServiceSettings, Meter], None]] = {
    "floor": floor,
    "passthrough": passthrough,
    "aggregate": aggregate,
    "enrich": enrich,
}


def main(step: str, events: int) -> None:
    """Do one step and print its CPU time an event in µs."""
    settings = read_settings(ServiceSettings)
    configure_logs("bench", settings.log_format, settings.log_level)
    log = KafkaLog(settings, client_id="clickpulse-bench")
    meter = Meter(events)
    if step == "fill":
        fill(log, settings, events)
        enrich(log, settings, meter, settings.enriched_topic)
    else:
        STEPS[step](log, settings, meter)
    print(meter.us_per_event)  # noqa: T201 - read by benchmarks.__main__


def _group() -> str:
    return f"bench-{uuid.uuid4().hex[:8]}"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
