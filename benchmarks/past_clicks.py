"""Enriched clicks of the past: `python -m benchmarks.past_clicks RATE SECONDS`, settings from the environment.

Appends clicks to ENRICHED_TOPIC as fast as the broker accepts them. Event time and arrival are what they would be at
RATE, from SECONDS ago until now. Then it continues at RATE, so the windows have no gap, until standard input ends. No
click is a bot's, because only markers are bots.
"""

import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count, cycle, islice
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from benchmarks.clicks import Clicks
from benchmarks.paced_clicks import WORLD
from benchmarks.processes import answer, figures_until, quieten_logs
from services.aggregate.settings import AggregateSettings
from shared.runtime.process import spare_garbage_collector
from shared.runtime.settings import read_settings
from shared.streams.kafka.client import KafkaClients

_POOL_CLICKS: Final = 50_000
_SLOT_SECONDS: Final = 0.1
_FULL_SECONDS: Final = 0.05
_FLUSH_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 10.0


def past_made_by(rate: float, seconds: int, environment: Mapping[str, str], wait: Callable[[], object]) -> int:
    """Run this module as a process until `wait` returns; return the number of clicks appended."""
    return int(figures_until(wait, "past_clicks", str(rate), str(seconds), environment=environment)["clicks"])


def main(rate: float, seconds: int) -> None:
    """Append clicks and report how many."""
    settings = read_settings(AggregateSettings)
    clients, topic = KafkaClients(settings, client_id="clickpulse-bench"), settings.enriched_topic
    client: Producer = clients.producer()._producer  # noqa: SLF001 - see `produce`
    people, numbers = cycle(list(_pool())), count()
    spare_garbage_collector()
    take_times_of(clients, topic, "CreateTime")  # so that we set the arrival
    began_at = time.time() - seconds
    for slot in count(1):
        until = began_at + slot * _SLOT_SECONDS
        wait_seconds = until - time.time()
        if wait_seconds > 0 and select.select([sys.stdin], [], [], wait_seconds)[0]:
            break
        time_ms = int((until - _SLOT_SECONDS) * 1000)
        due = round(slot * _SLOT_SECONDS * rate) - round((slot - 1) * _SLOT_SECONDS * rate)
        for key, before, between, after in islice(people, due):
            number = next(numbers)
            value = b'{"timestamp":%d%bpast-%x%b' % (time_ms, before, number, between)
            if after:
                value = b"%bpast-%x%b" % (value, number, after)
            append(client, topic, key, value, time_ms)
        client.poll(0)
    assert client.flush(_FLUSH_SECONDS) == 0
    take_times_of(clients, topic, "LogAppendTime")
    answer({"clicks": next(numbers)})


def _pool() -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    """Clicks as their key and the parts between the timestamp, the eventId and, of a sale, the orderId."""
    for batch in Clicks(seed=7, visitors=WORLD.visitors).between(0, 1000, _POOL_CLICKS):
        for record in batch:
            assert record.key is not None
            if b'"Bot"' not in record.value:
                _timestamp, _, rest = record.value.partition(b",")
                before, id_field, rest = rest.partition(b'"eventId":"')
                _event_id, _, after = rest.partition(b'"')
                between, order_field, rest = after.partition(b'"orderId":"')
                _order_id, _, after = rest.partition(b'"')
                yield record.key, b"," + before + id_field, b'"' + between + order_field, after and b'"' + after


def append(client: Producer, topic: str, key: bytes, value: bytes, time_ms: int) -> None:
    while True:
        try:
            client.produce(topic, value, key, timestamp=time_ms, on_delivery=_delivered)
        except BufferError:  # its queue is full
            client.poll(_FULL_SECONDS)
        else:
            return


def _delivered(error: KafkaError | None, _: Message) -> None:
    if error is not None:
        raise KafkaException(error)


def take_times_of(clients: KafkaClients, topic: str, kind: str) -> None:
    entry = ConfigEntry("message.timestamp.type", kind, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient(clients.admin_options())
    (done,) = admin.incremental_alter_configs([resource]).values()
    done.result(timeout=_ANSWER_SECONDS)


if __name__ == "__main__":
    quieten_logs()
    main(float(sys.argv[1]), int(sys.argv[2]))
