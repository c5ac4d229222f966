"""Stopping on signals, in a process of its own."""

import subprocess
import sys

ASKED_WITHIN_A_WAIT = """
import signal, threading
from shared.runtime.signals import stop_on_signals

stop = threading.Event()
with stop_on_signals(stop):
    with stop._cond:  # as wait() holds it for a moment
        signal.raise_signal(signal.SIGTERM)
    assert stop.wait(10)
"""


def test_a_signal_that_meets_a_wait_as_it_begins_is_heard() -> None:
    subprocess.run([sys.executable, "-c", ASKED_WITHIN_A_WAIT], check=True, timeout=30)
