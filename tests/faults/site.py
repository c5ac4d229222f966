"""A whole site that can be broken anywhere: servers, the wires to them, and services."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from shared.events.refusals import dead_letter_topic
from shared.rollups.model import Meta
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import TopicSpec
from tests.faults.clicks import GOALS_TOML, PRODUCTS
from tests.faults.plan import AGGREGATES, ENRICHES, SIDES, Side
from tests.faults.proxy import Proxy
from tests.faults.service import Service
from tests.support.polling import eventually
from tests.support.servers.kafka.broker import Kafka
from tests.support.servers.valkey import Valkey

EventLogName = Literal["kafka", "redis"]
PARTITIONS: Final = 4
SESSION_SECONDS: Final = 6
BATCH_RECORDS: Final = 20
"""Of an enrich batch. Few, so that a transaction is likely to be open at any moment."""

_FRESH_SECONDS: Final = 2.5
_SIDE_OF: Final[dict[str, Side]] = {"a": "a", "b": "b", "c": "b"}
_UNNAMED: Final = "enrich-b"
"""The one service without KAFKA_INSTANCE_ID, which is the default: the group notices its death later."""


class Site:
    """Servers, the wires to them by side, and services to start."""

    def __init__(
        self,
        folder: Path,
        valkey: Valkey,
        kafka: Kafka | None,
        wires: dict[tuple[str, Side], Proxy],
        batch_records: int,
    ) -> None:
        self.valkey = valkey
        self.kafka = kafka
        self._wires = wires
        self._batch_records = batch_records
        self.settings = ServiceSettings(
            redis_url=valkey.url, kafka_broker=kafka.address if kafka else None, partitions=PARTITIONS
        )
        self.raw_topic = self.settings.raw_topic
        self.enriched_topic = self.settings.enriched_topic
        self.client: Any = connect(valkey.url)  # of the test: never cut
        self._products = folder / "products.csv"
        self._products.write_text(
            "productId,category,title\n" + "".join(f"p{n},category {n % 12},Product {n}\n" for n in range(PRODUCTS))
        )
        self._goals = folder / "goals.toml"
        self._goals.write_text(GOALS_TOML)
        self.services = {
            name: Service(name, name.partition("-")[0], self._environment(name, folder), folder / f"{name}.log")
            for name in (*ENRICHES, *AGGREGATES)
        }

    @property
    def running(self) -> list[Service]:
        """The services that are started."""
        return [service for service in self.services.values() if service.is_started]

    def assert_services_live(self) -> None:
        """Fail when one of them exited by itself."""
        for service in self.running:
            service.assert_lives()

    def wire(self, server: str, side: Side) -> Proxy:
        """The wire from one side's services to a server."""
        return self._wires[server, side]

    def make_topics(self) -> None:
        """Create the topics, so that the stream can start before the services."""
        topics = self.raw_topic, self.enriched_topic
        open_log(self.settings, "test").ensure_topics(
            [
                TopicSpec(name, PARTITIONS, 24 * 3_600_000)
                for topic in topics
                for name in (topic, dead_letter_topic(topic))
            ]
        )

    def load_lookups(self) -> None:
        """Load the catalogue. Clicks that are enriched between a flush and this have no category."""
        command = [sys.executable, "-m", "services.cli", "load-lookups", "--products", str(self._products)]
        subprocess.run(command, env=self._environment_of_all(self.valkey.url), check=True, capture_output=True)

    def await_counted(self, count: int, timeout_seconds: float) -> Meta:
        """Wait until a current rollup covers all partitions and has read at least `count` records.

        Its lag need not be 0: clicks keep arriving.
        """

        def counted() -> Meta | None:
            self.assert_services_live()
            meta = self._published()
            is_fresh = meta is not None and meta.as_of_ms > (time.time() - _FRESH_SECONDS) * 1000
            return meta if meta and is_fresh and meta.partitions == PARTITIONS and meta.read >= count else None

        try:
            return eventually(counted, f"{count} records counted", timeout_seconds)
        except AssertionError as failure:
            raise AssertionError(f"{failure}; published is {self._published()}") from None

    def await_progress(self, timeout_seconds: float) -> None:
        """Wait until more is counted than now."""
        before = self._read_so_far()

        def progressed() -> bool:
            self.assert_services_live()
            return self._read_so_far() > before

        eventually(progressed, f"more than {before} records counted", timeout_seconds)

    def _read_so_far(self) -> int:
        published = self._published()
        return published.read if published else 0

    def _published(self) -> Meta | None:
        snapshot = read(self.client, "all", "")
        return snapshot.meta if snapshot else None

    def _environment(self, name: str, folder: Path) -> dict[str, str]:
        side = _SIDE_OF[name[-1]]
        environment = self._environment_of_all(f"redis://127.0.0.1:{self.wire('redis', side).port}/0")
        environment |= {
            "STATE_DIR": str(folder / f"state-{name}"),
            "ENRICH_BATCH_RECORDS": str(self._batch_records),
            "LOG_FORMAT": "json",
            "GOALS_FILE": str(self._goals),
        }
        if self.kafka is None:
            return environment
        environment |= {
            "KAFKA_BROKER": f"127.0.0.1:{self.wire('broker', side).port}",
            "KAFKA_SESSION_SECONDS": str(SESSION_SECONDS),
        }
        # Without a name a killed process's partitions wait for its session, and most kills would hit idle processes.
        return environment if name == _UNNAMED else environment | {"KAFKA_INSTANCE_ID": name}

    def _environment_of_all(self, redis_url: str) -> dict[str, str]:
        return {"REDIS_URL": redis_url, "PARTITIONS": str(PARTITIONS), "KAFKA_BROKER": ""}


@contextmanager
def a_site(folder: Path, log: EventLogName, batch_records: int = BATCH_RECORDS) -> Iterator[Site]:
    """Running servers with topics and lookups, and services to start. Raises ServerMissing."""
    with ExitStack() as stack:
        servers: Sequence[str] = ("broker", "redis") if log == "kafka" else ("redis",)
        wires = {(server, side): stack.enter_context(Proxy()) for server in servers for side in SIDES}
        # A log in Redis must lose nothing in a restart; next to Kafka, Redis may keep its default.
        valkey = Valkey(_folder(folder / "redis"), fsync="everysec" if log == "kafka" else "always")
        stack.callback(valkey.kill)
        valkey.start()
        kafka = None
        if log == "kafka":
            # As by default: how soon the numbers are right again is measured.
            options = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": 10_000}
            ports = [wires["broker", side].port for side in SIDES]
            kafka = Kafka(_folder(folder / "kafka"), ports, options=options)
            stack.callback(kafka.kill)
            kafka.start()
        for (server, _), wire in wires.items():
            wire.forward_to(valkey.port if server == "redis" else _behind(kafka, wire.port))
        site = Site(folder, valkey, kafka, wires, batch_records)
        stack.callback(site.client.close)
        site.make_topics()
        site.load_lookups()
        for service in site.services.values():
            stack.callback(service.end)
        yield site


def _behind(kafka: Kafka | None, port: int) -> int:
    assert kafka is not None
    return kafka.behind[port]


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path
