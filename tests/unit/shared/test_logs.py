"""Log lines: JSON for machines, from our own loggers and from libraries."""

import json
import subprocess
import sys

from shared.runtime.log_bounds import LONGEST_LINE

PROGRAM = """
import logging, threading
from shared.runtime.logs import configure_logs, get_logger
configure_logs("enrich", {log_format!r}, "INFO")
get_logger("ours").info("counted", events=3)
thread = threading.Thread(target=lambda: get_logger("ours").info("counted elsewhere", service="not ours"))
thread.start()
thread.join()
logging.getLogger("theirs").warning("odd %s", "thing")
logging.getLogger("theirs").debug("not shown")
try:
    1 / 0
except ZeroDivisionError:
    get_logger("ours").exception("failed")
"""


def logged(log_format: str) -> str:
    program = [sys.executable, "-c", PROGRAM.format(log_format=log_format)]
    return subprocess.run(program, capture_output=True, text=True, check=True).stderr


def test_json_lines_carry_service_level_time_and_message() -> None:
    lines = [json.loads(line) for line in logged("json").splitlines()]
    ours, in_thread, theirs, failure = lines
    assert {tuple(line)[:5] for line in lines} == {("time", "level", "service", "logger", "message")}
    assert {line["service"] for line in lines} == {"enrich"}
    assert in_thread["message"] == "counted elsewhere"
    assert (ours["service"], ours["level"], ours["message"], ours["events"]) == ("enrich", "info", "counted", 3)
    assert ours["time"].endswith("Z")
    assert (theirs["level"], theirs["message"], theirs["logger"]) == ("warning", "odd thing", "theirs")
    assert failure["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_console_lines_are_for_people() -> None:
    first = logged("console").splitlines()[0]
    assert "counted" in first
    assert "events=3" in first
    assert not first.startswith("{")


def test_auto_is_json_without_a_terminal() -> None:
    assert logged("auto").startswith("{")


def test_long_lines_are_cut_and_stay_json() -> None:
    program = PROGRAM.format(log_format="json").replace("events=3", "**{f'k{n}': 'x' * 5000 for n in range(99)}")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first = run.stderr.splitlines()[0]
    assert len(first) <= LONGEST_LINE
    assert json.loads(first)["message"] == "counted"
