"""Raw clicks at a steady rate: `python -m benchmarks.paced_clicks RATE SECONDS`, settings from the environment.

It is cheap, because it shares the machine with the services under load: the clicks of the simulated shop are encoded
once and sent repeatedly, each time with the current time, a new eventId and, of orders, a new orderId. The markers are
the only bots; the shop's bots are left out. Every SLOT_SECONDS it sends what is due, and catches up if it falls behind.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count, cycle, islice
from typing import Final

import msgspec

from benchmarks.markers import MARKERS, USER_AGENT, Made, product
from benchmarks.processes import quieten_logs
from services.enrich.attributes.agent import agents
from services.traffic.simulation import simulate
from services.traffic.world import World
from shared.events.raw import encode_raw
from shared.events.schema import RawEvent
from shared.runtime.process import spare_garbage_collector
from shared.runtime.settings import ServiceSettings, read_settings
from shared.streams.event_log import NewRecord
from shared.streams.kafka.client import KafkaClients, produce

WORLD: Final = World(seed=1, rate=50, visitors=50_000)
SLOT_SECONDS: Final = 0.01
READY: Final = "ready"
_SLOTS_A_MARKER: Final = 2
_POOL_CLICKS: Final = 50_000
_BEGINNING: Final = b'{"timestamp":0,'
_FLUSH_SECONDS: Final = 10.0


class PacedClicks:
    """Builds the clicks of a slot."""

    def __init__(self, topic: str) -> None:
        people = (click for click in simulate(WORLD, _now_ms()) if agents[click.userAgent].device_type != "Bot")
        self._people = cycle([_pooled(click) for click in islice(people, _POOL_CLICKS)])
        self._markers = [
            _pooled(RawEvent(timestamp=0, userId=product(n), productId=product(n), userAgent=USER_AGENT))
            for n in range(MARKERS)
        ]
        self._topic = topic
        self._numbers = count()
        self.made: dict[str, list[int]] = {product(number): [] for number in range(MARKERS)}

    def clicks(self, number: int) -> list[NewRecord]:
        """The next `number` clicks of people, with the current time."""
        now_ms = _now_ms()
        return [self._record(now_ms, *pooled) for pooled in islice(self._people, number)]

    def marker(self, number: int) -> NewRecord:
        """The next marker's click, with the current time."""
        now_ms = _now_ms()
        self.made[product(number % MARKERS)].append(now_ms)
        return self._record(now_ms, *self._markers[number % MARKERS])

    def _record(self, now_ms: int, key: bytes, end: bytes, is_sale: bool) -> NewRecord:
        number = next(self._numbers)
        value = b'{"timestamp":%d,"eventId":"%x-%x",%b' % (now_ms, now_ms, number, end)
        if is_sale:
            value = b'%b,"orderId":"%x-%x"}' % (value[:-1], now_ms, number)
        return NewRecord(self._topic, key, value)


def _pooled(click: RawEvent) -> tuple[bytes, bytes, bool]:
    """A click's key, the part of its value after the timestamp and the ids, and whether it is an order or a refund."""
    value = encode_raw(msgspec.structs.replace(click, timestamp=0, eventId=None, orderId=None))
    assert value.startswith(_BEGINNING)
    return click.userId.encode(), value[len(_BEGINNING) :], click.orderId is not None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main(rate: float, seconds: float) -> None:
    """Print READY, send for `seconds`, and print what was sent as `Made`."""
    settings = read_settings(ServiceSettings)
    producer = KafkaClients(settings, client_id="clickpulse-bench").producer()
    paced = PacedClicks(settings.raw_topic)
    spare_garbage_collector()
    print(READY, flush=True)  # noqa: T201 - read by `made_by`
    sent, delays_ms = 0, []
    cpu_before, started, started_ms = time.process_time(), time.monotonic(), _now_ms()
    for slot in range(1, round(seconds / SLOT_SECONDS) + 1):
        wait_seconds = started + slot * SLOT_SECONDS - time.monotonic()
        if wait_seconds > 0:
            time.sleep(wait_seconds)
        delays_ms.append(max(0.0, -wait_seconds * 1000))
        records = paced.clicks(round(slot * SLOT_SECONDS * rate) - sent)
        sent += len(records)
        if slot % _SLOTS_A_MARKER == 0:
            records.append(paced.marker(slot // _SLOTS_A_MARKER))
            sent += 1
        produce(producer, records)
        producer.poll(0)
    took_seconds = time.monotonic() - started
    producer.flush(_FLUSH_SECONDS)
    cpu_seconds = time.process_time() - cpu_before
    print(msgspec.json.encode(Made(started_ms, sent, took_seconds, cpu_seconds, max(delays_ms), paced.made)).decode())  # noqa: T201 - read by `made_by`


def made_by(
    rate: float, seconds: float, environment: Mapping[str, str], on_ready: Callable[[], object] = lambda: None
) -> Made:
    """Run this module as a process to its end; calls `on_ready` when the first click is sent."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.paced_clicks", str(rate), str(seconds)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline().strip() == READY:
                on_ready()
            answer = process.stdout.read()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise RuntimeError(f"{command!r} failed")
    return msgspec.json.decode(answer, type=Made)


if __name__ == "__main__":
    quieten_logs()
    main(float(sys.argv[1]), float(sys.argv[2]))
