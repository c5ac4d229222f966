"""A real demo for tests: started as a user does, observed through its output, stopped by Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Final

import redis

from tests.support.servers.server_process import free_port

FIRST_NUMBERS_SECONDS: Final = 120.0
CLICKPULSE: Final = (sys.executable, "-m", "services.cli")
_OWN_SETTINGS: Final = {
    "REDIS_URL",
    "REDIS_PREFIX",
    "KAFKA_BROKER",
    "STATE_DIR",
    "HEALTH_PORT",
    "DASHBOARD_PORT",
    "HISTORY_URL",
    "HISTORY_DIR",
}
_PORTS: Final = ("COLLECT_PORT", "HISTORY_API_PORT")
"""Two demos that start at once would find the same ports free."""


class Demo:
    """A running demo and its output. Finds its processes in /proc, so Linux only."""

    def __init__(self, command: Sequence[str], settings: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env={name: setting for name, setting in os.environ.items() if name not in _OWN_SETTINGS}
            | {port: str(free_port()) for port in _PORTS}
            | dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = Thread(target=self._read, name="demo output", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self._lines.extend(output)

    @property
    def output(self) -> str:
        """The output so far."""
        return "".join(list(self._lines))

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Poll the condition. Fail with the output when time is up or the demo exited."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"the demo exited:\n{self.output}"
            assert time.monotonic() < deadline, f"not within {seconds} s:\n{self.output}"
            time.sleep(0.05)

    def wait_until_shown(self, text: str, seconds: float) -> None:
        """Wait for a text in the output."""
        self.wait_until(lambda: text in self.output, seconds)

    def ready(self) -> redis.Redis:
        """Wait for the message that it is ready, and return a client of its Redis."""
        self.wait_until_shown("Ctrl-C", FIRST_NUMBERS_SECONDS)
        port = re.search(r"-p (\d+) HGETALL rollup:meta", self.output)
        assert port is not None, self.output
        return redis.Redis(port=int(port[1]), decode_responses=True)

    def descendants(self) -> dict[int, str]:
        """The descendants of the demo: process id → command line."""
        running, own = processes(), {self.process.pid}
        while more := {pid for pid, (parent, _) in running.items() if parent in own} - own:
            own |= more
        return {pid: running[pid][1] for pid in own - {self.process.pid}}

    def service(self, subcommand: str) -> int:
        """The process id of one service."""
        (pid,) = (pid for pid, command in self.descendants().items() if f"services.cli {subcommand}" in command)
        return pid

    def ended(self, seconds: float) -> int:
        """Wait until it exits and its output is complete; the exit code."""
        code = self.process.wait(timeout=seconds)
        self._reader.join()
        return code

    def stop(self) -> float:
        """Press Ctrl-C, which a terminal sends to the whole group, and wait until it exits; the seconds it took."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.ended(30)
        return time.monotonic() - began


@contextmanager
def running(command: Sequence[str], **settings: str) -> Iterator[Demo]:
    """A demo while the block runs, with these environment variables."""
    demo = Demo(command, settings)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            os.killpg(demo.process.pid, signal.SIGKILL)  # and its children
            demo.process.wait()


def processes() -> dict[int, tuple[int, str]]:
    """All processes except zombies: id → parent's id and command line."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it exited in the meantime
        if state != "Z":
            found[int(stat.parent.name)] = (int(parent), command)
    return found
