"""A service as a process that is killed, stopped and started again, with a log of all its lives."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_STOP_SECONDS: Final = 12.0  # the promise is ten; a broker that is away costs a named member no more than its session


class Service:
    """`clickpulse <command>`, run under one name with one environment."""

    def __init__(self, name: str, command: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = [sys.executable, "-m", "services.cli", command]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_started(self) -> bool:
        """Whether it was started and neither killed nor stopped since."""
        return self._process is not None

    def start(self) -> None:
        """Start it; it may be killed long before it works."""
        assert self._process is None, f"{self.name} runs already"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def assert_lives(self) -> None:
        """Fail when it ended by itself."""
        code = None if self._process is None else self._process.poll()
        assert code is None, f"{self.name} ended by itself with exit code {code}, see {self.log}"

    def kill(self) -> None:
        """SIGKILL, at once."""
        process = self._signalled(signal.SIGKILL)
        process.wait()
        self._process = None

    def stop(self) -> float:
        """SIGTERM, and wait for its end; how many seconds that took. Fails when it is not clean."""
        started = time.monotonic()
        process = self._signalled(signal.SIGTERM)
        code = process.wait(_STOP_SECONDS)
        assert code in (0, -signal.SIGTERM), f"{self.name} stopped with exit code {code}, see {self.log}"
        self._process = None
        return time.monotonic() - started

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting: it may be killed in the middle of stopping."""
        self._signalled(signal.SIGTERM)

    def end(self) -> None:
        """Whatever state it is in."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signalled(self, number: int) -> "subprocess.Popen[bytes]":
        assert self._process is not None, f"{self.name} does not run"
        self._process.send_signal(number)
        return self._process
