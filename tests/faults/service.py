"""A service as a process that is killed, stopped and restarted, with one log for all of its runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_STOP_SECONDS: Final = 12.0  # ten are promised; a named member whose broker is down may need its session on top


class Service:
    """`clickpulse <command>` under one name and environment."""

    def __init__(self, name: str, command: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = [sys.executable, "-m", "services.cli", command]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_started(self) -> bool:
        """Whether it was started and not killed or stopped since."""
        return self._process is not None

    def start(self) -> None:
        """Start it without waiting until it works."""
        assert self._process is None, f"{self.name} is already running"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def assert_lives(self) -> None:
        """Fail when it exited by itself."""
        code = None if self._process is None else self._process.poll()
        assert code is None, f"{self.name} exited by itself with code {code}, see {self.log}"

    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.poll()

    def kill(self) -> None:
        """Send SIGKILL."""
        process = self._signalled(signal.SIGKILL)
        process.wait()
        self._process = None

    def stop(self) -> float:
        """Send SIGTERM and wait for a clean exit; the seconds it took."""
        started = time.monotonic()
        process = self._signalled(signal.SIGTERM)
        code = process.wait(_STOP_SECONDS)
        assert code in (0, -signal.SIGTERM), f"{self.name} stopped with exit code {code}, see {self.log}"
        self._process = None
        return time.monotonic() - started

    def ask_to_stop(self) -> None:
        """Send SIGTERM without waiting."""
        self._signalled(signal.SIGTERM)

    def end(self) -> None:
        """Kill it if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signalled(self, number: int) -> "subprocess.Popen[bytes]":
        assert self._process is not None, f"{self.name} is not running"
        self._process.send_signal(number)
        return self._process
