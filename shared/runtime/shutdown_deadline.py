"""A stop that does not wait for ever: what still runs some seconds after the signal is left as by a crash."""

import os
import signal
import socket
from collections.abc import Container, Iterator
from contextlib import contextmanager
from threading import Thread

from shared.runtime.logs import get_logger

logger = get_logger(__name__)


@contextmanager
def ending_in_time(seconds: float) -> Iterator[None]:
    """End the process with exit code 0 if the block still runs so long after the first SIGTERM or SIGINT.

    For calls into a client library that wait for a broker and hear of no signal; Python's own handlers wait for them,
    too. A second signal during such a call ends the process at once, with the exit code of one that it killed. Only for
    a process that may be killed at any moment without losing anything. From the main thread.
    """
    signals, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    Thread(target=_watch, args=(signals, seconds), name="patience", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()  # which ends the thread


def _watch(signals: socket.socket, seconds: float) -> None:
    with signals:
        first = _next_of(signals, (signal.SIGTERM, signal.SIGINT))
        if not first:
            return
        signals.settimeout(seconds)
        try:
            # Of the same number: Ctrl-C in a terminal reaches whole groups, whose leader then asks its children, too.
            second = _next_of(signals, (first,))
        except TimeoutError:
            logger.warning("stopped without an answer: what waited for it is left as by a crash", seconds=seconds)
            os._exit(0)
        if second:
            os._exit(128 + second)


def _next_of(signals: socket.socket, numbers: Container[int]) -> int:
    """The next signal of these numbers; 0 when the block is over."""
    while number := signals.recv(1):
        if number[0] in numbers:
            return number[0]
    return 0
