"""What all brokers of a machine share: Kafka's jars and other files that are made once and kept in a cache."""

import fcntl
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.servers.server_process import ServerMissing

VERSION: Final = "4.3.0"
_CACHE: Final = Path.home() / ".cache" / "clickpulse"
_POM: Final = Path(__file__).with_name("pom.xml")


def jars() -> Path:
    """The folder of Kafka's jars. Maven fetches them the first time. Raises ServerMissing."""
    if shutil.which("java") is None:
        raise ServerMissing("KAFKA_BROKER is not set, and no java on the PATH to start a broker with")
    return cached("", _fetch)


def cached(suffix: str, make: Callable[[Path], None]) -> Path:
    """A file or folder of this version of Kafka. The first process to need it makes it while the others wait."""
    path = _CACHE / f"kafka-{VERSION}{suffix}"
    if path.exists():
        return path
    _CACHE.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = path.with_name(f"{path.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(path)
    return path


def _fetch(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise ServerMissing("KAFKA_BROKER is not set, and no mvn on the PATH to fetch a broker with")
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    fetched = subprocess.run(["mvn", "-q", "-B", "-f", str(_POM), *goal], capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        raise ServerMissing(f"Maven cannot fetch Kafka {VERSION}: {fetched.stdout[-500:]}")
