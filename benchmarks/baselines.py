"""What no service can go below: `python -m benchmarks.baselines floor|passthrough EVENTS`.

The floor consumes a topic in batches and decodes each event with msgspec; the pass-through also encodes and produces
each. Neither does anything else: no records, no refusals, no transactions, no commits. They use Quix Streams' clients
with the options that our own have.

In the measured span: CPU time of the process, all threads of the Kafka client included, from the first message to the
last one decoded, and for the pass-through to the last acknowledgement. Out of it: starting, joining the group, and what
was fetched before the first message was handed over. Settings come from the environment.
"""

import sys
import time
import uuid
from contextlib import closing
from typing import Final

import msgspec

from benchmarks.processes import answer, quieten_logs
from shared.events.schema import EnrichedEvent, RawEvent
from shared.runtime.settings import ServiceSettings, read_settings
from shared.streams.kafka.client import KafkaClients

BATCH_EVENTS: Final = 500  # in larger ones the messages leave the cache before they are decoded: a fifth dearer
_WAIT_SECONDS: Final = 0.5
_FLUSH_SECONDS: Final = 10.0


def floor(clients: KafkaClients, settings: ServiceSettings, events: int) -> float:
    """CPU µs an event of consuming and decoding enriched events."""
    decode = msgspec.json.Decoder(EnrichedEvent).decode
    with closing(clients.consumer(f"{settings.enriched_topic}-{uuid.uuid4().hex[:8]}")) as consumer:
        consumer.subscribe([settings.enriched_topic])
        while not consumer.consume(1, timeout=_WAIT_SECONDS):
            pass
        seen, started = 1, time.process_time()
        while seen < events:
            messages = consumer.consume(BATCH_EVENTS, timeout=_WAIT_SECONDS)
            for message in messages:
                decode(message.value())  # type: ignore[arg-type] # there are no tombstones
            seen += len(messages)
        return (time.process_time() - started) / (seen - 1) * 1e6


def passthrough(clients: KafkaClients, settings: ServiceSettings, events: int) -> float:
    """CPU µs an event of consuming, decoding, encoding and producing raw clicks."""
    decode = msgspec.json.Decoder(RawEvent).decode
    encode = msgspec.json.Encoder().encode
    out = f"{settings.raw_topic}-out"
    with closing(clients.consumer(f"{settings.raw_topic}-{uuid.uuid4().hex[:8]}")) as consumer:
        # As in `shared.streams.kafka.client.produce`: Quix Streams' own produce() costs twice the client's beneath it.
        producer = clients.producer()._producer  # noqa: SLF001
        consumer.subscribe([settings.raw_topic])
        while not consumer.consume(1, timeout=_WAIT_SECONDS):
            pass
        seen, started = 1, time.process_time()
        while seen < events:
            messages = consumer.consume(BATCH_EVENTS, timeout=_WAIT_SECONDS)
            for message in messages:
                value = encode(decode(message.value()))  # type: ignore[arg-type] # there are no tombstones
                try:
                    producer.produce(out, value, message.key())
                except BufferError:  # the broker is behind
                    producer.flush(_FLUSH_SECONDS)
                    producer.produce(out, value, message.key())
            producer.poll(0)
            seen += len(messages)
        producer.flush(_FLUSH_SECONDS)
        return (time.process_time() - started) / (seen - 1) * 1e6


def main(baseline: str, events: int) -> None:
    """Answer the CPU time an event."""
    settings = read_settings(ServiceSettings)
    clients = KafkaClients(settings, client_id="clickpulse-bench")
    measure = {"floor": floor, "passthrough": passthrough}[baseline]
    answer({f"{baseline}_us": measure(clients, settings, events)})


if __name__ == "__main__":
    quieten_logs()
    main(sys.argv[1], int(sys.argv[2]))
