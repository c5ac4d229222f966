"""The aggregate service as a process: a known log, SIGKILL at any moment, the oracle's numbers in Redis."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.model import Meta
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import NewRecord
from tests.support.oracle.naive_rollups import Arrived, outcomes
from tests.support.oracle.publish_check import assert_published, caught_up
from tests.support.polling import eventually
from tests.support.samples.enriched import events
from tests.support.servers.server_process import free_port

TOPIC = "enriched-click-data"
pytestmark = pytest.mark.timeout(300)  # segments of reopened minutes follow within a minute


@contextmanager
def running(redis_url: str, state_dir: Path, **options: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "REDIS_URL": redis_url, "STATE_DIR": str(state_dir), "LOG_FORMAT": "json", **options}
    # Without a log file, because the test with a full disk would fill the log's disk too.
    command = [sys.executable, "-m", "services.cli", "aggregate"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def produced(redis_url: str, made: list[EnrichedEvent], refused: int) -> None:
    with open_log(ServiceSettings(redis_url=redis_url), "test").producer() as producer:
        records = [NewRecord(TOPIC, event.userId.encode(), encode_enriched(event)) for event in made]
        records += [NewRecord(TOPIC, b"bad", b"no json %d" % number) for number in range(refused)]
        producer.send(records)


def current_log(client: Any) -> list[Arrived]:
    """The content of the streams, read without our code except the event decoder."""
    arrived = []
    for partition in range(4):
        for entry_id, fields in client.xrange(f"{TOPIC}:{partition}"):
            milliseconds, sequence = entry_id.decode().split("-")
            if fields[b"v"].startswith(b"{"):
                event = EnrichedEvent(**_decoded(fields[b"v"]))
                arrived.append(Arrived(event, int(milliseconds), partition, int(milliseconds) << 20 | int(sequence)))
    return arrived


def _decoded(value: bytes) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(value)  # the standard library's, so that the oracle is independent of our code
    return decoded


def assert_rollups_are_right(client: Any) -> None:
    log = current_log(client)
    meta = assert_published(client, log)
    expected = outcomes(log)
    assert (meta.counted, meta.late, meta.duplicates) == tuple(
        len(expected[o]) for o in ("counted", "late", "duplicates")
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_a_service_killed_at_any_moment_publishes_the_oracles_numbers(
    redis_url: str, tmp_path: Path, seed: int
) -> None:
    client: Any = connect(redis_url)
    chance = random.Random(seed)
    made = events(seed, 6000, int(time.time() * 1000))
    state = tmp_path / "state"
    parts = [made[start : start + 1500] for start in range(0, len(made), 1500)]
    for part in parts:
        with running(redis_url, state, AGGREGATE_BATCH_RECORDS="200") as process:
            produced(redis_url, part, refused=2)
            time.sleep(chance.uniform(0.6, 2.5))  # the kill is anywhere between startup and publishing
            process.send_signal(signal.SIGKILL)
    with running(redis_url, state):
        meta = caught_up(client, len(made) + 2 * len(parts))
        assert meta.dead_letters == 2 * len(parts)
        assert_rollups_are_right(client)


def test_a_clean_stop_publishes_the_last_rollup_and_a_restart_continues(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    made = events(3, 1000, int(time.time() * 1000))
    produced(redis_url, made, refused=0)
    with running(redis_url, tmp_path) as process:
        caught_up(client, 1000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    produced(redis_url, events(4, 10, int(time.time() * 1000)), refused=0)
    with running(redis_url, tmp_path):
        caught_up(client, 1010)
        assert_rollups_are_right(client)


def test_a_restart_shows_the_last_numbers_until_it_has_new_ones(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    produced(redis_url, events(7, 100, int(time.time() * 1000)), refused=0)
    with running(redis_url, tmp_path):
        before = caught_up(client, 100)
    seen: list[int] = []

    def publishes_again() -> bool:
        snapshot = read(client, "all", "")
        assert snapshot is not None
        seen.append(snapshot.meta.counted)
        return snapshot.meta.publisher != before.publisher and snapshot.meta.as_of_ms > before.as_of_ms + 2000

    with running(redis_url, tmp_path):
        eventually(publishes_again, "a publish of the new process")
    assert set(seen) == {before.counted}


def test_deleted_rollups_are_published_again(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    produced(redis_url, events(5, 100, int(time.time() * 1000)), refused=0)
    with running(redis_url, tmp_path):
        caught_up(client, 100)
        client.delete(*client.keys("rollup:*"))
        caught_up(client, 100)
        # Deleted while a publish was under way, a list that is written only when it changes follows a second later.
        eventually(lambda: client.exists("rollup:events:latest"), "the latest events")
        assert_rollups_are_right(client)


def test_dead_letters_keep_the_bytes_and_the_origin(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    produced(redis_url, [], refused=1)
    with running(redis_url, tmp_path):
        caught_up(client, 1)
    letters = [fields for n in range(4) for _, fields in client.xrange(f"{TOPIC}-dlq:{n}")]
    assert [letter[b"v"] for letter in letters] == [b"no json 0"]
    assert b"not_json" in letters[0][b"h"]


def test_pandas_reads_the_seed_keys_without_personal_data(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    produced(redis_url, events(6, 300, int(time.time() * 1000)), refused=0)
    with running(redis_url, tmp_path):
        caught_up(client, 300)
    keys = ("last_15_minutes", "sessions", "device_type_popularity", "products_last_hour", "latest_visitors",
            "category_popularity", "raw_data")  # fmt: skip
    frames = {key: pd.read_json(StringIO(client.get(key).decode())) for key in keys}
    assert list(frames["device_type_popularity"]["Device type"]) == ["Desktop", "Tablet", "Mobile", "Other"]
    assert len(frames["products_last_hour"]) == 10
    assert len(frames["latest_visitors"]) == 10
    assert frames["raw_data"]["datetime"].is_monotonic_decreasing
    assert set(frames["raw_data"]["ip"]) == {"203.0.113.0"}
    for key in client.keys("*"):
        if not key.startswith(TOPIC.encode()) and client.type(key) == b"string":
            assert b"1984-04-08" not in client.get(key)
    assert b"1984-04-08" not in b"".join(client.lrange("rollup:events:latest", 0, -1))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="filling the disk needs prlimit, which is Linux only")
def test_a_full_disk_pauses_reading_is_reported_and_recovers(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    port = free_port()
    health = f"http://127.0.0.1:{port}/health"
    made = events(8, 3000, int(time.time() * 1000))
    produced(redis_url, made[:1000], refused=0)
    with running(redis_url, tmp_path, HEALTH_PORT=str(port)) as process:
        caught_up(client, 1000)
        # From here on no file can grow, as on a full disk.
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, most))
        produced(redis_url, made[1000:], refused=0)
        assert eventually(lambda: _failing_part(health), "unhealthy") == "state"
        first = _meta(client)
        eventually(lambda: _meta(client).as_of_ms > first.as_of_ms + 2000, "windows move on and are published")
        assert _meta(client).counted == first.counted
        assert (_meta(client).lag or 0) > 0
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        caught_up(client, 3000)
        assert eventually(lambda: _failing_part(health) is None, "healthy again")
        assert_rollups_are_right(client)
        process.send_signal(signal.SIGKILL)
    with running(redis_url, tmp_path):
        caught_up(client, 3000)
        assert_rollups_are_right(client)


def _meta(client: Any) -> Meta:
    snapshot = read(client, "all", "")
    assert snapshot is not None
    return snapshot.meta


def _failing_part(health: str) -> str | None:
    """The first failing part that the health endpoint reports."""
    try:
        urllib.request.urlopen(health, timeout=60).close()
    except urllib.error.HTTPError as refusal:
        return str(next(iter(json.loads(refusal.read())["failures"])))
    return None
