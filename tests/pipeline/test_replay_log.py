"""`clickpulse replay` and `generate` in their own processes, into real event logs."""

import gzip
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import Assignment, FromCommitted, LogUnavailable, Record
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

BASE = 1_795_000_000_000
DEADLINE_SECONDS = 60.0


class _FromTheStart:
    def __init__(self) -> None:
        self.left = 0

    def on_assigned(self, assignment: Assignment) -> FromCommitted:
        self.left += assignment.end_offset - assignment.begin_offset
        return FromCommitted()

    def on_revoked(self, _: int) -> None: ...


class Log:
    """An event log with a topic for one test."""

    def __init__(self, **settings: str) -> None:
        self.topic = f"clicks-{uuid.uuid4().hex[:8]}"
        names = {"RAW_TOPIC": self.topic, "PARTITIONS": "3", "LOG_FORMAT": "json"}
        self.environment = names | {name.upper(): value for name, value in settings.items()}
        self.settings = ServiceSettings(
            raw_topic=self.topic,
            partitions=3,
            kafka_broker=settings.get("kafka_broker"),
            redis_url=settings.get("redis_url", "redis://127.0.0.1:1/0"),
        )

    def start(self, *arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name != "KAFKA_BROKER"}
        return subprocess.Popen(
            [sys.executable, "-m", "services.cli", *arguments],
            env=environment | self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, exit_code: int = 0) -> dict[str, str]:
        """Run a command to its end and return the rows of its summary."""
        return finish(self.start(*arguments), exit_code)

    def records(self, count: int) -> Sequence[Record]:
        """All records of the topic, which must be `count`."""
        found: list[Record] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        with (
            closing(open_log(self.settings, "test")) as log,
            log.consumer(self.topic, f"test-{uuid.uuid4().hex[:8]}", _FromTheStart()) as consumer,
        ):
            while len(found) < count and time.monotonic() < deadline:
                with suppress(LogUnavailable):  # transient: a busy broker answers late
                    found.extend(consumer.poll(1000, 1.0))
            found.extend(consumer.poll(1000, 0.2))
        assert len(found) == count
        return found


def finish(process: subprocess.Popen[bytes], exit_code: int = 0) -> dict[str, str]:
    try:
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
    finally:
        process.kill()
    assert process.returncode == exit_code, err.decode()
    return dict(row.split(maxsplit=1) for row in out.decode().splitlines() if len(row.split()) > 1)


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    """The topic of a test, in both event logs."""
    if request.param == "kafka":
        yield Log(kafka_broker=request.getfixturevalue("kafka_broker"))
    else:
        yield Log(redis_url=request.getfixturevalue("redis_url"))


def recording(folder: Path, events: int) -> str:
    path = folder / "clicks.ndjson.gz"
    lines = (b'{"timestamp":%d,"userId":"u%d"}\n' % (BASE + number, number % 50) for number in range(events))
    path.write_bytes(gzip.compress(b"".join(lines)))
    return str(path)


def test_every_event_arrives_once_and_in_order_by_visitor(log: Log, tmp_path: Path) -> None:
    summary = log.run("replay", recording(tmp_path, 3500), "--shift-to-now")
    assert (summary["read"], summary["sent"], summary["refused"]) == ("3,500", "3,500", "0")
    records = log.records(3500)
    events = [msgspec.json.decode(record.value) for record in records]
    assert len({event["eventId"] for event in events}) == 3500
    partitions = {event["userId"]: record.partition for event, record in zip(events, records, strict=True)}
    assert set(partitions.values()) == {0, 1, 2}
    for user, partition in partitions.items():
        own = [
            (record.partition, event["original_timestamp"])
            for event, record in zip(events, records, strict=True)
            if event["userId"] == user
        ]
        assert own == sorted(own)
        assert own[0][0] == own[-1][0] == partition


def test_generated_clicks_arrive(log: Log) -> None:
    arguments = (
        "--rate",
        "10",
        "--history",
        "1h",
        "--count",
        "2500",
    )  # past clicks, so the time of day does not matter
    process = log.start("generate", *arguments)
    out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, err.decode()
    assert b"2,500 events sent" in out
    assert len({msgspec.json.decode(record.value)["eventId"] for record in log.records(2500)}) == 2500


def test_a_pipe_is_sent_as_it_arrives_and_ctrl_c_prints_the_summary(redis_url: str) -> None:
    log = Log(redis_url=redis_url)
    process = log.start("replay", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b'{"timestamp":1795000000000,"userId":"a"}\nno json\n')
    process.stdin.flush()
    assert len(log.records(1)) == 1  # although the pipe is still open
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE_SECONDS) == 0
    assert time.monotonic() - began < 5
    summary = finish(process)
    assert (summary["read"], summary["sent"], summary["refused"]) == ("2", "1", "1")


def test_replay_waits_for_an_unreachable_log_and_names_it(tmp_path: Path) -> None:
    port = free_port()
    log = Log(redis_url=f"redis://127.0.0.1:{port}/0")
    process = log.start("replay", recording(tmp_path, 1500))
    assert process.stderr is not None
    seen = b""
    while b'"waiting"' not in seen:
        line = process.stderr.readline()
        assert line, "it ended without waiting"
        seen += line
    assert f"127.0.0.1:{port}".encode() in seen
    with running_valkey(tmp_path, port):
        assert finish(process)["sent"] == "1,500"
        assert len(log.records(1500)) == 1500


def test_ctrl_c_ends_the_wait_for_an_unreachable_log(tmp_path: Path) -> None:
    log = Log(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    process = log.start("replay", recording(tmp_path, 10))
    assert process.stderr is not None
    while b'"waiting"' not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    assert finish(process)["sent"] == "0"


def test_memory_does_not_grow_with_the_recording(redis_url: str, tmp_path: Path) -> None:
    def peak_kilobytes(lines: int) -> int:
        path = tmp_path / f"{lines}.ndjson.gz"
        path.write_bytes(gzip.compress(b'{"timestamp":%d,"pad":"%s"}\n' % (BASE, b"x" * 4000) * lines, 1))
        script = (
            "import resource, sys; from services.traffic.__main__ import main_replay; main_replay(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        run = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            env=os.environ | Log(redis_url=redis_url).environment,
            capture_output=True,
            check=True,
            timeout=DEADLINE_SECONDS,
        )
        return int(run.stdout.splitlines()[-1])

    # 80 MB against 4 MB. The lines are refused, so that the log's memory does not count.
    assert peak_kilobytes(20_000) < peak_kilobytes(1_000) + 20_000
