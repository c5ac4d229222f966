"""CPU per event of the real services: `python -m benchmarks.steps fill|enrich|aggregate EVENTS`.

Included: CPU time of the process with all threads, from the first batch to the end of the last one, with publishing,
checkpoints, transactions and commits. Excluded: startup, joining the group, the first batch, and what was fetched
before it. Settings come from the environment.
"""

import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from benchmarks.engine import running_service
from benchmarks.processes import answer, quieten_logs
from services.aggregate.settings import AggregateSettings
from services.enrich.attributes.country import Allocations, Countries
from services.enrich.lookup_files import command as load_lookups
from services.enrich.lookups.redis_lookups import Lookups
from services.enrich.service import EnrichService, Route
from services.enrich.settings import EnrichSettings
from services.enrich.tally import Tally
from services.traffic.lookups import PRODUCTS_FILE, VISITORS_FILE, write_lookups
from services.traffic.simulation import simulate
from services.traffic.world import World
from shared.events.raw import encode_raw
from shared.events.refusals import dead_letter_topic
from shared.runtime.process import spare_garbage_collector
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings, read_settings
from shared.status.health import Health
from shared.streams.event_log import Consumer, NewRecord, Processor, Record, TopicSpec
from shared.streams.kafka.log import KafkaLog

SPAN_SECONDS = 8 * 3600
VISITORS = 50_000
BATCH_RECORDS = 10_000
_WARM_SECONDS = 3600.0  # the second pass knows what the first one looked up, even on a slow machine


class Meter:
    """CPU time of this process with all threads over a number of events; the first batch only starts the clock."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._seen = 0
        self._first = 0
        self._started = 0.0
        self.us_per_event = 0.0
        self.done = Event()

    def saw(self, records: Sequence[Record]) -> None:
        """Count records read; sets `done` at the poll after the last one, when all are processed."""
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
    """A consumer or processor that reports what it reads to a meter."""

    def __init__(self, reader: Consumer | Processor, meter: Meter) -> None:
        self._reader = reader
        self._meter = meter

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        records = self._reader.poll(max_records, timeout_seconds)
        self._meter.saw(records)
        return records

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)


def fill(log: KafkaLog, settings: ServiceSettings, meter: Meter, events: int) -> None:
    """Load the shop's lookups into Redis, and fill the raw and enriched topics with eight hours of clicks."""
    topics = (settings.raw_topic, settings.enriched_topic, _out(settings), dead_letter_topic(settings.raw_topic))
    log.ensure_topics([TopicSpec(topic, settings.partitions, 24 * 3_600_000) for topic in topics])
    # Twice the required rate, because nights are quieter and no click may be in the future.
    world = World(seed=1, rate=2 * events / SPAN_SECONDS, visitors=VISITORS)
    _load_lookups(world)
    clicks = islice(simulate(world, (int(time.time()) - SPAN_SECONDS) * 1000), events)
    with log.producer() as producer:
        while batch := list(islice(clicks, BATCH_RECORDS)):
            producer.send([NewRecord(settings.raw_topic, click.userId.encode(), encode_raw(click)) for click in batch])
    enrich(log, settings, [meter], settings.enriched_topic)


def _load_lookups(world: World) -> None:
    with TemporaryDirectory(prefix="clickpulse-bench-") as folder:
        write_lookups(world, Path(folder))
        files = f"--products={folder}/{PRODUCTS_FILE}", f"--visitors={folder}/{VISITORS_FILE}"
        load_lookups.main(files)


def enrich(log: KafkaLog, settings: ServiceSettings, meters: Sequence[Meter], enriched_topic: str) -> None:
    """Run enrich with transactions over the same topic, once per meter, keeping its caches."""
    own = read_settings(EnrichSettings)
    countries = Countries(Allocations())
    lookups = Lookups(
        connect(own.redis_url),
        own.redis_prefix,
        found_seconds=_WARM_SECONDS,
        missing_seconds=_WARM_SECONDS,
        cache_entries=own.lookup_cache_entries,
        clock=time.monotonic,
    )
    route = Route(settings.raw_topic, enriched_topic, log.address, "", own.enrich_batch_records)
    for meter in meters:
        with log.processor(settings.raw_topic, _group(settings)) as processor:
            metered: Processor = MeteredReading(processor, meter)  # type: ignore[assignment] # by __getattr__
            tally, health = Tally(time.monotonic), Health("bench")
            EnrichService(
                metered, lookups, route, tally=tally, health=health, stop=meter.done, countries=countries
            ).run()


def aggregate(log: KafkaLog, settings: ServiceSettings, meter: Meter) -> None:
    """Run aggregate with RocksDB and every publish."""
    own = read_settings(AggregateSettings)
    with ExitStack() as stack:
        state = Path(stack.enter_context(TemporaryDirectory(prefix="clickpulse-bench-")))
        producer = stack.enter_context(log.producer())
        service = stack.enter_context(
            running_service(own.model_copy(update={"state_dir": state}), producer, meter.done)
        )
        consumer = stack.enter_context(log.consumer(settings.enriched_topic, _group(settings), service))
        service.run(MeteredReading(consumer, meter))  # type: ignore[arg-type] # by __getattr__


def main(step: str, events: int) -> None:
    """Run one step and report its CPU time per event in µs."""
    settings = read_settings(ServiceSettings)
    log = KafkaLog(settings, client_id="clickpulse-bench")
    meter = Meter(events)
    spare_garbage_collector()  # like the services
    if step == "fill":
        fill(log, settings, meter, events)
    elif step == "enrich":
        warm = Meter(events)
        enrich(log, settings, [meter, warm], _out(settings))
        answer({"enrich_us": warm.us_per_event, "enrich_cold_us": meter.us_per_event})
        return
    else:
        aggregate(log, settings, meter)
    answer({f"{step}_us": meter.us_per_event})


def _out(settings: ServiceSettings) -> str:
    return f"{settings.raw_topic}-out"


def _group(settings: ServiceSettings) -> str:
    return f"{settings.raw_topic}-{uuid.uuid4().hex[:8]}"


if __name__ == "__main__":
    quieten_logs()
    main(sys.argv[1], int(sys.argv[2]))
