"""Stopping: the first SIGTERM or SIGINT asks, the second kills."""

import signal
from _thread import start_new_thread  # without a lock of Python's own, which threading.Thread has
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


@contextmanager
def stop_on_signals(stop: Event) -> Iterator[None]:
    """Set `stop` at the first SIGTERM or SIGINT while the block runs; a second one ends the process at once."""

    def ask(signal_number: int, _: FrameType | None) -> None:
        # Not here: the thread that is interrupted may wait for the event, and hold its lock for now.
        start_new_thread(stop.set, ())
        signal.signal(signal_number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
