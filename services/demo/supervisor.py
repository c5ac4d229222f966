"""The supervisor: starts the demo's processes, prints their output, restarts crashed ones, stops all in order.

A single thread does all of this, so output, restarts and stops have one order.
"""

import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final, Self

from services.demo.child import Child, Program
from services.demo.restarts import Restarts
from services.demo.terminal import Terminal
from shared.runtime.dependency import Stopped
from shared.runtime.settings import CONFIGURATION_ERROR_EXIT_CODE

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ROUND_SECONDS: Final = 0.2
# One key press may arrive twice: from the terminal, and forwarded by our parent.
_SAME_KEY_PRESS_SECONDS: Final = 0.5
# Stopping takes under five seconds: one process after the other, without waiting long for a slow one, and the store
# last, after all others have ended.
_TURN_SECONDS: Final = 0.25
_SERVICES_SECONDS: Final = 3.5
_STORE_SECONDS: Final = 0.8


class WrongSetting(Exception):  # noqa: N818 - a user's mistake, shown as is
    """A process rejected its options or environment; restarting it would not help."""


@dataclass(slots=True)
class _Running:
    child: Child
    restart_as: Program | None
    since: float
    restarts: Restarts


@dataclass(slots=True)
class _Due:
    program: Program
    at: float
    restarts: Restarts


@dataclass(slots=True)
class _Repeated:
    program: Program
    every_seconds: float
    at: float


@dataclass(slots=True)
class Supervisor:
    """A context manager for the main thread; leaving it stops every process.

    `stop_order` names the processes in stop order; the last one is the store that the others use.
    """

    terminal: Terminal
    stop_order: Sequence[str]
    was_clean: bool = True  # whether no process had to be killed
    _running: dict[str, _Running] = field(default_factory=dict)
    _due: dict[str, _Due] = field(default_factory=dict)
    _repeated: list[_Repeated] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _signalled: list[float] = field(default_factory=list)
    _restore: list[Callable[[], Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        wake_reading, wake_writing = os.pipe()
        for end in (wake_reading, wake_writing):
            os.set_blocking(end, False)
        self._selector.register(wake_reading, selectors.EVENT_READ)
        before_fd = signal.set_wakeup_fd(wake_writing, warn_on_full_buffer=False)
        before = {number: signal.signal(number, self._on_signal) for number in _handled_signals()}
        self._restore = [
            *(lambda n=number, h=handler: signal.signal(n, h) for number, handler in before.items()),
            lambda: signal.set_wakeup_fd(before_fd),
            self._selector.close,
            lambda: os.close(wake_reading),
            lambda: os.close(wake_writing),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            for restore in self._restore:
                restore()

    def start(self, program: Program, *, restart_as: Program | None) -> None:
        """Start a program, and start `restart_as` whenever it ends; None means no restart."""
        self._start(program, restart_as, Restarts())

    def repeat(self, program: Program, *, first_seconds: float, every_seconds: float) -> None:
        """Start a program that ends by itself, again and again, but never beside itself."""
        self._repeated.append(_Repeated(program, every_seconds, time.monotonic() + first_seconds))

    def run(self, program: Program) -> int:
        """Run a program to its end and return its exit code. Raises Stopped on a stop."""
        child = self._start(program, None, Restarts())
        while program.name in self._running:
            self._round()
        return child.exit_code() or 0

    def wait_until(self, condition: Callable[[], bool], timeout_seconds: float) -> bool:
        """Supervise until the condition holds or the time is up; return whether it holds. Raises Stopped."""
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self._round()
        return True

    def serve(self) -> None:
        """Supervise until a stop, which raises Stopped. Raises WrongSetting when a process rejects its settings."""
        while True:
            self._round()

    def pids(self) -> dict[str, int]:
        """The ids of the running processes, by name."""
        return {name: running.child.pid for name, running in self._running.items()}

    def stop(self) -> None:
        """Stop everything in order, in under five seconds; kill what ignores SIGTERM. A second Ctrl-C kills at once.

        Traffic stops first, then the services, then the dashboard, then the store: nothing piles up, and every
        process has its store until it ends.
        """
        self._due.clear()
        began = time.monotonic()
        self._signalled = self._signalled or [began]
        *services, store = self.stop_order
        services = [*(name for name in self._running if name not in self.stop_order), *services]
        for name in services:
            self._ask(name)
            self._wait_for_end([name], min(time.monotonic() + _TURN_SECONDS, began + _SERVICES_SECONDS))
        self._wait_for_end(services, began + _SERVICES_SECONDS)
        self._kill(services)
        self._ask(store)
        self._wait_for_end([store], time.monotonic() + _STORE_SECONDS)
        self._kill([store])

    def _round(self) -> None:
        self._show_lines(_ROUND_SECONDS)
        if self._signalled:
            raise Stopped
        for name in self._ended():
            running = self._running[name]
            self._forget(name)
            self._after_end(running, time.monotonic())
        now = time.monotonic()
        for name, due in list(self._due.items()):
            if now >= due.at:
                del self._due[name]
                self._start(due.program, due.program, due.restarts)
        for repeated in self._repeated:
            if now >= repeated.at and repeated.program.name not in self._running:
                repeated.at = now + repeated.every_seconds
                self._start(repeated.program, None, Restarts())

    def _after_end(self, ended: _Running, now: float) -> None:
        name, code = ended.child.program.name, ended.child.exit_code()
        assert code is not None
        if code == CONFIGURATION_ERROR_EXIT_CODE:
            raise WrongSetting(f"{name} rejects its settings; its lines above say what to change")
        if ended.restart_as is None:
            if code != 0:
                self.terminal.say(f"{name} failed ({_describe(code)})")
            return
        restarts = ended.restarts.after_end(now - ended.since)
        self._due[name] = _Due(ended.restart_as, now + restarts.delay_seconds, restarts)
        self.terminal.say(f"{name} ended ({_describe(code)}); restarting in {restarts.delay_seconds:g} s")

    def _start(self, program: Program, restart_as: Program | None, restarts: Restarts) -> Child:
        child = Child(program)
        self._selector.register(child, selectors.EVENT_READ, child)
        self._running[program.name] = _Running(child, restart_as, time.monotonic(), restarts)
        if restarts.in_a_row:
            self.terminal.say(f"{program.name} restarted (process {child.pid})")
        return child

    def _show_lines(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.read(key.fd, 4096)
                continue
            child: Child = key.data
            lines = child.read_lines()
            if lines is None:
                self._selector.unregister(child)
            for line in lines or ():
                self.terminal.line(child.program.name, line)

    def _ended(self) -> list[str]:
        return [name for name, running in self._running.items() if running.child.exit_code() is not None]

    def _forget(self, name: str) -> None:
        child = self._running.pop(name).child
        with suppress(KeyError):
            self._selector.unregister(child)
        for line in child.close():
            self.terminal.line(name, line)

    def _ask(self, name: str) -> None:
        if name in self._running:
            self._running[name].child.ask_to_stop()

    def _wait_for_end(self, names: Sequence[str], deadline: float) -> None:
        while any(name in self._running for name in names) and not self._is_signalled_twice():
            for name in self._ended():
                self._forget(name)
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if any(name in self._running for name in names):
                self._show_lines(min(left, 0.02))

    def _kill(self, names: Sequence[str]) -> None:
        for name in names:
            if name in self._running:
                self.was_clean = False
                self.terminal.say(f"{name} did not stop in time and was killed")
                self._running[name].child.kill()
                self._forget(name)

    def _is_signalled_twice(self) -> bool:
        return bool(self._signalled) and self._signalled[-1] - self._signalled[0] > _SAME_KEY_PRESS_SECONDS

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled.append(time.monotonic())


def _handled_signals() -> list[signal.Signals]:
    # Under nohup, ignore the hangup of the terminal.
    return [number for number in _SIGNALS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]


def _describe(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"
