"""Stopping on signals, in a separate process."""

import subprocess
import sys

ASKED_WITHIN_A_WAIT = """
import signal, threading
from shared.runtime.signals import stop_on_signals

stop = threading.Event()
with stop_on_signals(stop):
    with stop._cond:  # wait() holds it for a moment
        signal.raise_signal(signal.SIGTERM)
    assert stop.wait(10)
"""


def test_signal_at_the_start_of_a_wait_is_handled() -> None:
    subprocess.run([sys.executable, "-c", ASKED_WITHIN_A_WAIT], check=True, timeout=30)
