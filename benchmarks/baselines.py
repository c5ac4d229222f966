"""The lower bounds of any service: `python -m benchmarks.baselines bare_floor|floor|passthrough EVENTS`.

The bare floor is what anybody would write without this project: confluent-kafka's consumer, `consume(10_000)`, and
msgspec on each value. It has the one option without which reading a backlog takes four times as long
(`fetch.queue.backoff.ms`); the others are the client's defaults.

The floor consumes a topic in batches and decodes each event with msgspec; the pass-through also encodes and produces
each. They use Quix Streams' clients with the same options as our own, and batches that stay in the CPU cache.

None of them does anything else: no records, no refusals, no transactions, no commits.

Included: CPU time of the process with all threads of the Kafka client, from the first message to the last one decoded,
and for the pass-through to the last acknowledgement. Excluded: startup, joining the group, and what was fetched before
the first message was returned. Settings come from the environment.
"""

import sys
import time
import uuid
from contextlib import closing
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer

from benchmarks.processes import answer, quieten_logs
from shared.events.schema import EnrichedEvent, RawEvent
from shared.runtime.settings import ServiceSettings, read_settings
from shared.streams.kafka.client import KafkaClients

BATCH_EVENTS: Final = 500  # larger batches leave the CPU cache before they are decoded, which costs a fifth more
BARE_BATCH_EVENTS: Final = 10_000
_BARE_OPTIONS: Final = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "fetch.queue.backoff.ms": 10,
}
_WAIT_SECONDS: Final = 0.5
_FLUSH_SECONDS: Final = 10.0


def bare_floor(_: KafkaClients, settings: ServiceSettings, events: int) -> float:
    """CPU µs per event to consume and decode enriched events with confluent-kafka alone."""
    group = f"{settings.enriched_topic}-{uuid.uuid4().hex[:8]}"
    own = {"bootstrap.servers": settings.kafka_broker, "group.id": group}
    with closing(Consumer(_BARE_OPTIONS | own)) as consumer:
        return _decoding(consumer, settings.enriched_topic, events, BARE_BATCH_EVENTS)


def floor(clients: KafkaClients, settings: ServiceSettings, events: int) -> float:
    """CPU µs per event to consume and decode enriched events."""
    with closing(clients.consumer(f"{settings.enriched_topic}-{uuid.uuid4().hex[:8]}")) as consumer:
        return _decoding(consumer, settings.enriched_topic, events, BATCH_EVENTS)


def _decoding(consumer: Any, topic: str, events: int, batch_events: int) -> float:
    """`consumer` is that of confluent-kafka or of Quix Streams."""
    decode = msgspec.json.Decoder(EnrichedEvent).decode
    consumer.subscribe([topic])
    while not consumer.consume(1, timeout=_WAIT_SECONDS):
        pass
    seen, started = 1, time.process_time()
    while seen < events:
        messages = consumer.consume(batch_events, timeout=_WAIT_SECONDS)
        for message in messages:
            decode(message.value())
        seen += len(messages)
    return (time.process_time() - started) / (seen - 1) * 1e6


def passthrough(clients: KafkaClients, settings: ServiceSettings, events: int) -> float:
    """CPU µs per event to consume, decode, encode and produce raw clicks."""
    decode = msgspec.json.Decoder(RawEvent).decode
    encode = msgspec.json.Encoder().encode
    out = f"{settings.raw_topic}-out"
    with closing(clients.consumer(f"{settings.raw_topic}-{uuid.uuid4().hex[:8]}")) as consumer:
        # As in `shared.streams.kafka.client.produce`: Quix Streams' produce() costs twice the underlying client's.
        producer = clients.producer()._producer  # noqa: SLF001
        consumer.subscribe([settings.raw_topic])
        while not consumer.consume(1, timeout=_WAIT_SECONDS):
            pass
        seen, started = 1, time.process_time()
        while seen < events:
            messages = consumer.consume(BATCH_EVENTS, timeout=_WAIT_SECONDS)
            for message in messages:
                value = encode(decode(message.value()))  # type: ignore[arg-type] # no tombstones
                try:
                    producer.produce(out, value, message.key())
                except BufferError:  # the broker lags
                    producer.flush(_FLUSH_SECONDS)
                    producer.produce(out, value, message.key())
            producer.poll(0)
            seen += len(messages)
        producer.flush(_FLUSH_SECONDS)
        return (time.process_time() - started) / (seen - 1) * 1e6


def main(baseline: str, events: int) -> None:
    """Report the CPU time per event."""
    settings = read_settings(ServiceSettings)
    clients = KafkaClients(settings, client_id="clickpulse-bench")
    measure = {"bare_floor": bare_floor, "floor": floor, "passthrough": passthrough}[baseline]
    answer({f"{baseline}_us": measure(clients, settings, events)})


if __name__ == "__main__":
    quieten_logs()
    main(sys.argv[1], int(sys.argv[2]))
