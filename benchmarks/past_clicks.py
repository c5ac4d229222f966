"""Enriched clicks of the past: `python -m benchmarks.past_clicks RATE SECONDS`, settings from the environment.

They are appended to ENRICHED_TOPIC as fast as the broker takes them, each with the time, of the event and of its
arrival, that it would have had if they had come at RATE until now: so the windows are full at once. None is a bot's,
as those are how markers are found.
"""

import sys
import time
from collections.abc import Iterator
from itertools import count, cycle, islice
from typing import Final

from confluent_kafka import Producer

from benchmarks.clicks import Clicks
from benchmarks.paced_clicks import WORLD
from benchmarks.processes import answer, quieten_logs
from services.aggregate.settings import AggregateSettings
from shared.process import spare_garbage_collector
from shared.settings import read_settings
from shared.streams.kafka_client import KafkaClients

_POOL_CLICKS: Final = 50_000
_SLOT_MS: Final = 100
_FULL_SECONDS: Final = 0.05
_FLUSH_SECONDS: Final = 60.0


def _pool() -> Iterator[tuple[bytes, bytes, bytes]]:
    """Clicks as their key, what is between the numbers of timestamp and eventId, and what follows."""
    for batch in Clicks(seed=7, visitors=WORLD.visitors).between(0, 1000, _POOL_CLICKS):
        for record in batch:
            assert record.key is not None
            if b'"Bot"' not in record.value:
                _timestamp, _, rest = record.value.partition(b",")
                before, id_field, rest = rest.partition(b'"eventId":"')
                _event_id, _, after = rest.partition(b'"')
                yield record.key, b"," + before + id_field, b'"' + after


def main(rate: int, seconds: int) -> None:
    """Append, and answer how many."""
    settings = read_settings(AggregateSettings)
    client: Producer = KafkaClients(settings, client_id="clickpulse-bench").producer()._producer  # noqa: SLF001 - see `produce`
    people, numbers = cycle(list(_pool())), count()
    spare_garbage_collector()
    begin_ms = int((time.time() - seconds) * 1000)
    for time_ms in range(begin_ms, begin_ms + seconds * 1000, _SLOT_MS):
        for key, before, after in islice(people, rate * _SLOT_MS // 1000):
            value = b'{"timestamp":%d%bpast-%x%b' % (time_ms, before, next(numbers), after)
            _append(client, settings.enriched_topic, key, value, time_ms)
        client.poll(0)
    client.flush(_FLUSH_SECONDS)
    answer({"clicks": next(numbers)})


def _append(client: Producer, topic: str, key: bytes, value: bytes, time_ms: int) -> None:
    while True:
        try:
            client.produce(topic, value, key, timestamp=time_ms)
        except BufferError:  # its queue is full: let some out
            client.poll(_FULL_SECONDS)
        else:
            return


if __name__ == "__main__":
    quieten_logs()
    main(int(sys.argv[1]), int(sys.argv[2]))
