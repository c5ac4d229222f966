"""Stopping: the first SIGTERM or SIGINT asks the process to stop, the second one kills it."""

import signal
from _thread import start_new_thread  # takes no lock, where threading.Thread does
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


@contextmanager
def stop_on_signals(stop: Event) -> Iterator[None]:
    """Set `stop` at the first SIGTERM or SIGINT while the block runs. A second one ends the process at once."""

    def request_stop(signal_number: int, _: FrameType | None) -> None:
        # The interrupted thread may hold the event's lock, so another thread sets it.
        start_new_thread(stop.set, ())
        signal.signal(signal_number, signal.SIG_DFL)

    before = {number: signal.signal(number, request_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
