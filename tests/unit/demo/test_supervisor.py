"""The supervisor with real child processes."""

import io
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from services.demo.child import Program
from services.demo.supervisor import Supervisor, WrongSetting
from services.demo.terminal import Terminal
from shared.runtime.dependency import Stopped

STOP_ORDER = ("traffic", "enrich", "store")


def python(name: str, code: str) -> Program:
    """A program that runs this code; `out(text)` prints."""
    head = "import os, signal, sys, time\ndef out(text): print(text, flush=True)\n"
    return Program(name, (sys.executable, "-c", head + textwrap.dedent(code)), dict(os.environ))


def lasting(name: str) -> Program:
    """A program that runs until SIGTERM and reports it."""
    return python(
        name,
        f"""
        def stop(*_):
            out("{name} stops")
            os._exit(0)
        signal.signal(signal.SIGTERM, stop)
        out("{name} is up")
        while True: time.sleep(60)
        """,
    )


class Screen(io.StringIO):
    """The demo's output."""

    def shows(self, text: str) -> bool:
        return text in self.getvalue()

    def shows_times(self, text: str, times: int) -> bool:
        return self.getvalue().count(text) == times


@contextmanager
def supervisor(screen: Screen) -> Iterator[Supervisor]:
    with Supervisor(Terminal(screen, STOP_ORDER, colour=False), STOP_ORDER) as supervisor:
        yield supervisor


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with suppress(OSError):  # an ended orphan that init has not reaped yet
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.01)


def test_lines_are_printed_whole_with_their_process() -> None:
    screen = Screen()
    with supervisor(screen) as runs:
        code = runs.run(
            python(
                "enrich",
                "sys.stdout.write('one\\ntw'); sys.stdout.flush(); time.sleep(.1); out('o'); sys.stderr.write('end')",
            )
        )

    assert code == 0
    assert [line.strip() for line in screen.getvalue().splitlines()] == ["enrich │ one", "enrich │ two", "enrich │ end"]


def test_run_returns_the_exit_code_and_reports_a_failure() -> None:
    screen = Screen()
    with supervisor(screen) as runs:
        assert runs.run(python("enrich", "sys.exit(7)")) == 7

    assert screen.shows("enrich failed (exit code 7)")


def test_a_crashed_service_is_restarted_every_time_and_reported() -> None:
    screen = Screen()
    with supervisor(screen) as runs:
        enrich = lasting("enrich")
        runs.start(enrich, restart_as=enrich)
        for starts in (1, 2, 3):
            assert runs.wait_until(partial(screen.shows_times, "enrich is up", starts), 10)
            os.kill(runs.pids()["enrich"], signal.SIGKILL)
            assert runs.wait_until(lambda: "enrich" not in runs.pids(), 10)

    assert screen.shows("enrich ended (killed by SIGKILL); restarting in 0.5 s")
    assert screen.shows("enrich ended (killed by SIGKILL); restarting in 2 s")
    assert screen.getvalue().count("enrich restarted (process ") == 2


def test_signal_handlers_are_restored_afterwards() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with supervisor(Screen()):
        assert signal.getsignal(signal.SIGINT) != before[signal.SIGINT]
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_crashed_program_is_restarted_as_its_replacement() -> None:
    screen = Screen()
    with supervisor(screen) as runs:
        runs.start(
            python("traffic", "sys.exit(1)"), restart_as=python("traffic", "out('without history'); time.sleep(60)")
        )
        assert runs.wait_until(lambda: screen.shows("traffic │ without history"), 10)


def test_a_finished_replay_is_not_restarted() -> None:
    screen = Screen()
    with supervisor(screen) as runs:
        runs.start(python("traffic", "out('all sent')"), restart_as=None)
        assert runs.wait_until(lambda: "traffic" not in runs.pids(), 10)
        assert not runs.wait_until(lambda: "traffic" in runs.pids(), 0.8)

    assert screen.getvalue().count("all sent") == 1


def test_a_repeated_program_runs_again_but_not_beside_itself(tmp_path: Path) -> None:
    screen, running = Screen(), tmp_path / "running"
    with supervisor(screen) as running_programs:
        code = f"""
            assert not os.path.exists({str(running)!r})
            open({str(running)!r}, "w").close()
            out("begins")
            time.sleep(0.2)
            os.remove({str(running)!r})
            out("ends")
            """
        running_programs.repeat(python("proof", code), first_seconds=0.05, every_seconds=0.01)
        assert not running_programs.pids()
        assert running_programs.wait_until(lambda: screen.getvalue().count("ends") >= 3, 30)
    assert "failed" not in screen.getvalue()


def test_a_rejected_setting_is_not_retried() -> None:
    screen = Screen()
    with supervisor(screen) as runs:
        enrich = python("enrich", "out('PARTITIONS: wrong'); sys.exit(2)")
        runs.start(enrich, restart_as=enrich)
        with pytest.raises(WrongSetting, match="enrich rejects its settings"):
            runs.wait_until(lambda: False, 10)

    assert screen.getvalue().count("PARTITIONS: wrong") == 1


@contextmanager
def not_ignored(number: signal.Signals) -> Iterator[None]:
    """Handle the signal even if the tests run under nohup, which ignores the hangup of the terminal."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_processes_in_order(number: signal.Signals) -> None:
    screen = Screen()
    with not_ignored(number), supervisor(screen) as runs:
        for name in reversed(STOP_ORDER):
            runs.start(lasting(name), restart_as=lasting(name))
        assert runs.wait_until(lambda: all(screen.shows(f"{name} is up") for name in STOP_ORDER), 10)
        pids = list(runs.pids().values())
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped):
            runs.serve()

    stops = [line.split("│ ")[1] for line in screen.getvalue().splitlines() if line.endswith("stops")]
    assert stops == ["traffic stops", "enrich stops", "store stops"]
    assert all(is_gone(pid) for pid in pids)
    assert runs.was_clean


def test_a_process_that_ignores_the_stop_is_killed_within_five_seconds_with_its_children() -> None:
    screen = Screen()
    deaf = """
        import subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(60)"])
        out(f"offspring {child.pid} of {os.getpid()} is deaf")
        time.sleep(60)
        """
    with supervisor(screen) as runs:
        for name in STOP_ORDER:
            runs.start(python(name, deaf), restart_as=None)
        assert runs.wait_until(lambda: screen.getvalue().count("is deaf") == len(STOP_ORDER), 10)
        began = time.monotonic()

    assert time.monotonic() - began < 5
    assert not runs.was_clean
    assert screen.shows("enrich did not stop in time and was killed")
    pids = [int(pid) for pid in re.findall(r"offspring (\d+) of", screen.getvalue())]
    assert len(pids) == len(STOP_ORDER)
    wait_for(lambda: all(is_gone(pid) for pid in pids))


def test_a_second_ctrl_c_kills_at_once() -> None:
    screen = Screen()
    with supervisor(screen) as runs:
        for name in STOP_ORDER:
            runs.start(python(name, "signal.signal(15, 1); out('deaf'); time.sleep(60)"), restart_as=None)
        assert runs.wait_until(lambda: screen.getvalue().count("deaf") == len(STOP_ORDER), 10)
        pids = list(runs.pids().values())
        # Sent from outside, a second apart, so that the second does not count as an echo of the first.
        presses = f"os.kill({os.getpid()}, 2); time.sleep(1); os.kill({os.getpid()}, 2)"
        code = f"import os, time; print('runs', flush=True); {presses}"
        sender = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert sender.stdout is not None
        with sender.stdout:
            assert sender.stdout.readline()
        began = time.monotonic()
        with pytest.raises(Stopped):
            runs.serve()

    assert time.monotonic() - began < 2.5
    assert all(is_gone(pid) for pid in pids)
    assert sender.wait() == 0


def test_children_do_not_get_the_terminals_ctrl_c() -> None:
    with supervisor(Screen()) as runs:
        runs.start(lasting("enrich"), restart_as=None)
        pid = runs.pids()["enrich"]
        assert os.getsid(pid) == pid != os.getsid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG needs Linux")
def test_no_child_outlives_a_killed_supervisor() -> None:
    deaf = "import signal, time; signal.signal(15, 1); time.sleep(60)"
    code = f"""
        from services.demo.child import Child, Program
        deaf = (sys.executable, "-c", {deaf!r})
        children = [Child(Program("deaf", deaf, dict(os.environ))) for _ in range(2)]
        out(" ".join(str(child.pid) for child in children))
        time.sleep(60)
        """
    head = "import os, sys, time\ndef out(text): print(text, flush=True)\n"
    with subprocess.Popen(
        [sys.executable, "-c", head + textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        # Wait until the tether has become the command: from then on the tie holds.
        wait_for(lambda: all(b"tether.py" not in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids))
        parent.kill()

    wait_for(lambda: all(is_gone(pid) for pid in pids), 5)


def test_a_closed_terminal_stops_nothing() -> None:
    class Gone(Screen):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with supervisor(Gone()) as runs:
        assert runs.run(python("enrich", "out('nobody hears this')")) == 0
