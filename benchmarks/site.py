"""A separate site for a measurement: a broker, a Valkey, the shop's lookups, and the services as processes."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from services.demo.programs import GOALS_FILE
from services.traffic.lookups import PRODUCTS_FILE, VISITORS_FILE, write_lookups
from services.traffic.world import World
from shared.runtime.redis_client import connect
from tests.support.servers.kafka.broker import running_kafka
from tests.support.servers.valkey import running_valkey

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Servers:
    """A running broker and Valkey, and a folder for their data."""

    broker: str
    redis_url: str
    folder: Path
    process_ids: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Run both while the block runs. Raises ServerMissing."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="clickpulse-bench-")))
        kafka = stack.enter_context(running_kafka(folder))
        redis_url = stack.enter_context(running_valkey(folder))
        with connect(redis_url) as client:
            redis_process_id = client.info("server")["process_id"]
        yield Servers(kafka.address, redis_url, folder, {"broker": kafka.process_id, "redis": redis_process_id})


def fresh_site(servers: Servers, **options: str) -> dict[str, str]:
    """The environment of a fresh site: its own topics and folder, and an empty Redis."""
    run = uuid.uuid4().hex[:8]
    with connect(servers.redis_url) as client:
        client.flushall()
    return {
        **os.environ,
        "KAFKA_BROKER": servers.broker,
        "REDIS_URL": servers.redis_url,
        "RAW_TOPIC": f"clicks-{run}",
        "ENRICHED_TOPIC": f"enriched-{run}",
        "AGGREGATE_GROUP": f"aggregate-{run}",
        "STATE_DIR": str(servers.folder / f"state-{run}"),
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "WARNING",
        "GOALS_FILE": str(GOALS_FILE),
        **options,
    }


def load_lookups(world: World, environment: Mapping[str, str]) -> None:
    """Load the shop's products and visitors into the site's Redis."""
    with TemporaryDirectory(prefix="clickpulse-bench-") as folder:
        write_lookups(world, Path(folder))
        files = f"--products={folder}/{PRODUCTS_FILE}", f"--visitors={folder}/{VISITORS_FILE}"
        command = [sys.executable, "-m", "services.cli", "load-lookups", *files]
        subprocess.run(command, env=environment, check=True, capture_output=True)


@contextmanager
def running_service(name: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service while the block runs, then stop it. Raises RuntimeError unless it exits with 0."""
    process = subprocess.Popen([sys.executable, "-m", "services.cli", name], env=environment)
    try:
        yield process
        if process.poll() is None:
            process.terminate()
        if process.wait(STOP_SECONDS) not in (0, -9):  # killed on purpose, or stopped
            raise RuntimeError(f"{name} ended with exit code {process.returncode}")
    finally:
        process.kill()
        process.wait()


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = START_SECONDS, *, required: bool = True
) -> bool:
    """Return whether the condition holds in time. Raises RuntimeError when it does not but is required."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            if required:
                raise RuntimeError(f"not within {seconds:.0f} s: {what}")
            return False
        time.sleep(0.05)
    return True
