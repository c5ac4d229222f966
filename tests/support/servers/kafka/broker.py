"""A Kafka of one node for tests, in a temporary folder."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.support.servers.kafka.installation import cached, jars
from tests.support.servers.server_process import ServerProcess, free_port

_CLUSTER_ID: Final = "Y2xpY2twdWxzZS10ZXN0cw"
_JAVA: Final = ("java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Kafka(ServerProcess):
    """A Kafka that a test may kill and start again. Raises ServerMissing."""

    def __init__(
        self,
        folder: Path,
        advertised: Sequence[int] = (),
        *,
        listeners: Mapping[str, int] | None = None,
        options: Mapping[str, object] | None = None,
        users: Sequence[str] = (),
    ) -> None:
        """`advertised` are ports of proxies in front of it; `behind` maps each to the port that it forwards to.

        `listeners` are ports of further listeners by security protocol, set up by `options`. `users` are SCRAM
        credentials as StorageTool writes them.
        """
        super().__init__(folder / "kafka.log")
        port, controller_port = free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        self.behind = {proxy_port: free_port() for proxy_port in advertised}
        self._port = port
        self._properties = folder / "server.properties"
        data = folder / "data"
        properties = _broker_properties(port, self.behind, listeners or {}, controller_port, data)
        _write_properties(self._properties, {**properties, **(options or {})})
        if users:
            _format(self._properties, *(argument for user in users for argument in ("--add-scram", user)))
        else:
            shutil.copytree(cached(".formatted", _format_empty), data)

    def start(self) -> None:
        """Start it with the data that it had, and wait until it listens."""
        self._start(f"-XX:SharedArchiveFile={cached('.classes.jsa', _archive_classes)}")

    def start_and_archive(self, classes: Path) -> None:
        """Start it, and have Java write the classes that it loaded to a file when it stops."""
        self._start(f"-XX:ArchiveClassesAtExit={classes}")

    def _start(self, java_option: str) -> None:
        command = [*_JAVA, java_option, "-cp", f"{jars()}/*", "kafka.Kafka", str(self._properties)]
        self.run(command, lambda: _listens(self._port))


@contextmanager
def running_kafka(folder: Path) -> Iterator[Kafka]:
    """A Kafka while the block runs. Raises ServerMissing."""
    kafka = Kafka(folder)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.kill()  # nobody needs its data: a crash is the quickest end


def _format(properties: Path, *arguments: str) -> None:
    command = [*_JAVA, "-cp", f"{jars()}/*", "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID]
    subprocess.run([*command, "-c", str(properties), *arguments], check=True, capture_output=True)


def _format_empty(data: Path) -> None:
    """Format a data folder that every broker without users begins with: Java takes a second for it."""
    with TemporaryDirectory() as folder:
        properties = Path(folder) / "server.properties"
        _write_properties(properties, _broker_properties(free_port(), {}, {}, free_port(), data))
        _format(properties)


def _archive_classes(classes: Path) -> None:
    """Write Java's archive of a broker's classes: with it a broker starts in half the time."""
    with TemporaryDirectory() as folder:
        kafka = Kafka(Path(folder))
        try:
            kafka.start_and_archive(classes)
            kafka.stop()
        finally:
            kafka.kill()
    classes.touch()  # a Java that cannot write one ignores an empty one


def _write_properties(path: Path, properties: Mapping[str, object]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))


def _broker_properties(
    port: int, behind: Mapping[int, int], secured: Mapping[str, int], controller_port: int, data: Path
) -> dict[str, object]:
    # A client reconnects to the address that is advertised for the listener that it asked.
    names = ["PLAINTEXT", *(f"BEHIND_{proxy_port}" for proxy_port in behind)]
    listeners = dict(zip(names, [port, *behind.values()], strict=True)) | dict(secured)
    advertised = dict(zip(names, [port, *behind], strict=True)) | dict(secured)
    protocols = dict.fromkeys([*names, "CONTROLLER"], "PLAINTEXT") | {name: name for name in secured}
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": _endpoints({**listeners, "CONTROLLER": controller_port}),
        "advertised.listeners": _endpoints(advertised),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        # One node keeps one copy of everything and waits for no other.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # Looks for transactions of dead producers ten times as often as by default.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    }


def _endpoints(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
