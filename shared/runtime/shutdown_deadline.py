"""The shutdown deadline: a process that is still running some seconds after the signal exits without waiting."""

import os
import signal
import socket
from collections.abc import Container, Iterator
from contextlib import contextmanager
from threading import Thread

from shared.runtime.logs import get_logger

logger = get_logger(__name__)


@contextmanager
def shutdown_deadline(seconds: float) -> Iterator[None]:
    """Exit with code 0 if the block still runs this long after the first SIGTERM or SIGINT.

    A call into a client library may wait for a broker and ignore signals, and Python's own handlers wait for that call.
    A second signal during such a call ends the process at once, with the exit code of a process that it killed. Only
    for a process that loses nothing when it is killed. Call it from the main thread.
    """
    received, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    before = signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    Thread(target=_watch, args=(received, seconds), name="shutdown-deadline", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        wakeup.close()  # ends the thread


def _watch(received: socket.socket, seconds: float) -> None:
    with received:
        first = _next_of(received, (signal.SIGTERM, signal.SIGINT))
        if not first:
            return
        received.settimeout(seconds)
        try:
            # Only the same signal counts: Ctrl-C reaches a whole process group, whose leader then sends SIGTERM.
            second = _next_of(received, (first,))
        except TimeoutError:
            logger.warning("shutdown deadline exceeded; exiting without waiting", seconds=seconds)
            os._exit(0)
        if second:
            os._exit(128 + second)


def _next_of(received: socket.socket, numbers: Container[int]) -> int:
    """The next signal with one of these numbers; 0 when the block has ended."""
    while number := received.recv(1):
        if number[0] in numbers:
            return number[0]
    return 0
