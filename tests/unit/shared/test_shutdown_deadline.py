"""A process that hangs in a call which ignores signals."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_HANG = """
    import ctypes, threading
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    threading.Timer(0.5, print, ("hangs",), {"flush": True}).start()
    library.pthread_mutex_lock(mutex)  # forever
"""


@contextmanager
def running(body: str, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs `body` within the block, and has printed its first line."""
    code = f"""
from threading import Event
from shared.runtime.shutdown_deadline import shutdown_deadline
from shared.runtime.signals import stop_on_signals
stop = Event()
with shutdown_deadline({seconds}), stop_on_signals(stop):
{textwrap.indent(textwrap.dedent(body), "    ")}
print("over", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_hanging_process_exits_at_the_deadline() -> None:
    with running(_HANG, seconds=0.5) as process:
        began = time.monotonic()
        process.terminate()
        output, _ = process.communicate(timeout=20)
        assert time.monotonic() - began >= 0.5
        assert "over" not in output
        assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_a_hanging_process_at_once(number: signal.Signals) -> None:
    with running(_HANG, seconds=60) as process:
        process.send_signal(number)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(20) == 128 + number


def test_two_kinds_of_signal_count_as_one_request() -> None:
    """From a terminal, and from the parent process that received the same one."""
    # The watching thread may receive both. A wait without a timeout would miss them; no service has one.
    body = """
        import time
        print("waits", flush=True)
        while not stop.wait(0.1):
            pass
        time.sleep(0.5)
        """
    with running(body, seconds=60) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
        assert (output, process.returncode) == ("over\n", 0)


def test_process_that_ends_in_time_is_left_alone() -> None:
    with running("print('waits', flush=True); stop.wait()", seconds=20) as process:
        process.terminate()
        output, _ = process.communicate(timeout=20)
        assert (output, process.returncode) == ("over\n", 0)


def test_deadline_does_not_start_before_a_signal() -> None:
    with running("print('waits', flush=True); stop.wait(1)", seconds=0.1) as process:
        output, _ = process.communicate(timeout=20)
        assert (output, process.returncode) == ("over\n", 0)
