"""The collector against the server beneath it: `python -m benchmarks.collect [REQUESTS]`, ten thousand by default.

All run on one core, the load and a real Kafka on the others. The floor is the same server with an ASGI application that
answers 202 to the same bodies and does nothing else; the direct floor answers without a task, as the collector does.
Each is sent single events, then batches of a hundred; the CPU time of its process gives the rate that the core
sustains. Then the collector gets half of that rate, in events that come one at a time, and
each answer is timed. `collect_bytes_grown_per_request` is how much its memory grew with all the requests.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Final

from benchmarks.processes import answer, quieten_logs
from benchmarks.site import Servers, fresh_site, running_servers, wait_until
from shared.runtime.http_server import serve
from shared.runtime.listening import listen
from tests.support.servers.collector import Collector
from tests.support.servers.server_process import free_port

CONNECTIONS: Final = 256
BATCH: Final = 100
ROUNDS: Final = 3
_WARM_UP: Final = 1_000
_PACED_SECONDS: Final = 20.0
_PACED_CONNECTIONS: Final = 256  # events that find them all waiting for an answer wait too
_CORE: Final = 0


async def _floor(_: dict[str, Any], receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"14")]})
    await send({"type": "http.response.body", "body": b'{"accepted":1}'})


class _DirectFloor:
    def is_direct(self, _: Any) -> bool:
        return True

    def answer_directly(self, _: Any, __: bytes, respond: Callable[[int, bytes, bytes], None]) -> None:
        respond(202, b"content-length: 14\r\n", b'{"accepted":1}')


def event(number: int) -> dict[str, object]:
    """What a page sends."""
    return {
        "eventId": f"{number:032x}",
        "url": f"https://shop.example/products/{number % 5_000}?utm_source=newsletter&utm_campaign=autumn",
        "referrer": "https://www.google.com/",
        "productId": str(number % 5_000),
        "site": "shop.example",
    }


def request(number: int, events: int) -> bytes:
    """A request with so many events."""
    made = [event(number * events + place) for place in range(events)]
    body = json.dumps(made if events > 1 else made[0]).encode()
    agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:{number % 40 + 100}.0) Gecko/20100101 Firefox/{number % 40 + 100}.0"
    head = f"POST /v1/events HTTP/1.1\r\nHost: c.shop.example\r\nUser-Agent: {agent}\r\nContent-Type: text/plain\r\n"
    return f"{head}Origin: https://shop.example\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class _Connection:
    """Sends one request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, content: bytes) -> int:
        """Send a request; returns the status."""
        self._writer.write(content)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self._reader.readexactly(length)
        return int(head[9:12])


async def _connections(port: int, number: int) -> list[_Connection]:
    return [_Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(number)]


async def _flood(port: int, requests: Sequence[bytes]) -> None:
    """Send them as fast as the connections take them. Fails when one is not accepted."""
    waiting = list(reversed(requests))

    async def work(connection: _Connection) -> None:
        while waiting:
            status = await connection.ask(waiting.pop())
            assert status == 202, status

    await asyncio.gather(*[work(connection) for connection in await _connections(port, CONNECTIONS)])


async def _paced(port: int, per_second: float) -> list[float]:
    """Send single events at random instants. Returns the seconds from each instant to its answer, least first."""
    rng = random.Random(1)
    taken: list[float] = []
    due_numbers: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()

    async def work(connection: _Connection) -> None:
        while (next_one := await due_numbers.get()) is not None:
            number, due = next_one
            status = await connection.ask(request(number, 1))
            taken.append(time.monotonic() - due)
            assert status == 202, status

    workers = [asyncio.create_task(work(connection)) for connection in await _connections(port, _PACED_CONNECTIONS)]
    due = time.monotonic()
    for number in range(round(_PACED_SECONDS * per_second)):
        due += rng.expovariate(per_second)
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        due_numbers.put_nowait((number, due))
    for _ in workers:
        due_numbers.put_nowait(None)
    await asyncio.gather(*workers)
    return sorted(taken)


def _cpu_seconds(process_id: int) -> float:
    threads = Path(f"/proc/{process_id}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def _memory_bytes(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _seconds_per_request(process_id: int, port: int, requests: Sequence[bytes]) -> float:
    before = _cpu_seconds(process_id)
    asyncio.run(_flood(port, requests))
    return (_cpu_seconds(process_id) - before) / len(requests)


@contextmanager
def _running_floor(kind: str = "floor") -> Iterator[tuple[int, int]]:
    """Its process id and port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.collect", kind, str(port)])
    try:
        wait_until(lambda: _answers(port), "the floor answers", 30)
        yield process.pid, port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        asyncio.run(_flood(port, [request(0, 1)]))
    except OSError:
        return False
    return True


def _measure(servers: Servers, requests: int) -> dict[str, float]:
    environment = fresh_site(servers, COLLECT_EVENTS_PER_SECOND="1e9", COLLECT_SITE_EVENTS_PER_SECOND="1e9")
    collector = Collector(servers.folder, servers.redis_url, **environment)
    collector.start()
    try:
        with _running_floor() as (floor_id, floor_port), _running_floor("direct-floor") as (direct_id, direct_port):
            own_id = collector.process_id
            for process_id in (floor_id, direct_id, own_id):
                os.sched_setaffinity(process_id, {_CORE})
                for thread in Path(f"/proc/{process_id}/task").iterdir():
                    os.sched_setaffinity(int(thread.name), {_CORE})
            servers_in_turn = (
                ("floor", floor_id, floor_port),
                ("direct", direct_id, direct_port),
                ("collect", own_id, collector.port),
            )
            figures: dict[str, list[float]] = {}
            memory_bytes = sent = 0
            for round_number in range(ROUNDS + 1):
                for events in (1, BATCH):
                    count = _WARM_UP if round_number == 0 else requests // (1 if events == 1 else 10)
                    made = [request(number, events) for number in range(sent, sent + count)]
                    sent += count
                    for name, process_id, port in servers_in_turn[:: 1 if round_number % 2 else -1]:
                        seconds = _seconds_per_request(process_id, port, made)
                        if round_number:
                            figures.setdefault(f"{name}_{events}", []).append(seconds)
                if round_number == 1:
                    memory_bytes, sent_before = _memory_bytes(own_id), sent
            grown = (_memory_bytes(own_id) - memory_bytes) / (sent - sent_before)
            median = {name: sorted(values)[len(values) // 2] for name, values in figures.items()}
            taken = asyncio.run(_paced(collector.port, 0.5 / median["collect_1"]))
    finally:
        collector.kill()
    return {
        "collect_floor_us": median["floor_1"] * 1e6,
        "collect_direct_floor_us": median["direct_1"] * 1e6,
        "collect_us": median["collect_1"] * 1e6,
        "collect_share_of_floor": median["floor_1"] / median["collect_1"],
        "collect_requests_per_second": 1 / median["collect_1"],
        "collect_p50_ms_half_rate": taken[len(taken) // 2] * 1000,
        "collect_p99_ms_half_rate": taken[len(taken) * 99 // 100] * 1000,
        "collect_batch_events_per_second": BATCH / median[f"collect_{BATCH}"],
        "collect_bytes_grown_per_request": grown,
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, or be the floor."""
    if arguments[:1] in (["floor"], ["direct-floor"]):
        direct = _DirectFloor() if arguments[0] == "direct-floor" else None
        listening = listen("127.0.0.1", int(arguments[1]), "COLLECT", example_port=8080)
        serve(_floor, _floor, listening, Event(), direct=direct)
        return
    with running_servers() as servers:
        answer({name: round(value, 3) for name, value in _measure(servers, int((*arguments, "10000")[0])).items()})


if __name__ == "__main__":
    quieten_logs()
    main(sys.argv[1:])
