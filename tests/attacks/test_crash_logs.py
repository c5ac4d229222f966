"""Events that make a service crash: its log names the place and the type of the error, and quotes no event."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from shared.runtime.log_bounds import LONGEST_LINE

MARKER = "marker-of-a-visitor"

CRASHING = """
import sys
from services import cli
from {module} import {owner}

def crash(self, *arguments):
    result = original(self, *arguments)
    event = str((arguments, [*result] if hasattr(result, "__iter__") else result))
    if "{marker}" in event:
        try:
            int(event)
        except ValueError as error:
            error.add_note(event)
            raise KeyError(event) from error
    return result

original = {owner}.{method}
{owner}.{method} = crash
sys.exit(cli.main(["{service}"]))
"""

OF_STREAMLIT = """
from shared.runtime.logs import configure_logs
configure_logs("dashboard", "console", "INFO")
from streamlit import config, error_util
from services.dashboard.__main__ import _FIXED_OPTIONS
config.set_option("logger.enableRich", _FIXED_OPTIONS["logger.enableRich"] == "true")
def page(event):
    return {{}}[event]
try:
    page("{marker}")
except KeyError as error:
    error_util._log_uncaught_app_exception(error)
raise ValueError("{marker}")
"""


@pytest.mark.parametrize(
    ("service", "topic", "module", "owner", "method"),
    [
        ("enrich", "click-data", "shared.streams.observed", "ObservedProcessor", "poll"),
        ("detect", "enriched-click-data", "shared.streams.observed", "ObservedProcessor", "poll"),
        ("aggregate", "enriched-click-data", "services.aggregate.service", "AggregateService", "_collect"),
        (
            "aggregate",
            "enriched-click-data",
            "services.aggregate.publishing.publisher",
            "RedisPublisher",
            "publish",
        ),
    ],
    ids=["enrich", "detect", "aggregate", "sender"],
)
def test_a_crash_quotes_no_event(
    redis_url: str, tmp_path: Path, service: str, topic: str, module: str, owner: str, method: str
) -> None:
    settings = {"REDIS_URL": redis_url, "PARTITIONS": "1", "STATE_DIR": str(tmp_path), "LOG_FORMAT": "json"}
    event = {"timestamp": time.time_ns() // 1_000_000, "userId": MARKER, "ip": MARKER, "url": MARKER, "eventId": MARKER}
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(f"{topic}:0", {"v": json.dumps(event)})
        program = CRASHING.format(service=service, module=module, owner=owner, method=method, marker=MARKER)
        crashed = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        reported = [client.hgetall(key) for key in client.keys("status:*") if client.type(key) == b"hash"]
    said = crashed.stdout + crashed.stderr
    assert crashed.returncode == 1, said[-3000:]
    assert "KeyError" in said
    assert MARKER not in said
    assert reported
    assert MARKER not in str(reported)
    assert max(map(len, said.splitlines())) <= LONGEST_LINE


def test_a_crash_of_a_page_quotes_no_event() -> None:
    crashed = subprocess.run(
        [sys.executable, "-c", OF_STREAMLIT.format(marker=MARKER)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    said = crashed.stdout + crashed.stderr
    assert crashed.returncode == 1
    assert "Uncaught app execution" in said
    assert "KeyError" in said
    assert "ValueError" in said
    assert MARKER not in said
