"""One process of the demo: tied to its parent, read without blocking, stopped by signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TETHER: Final = Path(__file__).with_name("tether.py")
_CHUNK_BYTES: Final = 65_536
_LONGEST_LINE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: a display name, an absolute command and a complete environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


class Child:
    """A running program in its own session, so that a Ctrl-C in the terminal reaches only the supervisor.

    Start it from a thread that outlives it: the kernel ties it to that thread.
    """

    def __init__(self, program: Program) -> None:
        """Start the program. Raises OSError on failure."""
        self.program = program
        self._rest = b""
        self._process = subprocess.Popen(  # noqa: S603 - commands come from `programs`, never from users
            # -I -S: the tether starts within a few hundredths of a second and ignores the environment.
            [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *program.command],
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        return self._process.pid

    def fileno(self) -> int:
        """The output pipe, for a selector."""
        return self._output.fileno()

    def read_lines(self) -> list[str] | None:
        """Complete lines since the last call; None at the end of the output."""
        try:
            chunk = os.read(self._output.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return []
        if not chunk:
            return None
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        return [line.decode("utf-8", "replace").rstrip("\r") for line in lines]

    def exit_code(self) -> int | None:
        """The exit code, or the negated signal number; None while running."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process only; it stops its own children."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the process and its children."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> list[str]:
        """Release an ended process, kill its orphans, and return its last lines."""
        self.kill()
        last = []
        while lines := self.read_lines():
            last += lines
        if self._rest:
            last.append(self._rest.decode("utf-8", "replace"))
        self._output.close()
        self._process.wait()
        return last
