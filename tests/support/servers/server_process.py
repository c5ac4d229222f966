"""A server as a process, on free loopback ports, with its output in a file."""

import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_START_SECONDS: Final = 180.0  # on a busy machine


class ServerMissing(Exception):  # noqa: N818 - a property of the machine
    """This machine has no such server; the message says what is missing."""


def free_port() -> int:
    """A loopback port that nobody listens on.

    Below the range that the system assigns to connections: one of them could take it while the server is down.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ServerProcess:
    """A server that a test may kill and start again."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int:
        """Of the process that was started last."""
        assert self._process is not None, "never started"
        return self._process.pid

    def run(
        self, command: Sequence[str], is_ready: Callable[[], bool], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the command and wait until it is ready. Raises RuntimeError with the end of its log."""
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
            )
        self._process = process
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command!r} does not start:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
