"""Re-runs the failure table of docs/operations.md: `python -m tests.faults.failure_table [ROW …]`.

Each row is broken for real on a site of its own. Then what it says about logs and health is checked, and
that the site counts again. NOT_RERUN lists the others, with the reason; a test compares both with the table.
"""

import argparse
import fcntl
import json
import os
import re
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import redis

from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import NewRecord
from shared.streams.redis.layout import offsets_key, stream_key
from tests.faults.service import Service
from tests.support.polling import eventually
from tests.support.servers.kafka.broker import Kafka
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import Valkey

_NEEDS_KAFKA: Final = "not written yet; needs Kafka"
NOT_RERUN: Final = {
    "Collector without Redis at a new day": "needs a midnight; tests/unit/collect/test_appender.py crosses one",
    "Too many clicks wait": "tests/unit/collect/test_appender_health.py",
    "Disk full": "needs a file system of its own; tests/unit/aggregate/test_service.py has the refused write",
    "State damaged while in use": "not controllable from outside; tests/attacks/test_damaged_state.py",
    "aggregate replica dies": "needs a second replica; tests/pipeline/test_replicas.py",
    "PostgreSQL unreachable": "needs a PostgreSQL; tests/pipeline/test_history_service.py crashes one",
    "Lag grows": "needs a load that this machine does not sustain",
    "Records expired unread": "needs hours of retention to pass",
    "Clocks differ": "needs two hosts",
    "Goals changed in their file": "tests/unit/aggregate/test_goals_watch.py",
    "Two sites under one prefix": "needs a second group; tests/pipeline/test_sites.py",
    "Too many names": "needs a flood of names; tests/attacks/test_new_names.py",
    "Too many sales": "needs hundreds of thousands of orders; tests/attacks/test_made_up_orders.py",
    "The log refuses a record": _NEEDS_KAFKA,
    "Unreadable records in Kafka": _NEEDS_KAFKA,
    "A transaction in Kafka stays open": _NEEDS_KAFKA,
    "Record too large for an output topic": _NEEDS_KAFKA,
    "Topic deleted": _NEEDS_KAFKA,
}


class Site:
    """A Valkey, with the log or beside a Kafka, enrich and aggregate."""

    def __init__(self, folder: Path, *, has_kafka: bool) -> None:
        self.valkey = Valkey(folder, fsync="everysec")
        self.kafka = Kafka(folder) if has_kafka else None
        self._broker = self.kafka.address if self.kafka else None
        self.state = folder / "state"
        self.settings = ServiceSettings(redis_url=self.valkey.url, kafka_broker=self._broker, partitions=1)
        self.client: Any = connect(self.valkey.url)
        self._folder = folder
        self._ports: dict[str, int] = {}
        self._services: list[Service] = []
        self.enrich = self.service("enrich")
        self.aggregate = self.service("aggregate")

    def service(self, command: str, name: str | None = None, **options: str) -> Service:
        """A service of the site, not started. `options` are further settings."""
        name = name or command
        self._ports[name] = free_port()
        environment = {
            "REDIS_URL": self.valkey.url,
            "KAFKA_BROKER": self._broker or "",
            "PARTITIONS": "1",
            "STATE_DIR": str(self.state),
            "HEALTH_PORT": str(self._ports[name]),
            "LOG_FORMAT": "json",
            **options,
        }
        found = Service(name, command, environment, self._folder / f"{name}.log")
        self._services.append(found)
        return found

    def start(self) -> None:
        """Start everything, and wait until it counts."""
        self.valkey.start()
        if self.kafka is not None:
            self.kafka.start()
        self.enrich.start()
        self.aggregate.start()
        self.counts_again()

    def end(self) -> None:
        """Kill everything."""
        for service in self._services:
            service.end()
        self.valkey.kill()
        if self.kafka is not None:
            self.kafka.kill()

    def send(self, *values: bytes, topic: str | None = None) -> None:
        """Append records to the raw topic, or another."""
        with closing(open_log(self.settings, "test")) as log, log.producer() as producer:
            producer.send([NewRecord(topic or self.settings.raw_topic, b"ada", value) for value in values])

    def counted(self) -> int:
        """Events counted so far, by the rollup in Redis; -1 without one."""
        try:
            snapshot = read(self.client, "all", "")
        except redis.RedisError:
            return -1
        return -1 if snapshot is None else snapshot.meta.counted

    def counts_again(self) -> None:
        """Send a click and wait until it is counted, and both services are ready."""
        eventually(lambda: self.is_ready("aggregate") and self.is_ready("enrich"), "ready")
        before = eventually(
            lambda: None if (now := self.counted()) < 0 and self.client.exists("rollup:meta") else now, ""
        )
        self.send(click())
        eventually(lambda: self.counted() > before, "a click counted")

    def answer(self, service: str, path: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a path of the service's endpoint; 0 when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[service]}{path}", timeout=5) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, {}

    def is_ready(self, service: str) -> bool:
        """Whether it can work."""
        return self.answer(service, "/readyz")[0] == 200

    def fails(self, service: str, part: str) -> None:
        """Wait until a part fails: not ready, yet live."""
        eventually(lambda: part in self.answer(service, "/health")[1].get("failures", {}), f"{part} of {service} fails")
        assert self.answer(service, "/readyz")[0] == 503
        assert self.answer(service, "/livez")[0] == 200

    def degrades(self, service: str, part: str) -> None:
        """Wait until a part is degraded: still ready."""
        eventually(lambda: part in self.answer(service, "/health")[1].get("failures", {}), f"{part} is degraded")
        assert self.answer(service, "/readyz")[0] == 200

    def logs(self, service: str, message: str) -> None:
        """Wait until the service has logged a line with this in it."""
        log = self._folder / f"{service}.log"
        eventually(lambda: message in log.read_text(errors="replace"), f"{service} logs {message!r}")


def click(ahead_ms: int = 0) -> bytes:
    """A click, made now or ahead of it."""
    return json.dumps({"timestamp": time.time_ns() // 1_000_000 + ahead_ms, "userId": "ada"}).encode()


def _broker_unreachable(site: Site) -> None:
    assert site.kafka is not None
    site.kafka.kill()
    site.logs("aggregate", "retrying")
    site.logs("enrich", "waiting")
    site.fails("aggregate", "log")
    site.fails("enrich", "log")
    site.kafka.start()
    site.logs("aggregate", "available again")


def _collector_without_log(site: Site) -> None:
    assert site.kafka is not None
    port = free_port()
    site.service("collect", COLLECT_PORT=str(port)).start()
    eventually(lambda: _status_of_a_click(port) == 202, "accepted")
    site.kafka.kill()
    eventually(lambda: _status_of_a_click(port) == 503, "answered with 503")
    site.logs("collect", "answering 503")
    site.fails("collect", "log")
    site.kafka.start()
    eventually(lambda: site.is_ready("collect"), "ready without a click")
    site.logs("collect", "available again")
    assert _status_of_a_click(port) == 202


def _status_of_a_click(port: int) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/events", b'{"url": "https://shop.example/"}')
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def _wrong_sites_file(site: Site) -> None:
    collect = site.service("collect", SITES_FILE=str(site.state), COLLECT_PORT=str(free_port()))
    collect.start()
    eventually(lambda: collect.exit_code() == 2, "it ends with exit code 2")
    site.logs("collect", "SITES_FILE: ")


def _redis_flushed(site: Site) -> None:
    site.client.flushall()
    eventually(lambda: site.counted() > 0, "complete again")
    assert site.is_ready("aggregate")


def _enrich_dies(site: Site) -> None:
    site.enrich.kill()
    site.send(click())
    counted = site.counted()
    site.enrich.start()
    eventually(lambda: site.counted() > counted, "the click that came meanwhile is counted")


def _redis_unreachable(site: Site) -> None:
    site.valkey.kill()
    site.logs("aggregate", "cannot publish, retrying with the newest rollup")
    site.logs("enrich", "waiting")
    site.fails("aggregate", "redis")
    site.valkey.start()
    site.logs("aggregate", "available again")


def _redis_full(site: Site) -> None:
    limit = site.client.config_get("maxmemory")["maxmemory"]
    site.client.config_set("maxmemory", 1)
    try:
        site.logs("aggregate", "command not allowed when used memory")
        site.fails("aggregate", "redis")
    finally:
        site.client.config_set("maxmemory", limit)


def _redis_refuses_writes(site: Site) -> None:
    site.client.config_set("min-replicas-to-write", 1)
    try:
        site.logs("aggregate", "NOREPLICAS")
        site.fails("aggregate", "redis")
    finally:
        site.client.config_set("min-replicas-to-write", 0)


def _redis_denies(site: Site) -> None:
    site.client.execute_command("ACL SETUSER", "default", "-hset", "-set")
    try:
        site.logs("aggregate", "access denied by the ACL of Redis")
    finally:
        site.client.execute_command("ACL SETUSER", "default", "+hset", "+set")


def _foreign_key(site: Site) -> None:
    key = offsets_key("", site.settings.raw_topic, "enrich")
    saved = site.client.dump(key)
    site.client.set(key, "mine")
    try:
        site.logs("enrich", "in Redis holds the wrong kind of value")
        site.fails("enrich", "log")
    finally:
        site.client.restore(key, 0, saved, replace=True)


def _state_unusable(site: Site) -> None:
    site.aggregate.stop()
    for file in (site.state / site.settings.enriched_topic / "0").glob("MANIFEST-*"):
        file.write_bytes(b"damaged")
    site.aggregate.start()
    site.logs("aggregate", "state set aside, rebuilding from the log")


def _state_locked(site: Site) -> None:
    site.aggregate.stop()
    other = os.open(site.state / site.settings.enriched_topic / "0", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(other, fcntl.LOCK_EX)  # as another aggregate does
    try:
        site.aggregate.start()
        site.logs("aggregate", "cannot lock")
        site.fails("aggregate", "state")
    finally:
        os.close(other)


def _all_aggregates_down(site: Site) -> None:
    site.aggregate.kill()
    assert site.answer("aggregate", "/health")[0] == 0
    site.send(click())
    counted = site.counted()
    site.aggregate.start()
    eventually(lambda: site.counted() > counted, "continues at the stored offset")


def _others_write(site: Site) -> None:
    site.client.delete("status:replicas:aggregate")
    site.client.set("status:replicas:aggregate", "mine")
    site.logs("aggregate", "unreadable value in Redis")
    assert site.is_ready("aggregate")


def _producers_clocks(site: Site) -> None:
    site.send(click(ahead_ms=600_000))
    site.logs("enrich", '"future"')
    site.logs("enrich", "dead letters")


def _flood(site: Site) -> None:
    site.send(*[b"not a click"] * 200)
    site.logs("enrich", "flood of dead letters")
    site.degrades("enrich", "input")


def _aggregate_refuses(site: Site) -> None:
    site.send(b"not a click", topic=site.settings.enriched_topic)
    site.logs("aggregate", "events refused")
    assert site.is_ready("aggregate")


def _foreign_ids(site: Site) -> None:
    stream = stream_key("", site.settings.raw_topic, 0)
    site.client.xadd(stream, {"v": click()}, id=f"{time.time_ns() // 1_000_000 + 86_400_000}-0")
    site.logs("enrich", "stream with foreign ids replaced by a copy")


def _second_replica(site: Site) -> None:
    second = site.service("aggregate", "second")
    second.start()
    site.logs("second", "fenced: another process does this work")
    eventually(lambda: second.exit_code() == 3, "it ends with exit code 3")


ON_KAFKA: Final[dict[str, Callable[[Site], None]]] = {
    "Broker unreachable": _broker_unreachable,
    "Collector without its event log": _collector_without_log,
    "Redis flushed": _redis_flushed,  # on the Redis log a flush empties the log, too
    "enrich replica dies": _enrich_dies,
}
ON_REDIS: Final[dict[str, Callable[[Site], None]]] = {
    "SITES_FILE is wrong": _wrong_sites_file,
    "Redis unreachable": _redis_unreachable,
    "Redis full": _redis_full,
    "Redis refuses to write": _redis_refuses_writes,
    "Redis denies access": _redis_denies,
    "A key of another type in the Redis log": _foreign_key,
    "State unusable": _state_unusable,
    "State locked": _state_locked,
    "All aggregate replicas down": _all_aggregates_down,
    "Others write to our Redis keys": _others_write,
    "Producers' clocks differ": _producers_clocks,
    "Flood of dead letters": _flood,
    "Foreign ids in the Redis log": _foreign_ids,
    "aggregate refuses events": _aggregate_refuses,
    "Second replica on the Redis log, or duplicate instance": _second_replica,
}
ROWS: Final = {**ON_KAFKA, **ON_REDIS}
"""How to break a row of the table, and what it says then."""


def rows_of(document: str) -> list[str]:
    """The failures that the table of docs/operations.md names."""
    table = document.partition("\n## When something fails\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| \*\*(.+?)\*\*", table, re.MULTILINE)


@contextmanager
def a_site(folder: Path, *, has_kafka: bool) -> Iterator[Site]:
    """A site that counts."""
    site = Site(folder, has_kafka=has_kafka)
    try:
        site.start()
        yield site
    finally:
        site.end()


def main() -> int:
    """Return how many rows are not true."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.failure_table", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of: {'; '.join(ROWS)} (all)")
    wanted = parser.parse_args().rows or list(ROWS)
    wrong = 0
    for row in wanted:
        folder = Path(tempfile.mkdtemp(prefix="clickpulse-failure-"))
        try:
            with a_site(folder, has_kafka=row in ON_KAFKA) as site:
                ROWS[row](site)
                site.counts_again()
        except AssertionError as error:
            wrong += 1
            _say(f"WRONG   {row}: {error} (logs in {folder})")
        else:
            _say(f"true    {row}")
    for row, reason in NOT_RERUN.items():
        _say(f"not run {row}: {reason}")
    return wrong


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
